"""The narrator's sentence: for made-up histories, and for short trainings."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from helpers import make_digits, make_noise

from engine import Config, dense_layers
from engine.jobs import JobState
from engine.jobs.health import LayerHealth, Problem
from engine.jobs.observer import Observer
from engine.jobs.snapshot import Snapshot
from engine.training import Diverged, EpochEnd, Finished, Trainer
from engine.training.history import Curve, History
from ui.train.narrator import narrate

STEPS_PER_EPOCH = 50
NETWORK = Config(layers=dense_layers((4,))).make_network(np.random.default_rng(0))
STEPS = np.arange(1, 2_001)
FALLING, SLOWLY = 2.3 * STEPS**-0.3, 2.3 * STEPS**-0.15
EASY, HARD = "it is learning the easy part", "it is learning the harder images"


def made_up(losses, validation=(), noise=0.1, accuracy=None, health=(), **values):
    """A running training whose batches had these losses, with some noise, and its epochs these validation losses."""
    rng, curve, history = np.random.default_rng(0), Curve(("step", "epoch", "loss", "accuracy")), History(EpochEnd)
    for step, loss in enumerate(losses, 1):
        right = np.exp(-loss) if accuracy is None else accuracy
        curve.append(step, step / STEPS_PER_EPOCH, loss * np.exp(noise * rng.normal()), right)
    for epoch, loss in enumerate(validation, 1):
        training = float(np.mean(losses[(epoch - 1) * STEPS_PER_EPOCH : epoch * STEPS_PER_EPOCH]))
        history.append(EpochEnd(epoch, epoch * STEPS_PER_EPOCH, training, 0.5, loss, 0.5, 1.0, 1.0))
    before = Snapshot.before_start(Config(layers=dense_layers((4,)), epochs=100), NETWORK)
    running = {"state": JobState.RUNNING, "step": len(losses), "curve": curve.points(), "history": history}
    return replace(before, **running | {"health": health} | values)


def layer(problem):
    return LayerHealth(0, "Dense_1", 0.0, 0.0, problem, "")


@pytest.mark.parametrize(
    ("state", "step", "part"),
    [
        (JobState.READY, 0, "Nothing has been learned yet"),
        (JobState.QUEUED, 0, "waits until another training makes room"),
        (JobState.PAUSED, 0, "paused before its first step"),
        (JobState.PAUSED, 1_234, "paused after step 1,234"),
        (JobState.RUNNING, 0, "first steps"),
        (JobState.TESTING, 9, "being measured on the test images"),
        (JobState.FINISHED, 9, "All 100 epochs are done."),
        (JobState.STOPPED, 1_234, "stopped after step 1,234."),
        (JobState.DIVERGED, 9, "The loss grew beyond all numbers"),
        (JobState.FAILED, 9, "because of an error"),
    ],
)
def test_what_it_says_in_each_state(state, step, part):
    assert part in narrate(made_up([], state=state, step=step))


def test_the_result_belongs_to_the_sentence(snapshot):
    right = f": it reads {100 * snapshot.test.accuracy:.1f} % of the test images right."
    assert narrate(snapshot) == f"All 3 epochs are done{right}"
    early = replace(snapshot, end=Finished(9, 99, True, 2, 1.0, 1.0))
    assert narrate(early) == f"The validation loss no longer fell, so it went back to the network of epoch 2{right}"
    assert "too large" in narrate(replace(snapshot, state=JobState.DIVERGED, end=Diverged(1, 9, np.inf, 1.0)))


@pytest.mark.parametrize(
    ("snapshot", "part"),
    [
        (made_up(FALLING[:10]), "first steps"),
        (made_up(SLOWLY[:400]), EASY),
        (made_up(FALLING), HARD),
        (made_up(2.3 * STEPS[:40] ** -0.5, accuracy=0.8), EASY),  # in the first epoch, it is early to say more
        (made_up(2.3 * STEPS[:40] ** -0.5, accuracy=0.9), HARD),
        (made_up(FALLING, np.geomspace(1, 0.4, 40)), "Training and validation loss both fall"),
        (made_up(FALLING, [*np.geomspace(1, 0.4, 30), *[0.401] * 10]), "the validation loss does not"),
        (
            made_up(FALLING, [*np.geomspace(1, 0.4, 30), *np.geomspace(0.42, 0.5, 10)]),
            "Since epoch 30, the validation loss rose",
        ),
        (made_up(FALLING, [*np.geomspace(1, 0.4, 38), 0.5, 0.6]), "both fall"),  # two epochs may be chance
        (made_up([*FALLING[:50], *np.linspace(0.5, 0.6, 250)], np.linspace(0.5, 0.7, 6)), "Neither the training loss nor"),
        (made_up([2.3] * 300, noise=0.01), "still guesses"),
        (made_up([2.3] * 300, health=(layer(Problem.VANISHING),)), "Layer 1 (Dense_1) hardly learns"),
        (made_up([2.3] * 300, health=(layer(Problem.DEAD),)), "No gradient reaches layer 1 (Dense_1)"),
        (made_up(FALLING, health=(layer(Problem.VANISHING),), accuracy=0.95), HARD),  # it learns all the same
        (made_up([2.3] * 300, health=(layer(Problem.FROZEN),)), "still guesses"),
        (made_up([*FALLING[:100], *[0.5] * 900]), "it is on a plateau"),
        (made_up([*FALLING[:1_000], *np.geomspace(0.3, 0.9, 600)]), "rising again"),
        (made_up(np.geomspace(2.3, 10, 300)), "The learning rate is too large. The loss rose to"),
        (made_up([2.3, 1e5, *[2.4] * 100]), "The learning rate is too large. The loss rose to"),
        (made_up([1e5, *[2.4] * 100]), "still guesses"),  # before the first step, the rate is not the reason
        (made_up(FALLING, accuracy=0.999), "nearly all training images right"),
    ],
)
def test_what_it_says_of_a_history(snapshot, part):
    assert part in narrate(snapshot)


@pytest.mark.parametrize("noise", [0.05, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_sentence_does_not_flicker(noise, seed):
    rng = np.random.default_rng(seed)
    losses = 2.3 * np.concatenate([STEPS**-0.2, np.full(6_000, STEPS[-1] ** -0.2)])
    losses *= np.exp(noise * rng.normal(size=len(losses)))
    sentences = [narrate(made_up(losses[:step], noise=0)) for step in range(10, len(losses), 50)]
    assert sum(before != after for before, after in pairwise(sentences)) <= 5
    assert "first steps" in sentences[0]
    assert "on a plateau" in sentences[-1]
    assert any(EASY in sentence for sentence in sentences)


# Short trainings.


def sentences(every=10, images=600, data=make_digits, **settings):
    """What it says of a training, at every few steps."""
    trainer = Trainer.from_config(Config(**settings), data(images))
    observer, said = Observer(trainer.result), []
    while not trainer.is_over:
        trainer.keep_gradient = trainer.step % every == 0
        next(trainer, None)
        if trainer.keep_gradient and not trainer.is_over:
            observer.look(trainer, trainer.result)
            said.append(narrate(Snapshot.of(trainer, JobState.RUNNING, trainer.result, observer)))
    return list(dict.fromkeys(said)), sum(before != after for before, after in pairwise(said))


SMALL = {"layers": dense_layers((16,)), "batch_size": 20, "epochs": 20}


def test_a_training_that_learns():
    said, changes = sentences(**SMALL, validation_size=100)
    assert "first steps" in said[0]
    assert any(EASY in sentence for sentence in said)
    assert changes <= 6
    assert not any("too large" in sentence or "guesses:" in sentence for sentence in said)


def test_a_training_that_memorises_noise():
    said, _ = sentences(images=300, data=make_noise, **SMALL | {"layers": dense_layers((64,))}, validation_size=100)
    assert any("it is memorising" in sentence for sentence in said)


def test_a_training_that_is_much_too_slow():
    said, changes = sentences(**SMALL, optimizer="sgd", learning_rate=1e-6)
    assert "still guesses" in said[-1]
    assert changes <= 2


def test_a_training_whose_steps_are_too_large():
    said, changes = sentences(every=5, **SMALL | {"epochs": 5}, optimizer="sgd", learning_rate=10)
    assert any("too large" in sentence for sentence in said)
    assert changes <= 4


def test_a_network_that_cannot_learn_says_which_layer_is_the_reason():
    layers = dense_layers((16, 16), initializer="zeros")
    said, _ = sentences(**SMALL | {"layers": layers, "epochs": 5})
    assert any("All units of layer 1 have the same weights" in sentence for sentence in said)
    assert not any("learning rate" in sentence for sentence in said)


def test_vanishing_gradients_are_named_although_the_loss_moves():
    layers = dense_layers((16,) * 6, "sigmoid", "glorot_uniform")
    said, _ = sentences(**SMALL | {"layers": layers, "epochs": 10}, optimizer="sgd", learning_rate=0.2)
    assert any("Layer 1 (Dense) hardly learns" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("settings", "says", "never"),
    [
        ({"l1": 1.0, "learning_rate": 0.1}, "The L1 penalty is too large", "learning rate is too large"),
        ({"weight_decay": 1.0, "learning_rate": 2.5}, "clipping cannot help", "use gradient clipping"),
    ],
    ids=["L1", "decay times rate"],
)
def test_a_penalty_that_is_too_large_is_named(settings, says, never):
    said, _ = sentences(every=2, **SMALL | {"epochs": 4, "optimizer": "sgd"} | settings)
    assert any(says in sentence for sentence in said)
    assert not any(never in sentence for sentence in said[1:])
