"""Codes cannot be guessed: after a few wrong ones a session has to wait, longer each time, and so has a whole server."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from engine import InklingError
from ui.translation import _

FREE = 3  # wrong codes of a session before its first pause
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0  # seconds; each pause is twice as long as the one before
MAX_A_MINUTE = 200  # wrong codes of all sessions: so, to find one of 100 open codes takes a year


@dataclass
class OwnGuesses:
    """The wrong codes of one session."""

    wrong: int = 0
    until: float = 0.0  # when the pause ends


class Guesses:
    """The wrong codes of the last minute, of all sessions of this server."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._recent: deque[float] = deque()

    @contextmanager
    def attempt(self, own: OwnGuesses) -> Iterator[Callable[[], None]]:
        """A guess, wrong unless the function that this gives is called; raises ``InklingError`` in a pause."""
        with self._lock:  # it counts at once, so that many at the same time are not free
            now = self._clock()
            while self._recent and self._recent[0] <= now - 60:
                self._recent.popleft()
            of_server = self._recent[0] + 60 - now if len(self._recent) >= MAX_A_MINUTE else 0
            wait = max(own.until - now, of_server)
            if wait > 0:
                text = _("too many wrong codes were tried: wait {seconds} seconds, then try again")
                raise InklingError(text.format(seconds=math.ceil(wait)))
            self._recent.append(now)
            own.wrong += 1
            if own.wrong >= FREE:
                own.until = now + min(FIRST_PAUSE * 2 ** min(own.wrong - FREE, 10), LONGEST_PAUSE)
        before = own.wrong - 1

        def is_right() -> None:
            with self._lock:
                own.wrong, own.until = before, 0.0
                if now in self._recent:
                    self._recent.remove(now)

        yield is_right


ALL = Guesses()
