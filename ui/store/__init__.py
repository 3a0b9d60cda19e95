"""What outlives a session: workspaces and class collections, in a database (SQLite or PostgreSQL)."""

from ui.store.class_collections import ClassCollections
from ui.store.class_lessons import ClassLessons
from ui.store.schema import ClassRecord, Donation, DrawingRecord, LessonReport, RunRecord
from ui.store.store import MAX_DRAWINGS, RunTaken, Store, free_name, server_name

__all__ = [
    "MAX_DRAWINGS",
    "ClassCollections",
    "ClassLessons",
    "ClassRecord",
    "Donation",
    "DrawingRecord",
    "LessonReport",
    "RunRecord",
    "RunTaken",
    "Store",
    "free_name",
    "server_name",
]
