"""Codes cannot be guessed."""

import pytest

from engine import InklingError
from ui.class_collection.guesses import FREE, LONGEST_PAUSE, MAX_A_MINUTE, Guesses, OwnGuesses


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def guesses(clock):
    return Guesses(clock)


def guess(guesses, own, is_right=False):
    with guesses.attempt(own) as say_right:
        if is_right:
            say_right()


def test_a_session_waits_longer_after_each_wrong_code(guesses, clock):
    own, waits = OwnGuesses(), []
    for _ in range(FREE):
        guess(guesses, own)
    for _ in range(12):
        with pytest.raises(InklingError, match=r"^too many wrong codes were tried: wait \d+ seconds, then try again$"):
            guess(guesses, own)
        waits.append(own.until - clock.now)
        clock.now = own.until
        guess(guesses, own)
    assert waits[:3] == [5, 10, 20]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_PAUSE
    guess(guesses, OwnGuesses())  # others need not wait


def test_a_right_code_costs_nothing_and_pays_for_no_wrong_one(guesses, clock):
    own = OwnGuesses()
    for _ in range(100):
        guess(guesses, own, is_right=True)
    for _ in range(FREE):
        guess(guesses, own, is_right=True)
        guess(guesses, own)
    with pytest.raises(InklingError, match="wait 5 seconds"):
        guess(guesses, own, is_right=True)


def test_new_sessions_do_not_help(guesses, clock):
    for _ in range(MAX_A_MINUTE):
        guess(guesses, OwnGuesses())
    with pytest.raises(InklingError, match="wait 60 seconds"):
        guess(guesses, OwnGuesses(), is_right=True)
    clock.now += 60
    guess(guesses, OwnGuesses())
