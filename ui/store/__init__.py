"""What outlives a session: the workspaces of all visitors, in a database (SQLite or PostgreSQL)."""

from ui.store.schema import DrawingRecord, RunRecord
from ui.store.store import MAX_DRAWINGS, RunTaken, Store, free_name, server_name

__all__ = ["MAX_DRAWINGS", "DrawingRecord", "RunRecord", "RunTaken", "Store", "free_name", "server_name"]
