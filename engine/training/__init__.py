"""Training: the loop as an iterator of events, its state, its records and its timing."""

from engine.training.events import Change, Diverged, EpochEnd, Event, Finished, StepEnd
from engine.training.trainer import Trainer, initial_network

__all__ = ["Change", "Diverged", "EpochEnd", "Event", "Finished", "StepEnd", "Trainer", "initial_network"]
