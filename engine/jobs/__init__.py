"""Trainings that run while people watch: a job on a thread, a series of seeds, and what is measured for the viewers."""

from engine.jobs.job import Job
from engine.jobs.series import Series
from engine.jobs.snapshot import Snapshot
from engine.jobs.state import JobState

__all__ = ["Job", "JobState", "Series", "Snapshot"]
