"""Trainings, fine-tunings and sweeps in worker processes while people watch: a queue, jobs, series, what viewers see."""

from engine.jobs.job import Job, TrainingOver
from engine.jobs.keyframes import Keyframe, Keyframes
from engine.jobs.leaving_out import LeavingOut
from engine.jobs.messages import Saved
from engine.jobs.pool import Place, Pool, default_pool
from engine.jobs.series import Series
from engine.jobs.snapshot import Snapshot
from engine.jobs.state import JobState
from engine.jobs.trials import Trials
from engine.jobs.tuning import Tuning

__all__ = [
    "Job",
    "JobState",
    "Keyframe",
    "Keyframes",
    "LeavingOut",
    "Place",
    "Pool",
    "Saved",
    "Series",
    "Snapshot",
    "TrainingOver",
    "Trials",
    "Tuning",
    "default_pool",
]
