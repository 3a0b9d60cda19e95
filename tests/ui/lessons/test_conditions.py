"""The conditions of lessons: each holds and does not hold of a situation."""

import numpy as np
import pytest

from engine import Config
from ui.draw.prediction import Prediction
from ui.lessons.conditions import CONDITIONS
from ui.lessons.situation import RunSeen, Situation


def reading(digit, confidence):
    probabilities = np.full(10, (1 - confidence) / 9, np.float32)
    probabilities[digit] = confidence
    return Prediction(probabilities, 0.5)


def ink(height, width):
    image = np.zeros((280, 280), np.uint8)
    image[100 : 100 + height, 150 : 150 + width] = 255
    return image


SURE_4, UNSURE_4 = reading(4, 0.9), reading(4, 0.4)
NEW, OTHER = Config(learning_rate=0.1), Config()
NOTHING = Situation()
CASES = {
    "page_open": ({"page": "train"}, [Situation(page="train")], [NOTHING, Situation(page="draw")]),
    "panel_open": ({"panel": "Why"}, [Situation(panel="Why")], [NOTHING, Situation(panel="Inside")]),
    "setting": (
        {"name": "learning_rate", "value": "0.1"},
        [Situation(settings={"learning_rate": "0.1"})],
        [NOTHING, Situation(settings={"learning_rate": "0.2"})],
    ),
    "switched": (
        {"switch": "step crop", "on": False},
        [Situation(switches={"step crop": False})],
        [NOTHING, Situation(switches={"step crop": True})],
    ),
    "chosen": ({"network": "cnn"}, [Situation(network="cnn")], [NOTHING, Situation(network="mlp")]),
    "reads": (
        {"digit": 4, "network": "mlp"},
        [Situation(read={"mlp": SURE_4}.get)],
        [NOTHING, Situation(read={"mlp": UNSURE_4}.get), Situation(read={"cnn": SURE_4}.get)],
    ),
    "reads_another": (
        {"digit": 5},
        [Situation(read={"chosen": UNSURE_4}.get)],
        [NOTHING, Situation(read={"chosen": reading(5, 0.2)}.get)],
    ),
    "sure": ({}, [Situation(read={"chosen": SURE_4}.get)], [NOTHING, Situation(read={"chosen": UNSURE_4}.get)]),
    "not_sure": ({}, [Situation(read={"chosen": UNSURE_4}.get)], [NOTHING, Situation(read={"chosen": SURE_4}.get)]),
    "ink_within": (
        {"pixels": 50},
        [Situation(image=ink(50, 20))],
        [NOTHING, Situation(image=ink(51, 20)), Situation(image=ink(0, 0))],
    ),
    "steps_taken": (
        {"steps": 10},
        [Situation(runs=(RunSeen(1, NEW, step=10),))],
        [NOTHING, Situation(runs=(RunSeen(1, NEW, step=9),))],
    ),
    "run_reached": (
        {"accuracy": 0.95},
        [Situation(runs=(RunSeen(1, NEW, validation_accuracy=0.95), RunSeen(2, NEW)))],
        [NOTHING, Situation(runs=(RunSeen(1, NEW, validation_accuracy=0.94, test_accuracy=0.99),))],
    ),
    "run_over": (
        {"settings": {"learning_rate": "0.1"}, "at_least": 0.2, "at_most": 0.8},
        [Situation(runs=(RunSeen(1, NEW, is_over=True, test_accuracy=0.5), RunSeen(2, OTHER)))],
        [
            NOTHING,
            Situation(runs=(RunSeen(1, OTHER, is_over=True, test_accuracy=0.5),)),
            Situation(runs=(RunSeen(1, NEW, test_accuracy=0.5),)),
            Situation(runs=(RunSeen(1, NEW, is_over=True, test_accuracy=0.1),)),
            Situation(runs=(RunSeen(1, NEW, is_over=True, test_accuracy=0.9),)),
            Situation(runs=(RunSeen(1, NEW, is_over=True),)),
        ],
    ),
    "gap": (
        {"at_least": 0.1},
        [Situation(runs=(RunSeen(1, NEW, is_over=True, training_accuracy=1.0, validation_accuracy=0.8),))],
        [
            NOTHING,
            Situation(runs=(RunSeen(1, NEW, is_over=True, training_accuracy=1.0, validation_accuracy=0.95),)),
            Situation(runs=(RunSeen(1, NEW, training_accuracy=1.0, validation_accuracy=0.8),)),
        ],
    ),
    "seeds_over": (
        {"seeds": 3},
        [Situation(runs=(RunSeen(1, NEW, num_seeds=3, is_over=True),))],
        [NOTHING, Situation(runs=(RunSeen(1, NEW, num_seeds=3),)), Situation(runs=(RunSeen(1, NEW, 2, True),))],
    ),
    "compared": (
        {"runs": 2},
        [Situation(ticked=(RunSeen(1, NEW), RunSeen(2, NEW)))],
        [NOTHING, Situation(runs=(RunSeen(1, NEW), RunSeen(2, NEW)), ticked=(RunSeen(1, NEW),))],
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_holds_when_it_should_and_not_otherwise(name):
    arguments, yes, no = CASES[name]
    assert [CONDITIONS[name](situation, **arguments) for situation in yes] == [True] * len(yes)
    assert [CONDITIONS[name](situation, **arguments) for situation in no] == [False] * len(no)
