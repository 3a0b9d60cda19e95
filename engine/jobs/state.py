"""The states of a job, from its start to its end."""

from enum import StrEnum


class JobState(StrEnum):
    """READY -> QUEUED -> RUNNING <-> PAUSED -> TESTING -> one of the four that are over; from PAUSED also to QUEUED."""

    READY = "ready"
    QUEUED = "waiting"  # for a free worker
    RUNNING = "running"
    PAUSED = "paused"
    TESTING = "testing"  # the network is being measured on the test images
    FINISHED = "finished"
    STOPPED = "stopped"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self in (JobState.FINISHED, JobState.STOPPED, JobState.DIVERGED, JobState.FAILED)
