"""What outlives a session: the workspaces of all visitors, in a database (SQLite or PostgreSQL)."""

from ui.store.schema import RunRecord
from ui.store.store import RunTaken, Store, free_name, server_name

__all__ = ["RunRecord", "RunTaken", "Store", "free_name", "server_name"]
