"""What outlives a session: workspaces and class collections, in a database (SQLite or PostgreSQL)."""

from ui.store.class_collections import ClassCollections
from ui.store.schema import ClassRecord, Donation, DrawingRecord, RunRecord
from ui.store.store import MAX_DRAWINGS, RunTaken, Store, free_name, server_name

__all__ = [
    "MAX_DRAWINGS",
    "ClassCollections",
    "ClassRecord",
    "Donation",
    "DrawingRecord",
    "RunRecord",
    "RunTaken",
    "Store",
    "free_name",
    "server_name",
]
