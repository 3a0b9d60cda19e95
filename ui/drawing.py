"""What is drawn in this session: the one truth, which the canvas, its companion and the buttons change.

The canvas reports all of its strokes, but only 200 ms after one has ended. Until then the companion tells of those that were
begun since the canvas was last told what to show, by number, as they grow; a report then takes their place. What the canvas
is told to show is counted in revisions, and what belongs to an earlier one is not listened to: old ink never comes back.
"""

from dataclasses import dataclass, field

import numpy as np

from ui import strokes

MOST = 200  # steps that can be undone


@dataclass
class Drawing:
    """``objects`` are the strokes and pictures that have settled, ``told`` the strokes that the companion tells of,
    ``given`` what the canvas was last told to show, ``past`` and ``future`` lists of objects for Undo and Redo."""

    objects: list = field(default_factory=list)
    told: list = field(default_factory=list)
    given: dict = field(default_factory=lambda: {"objects": [], "revision": 0})
    past: list = field(default_factory=list)
    future: list = field(default_factory=list)
    reported: dict | None = None
    begun: int = 0  # strokes since ``given``, as far as the companion knows
    heard: bool = False  # whether the canvas has heard of ``given``
    sequence: int = 0  # of what the companion said last
    drawn: tuple[list | None, np.ndarray | None] = (None, None)  # objects, and their image

    @property
    def revision(self):
        return self.given["revision"]

    @property
    def settled(self):
        """How many strokes the canvas has reported since it was told what to show."""
        return len(self.objects) - len(self.given["objects"])

    @property
    def pending(self):
        """The strokes that only the companion knows as yet."""
        return [
            strokes.path(stroke["points"], stroke["width"], stroke["colour"])
            for stroke in self.told
            if stroke["number"] > self.settled
        ]

    def receive(self, report):
        """Take over what the canvas says, unless it has said so before, or cannot have heard yet what it is to show: then
        there is more or less than was given and, by the companion, begun."""
        if report is None or report == self.reported:
            return
        self.reported = report
        objects = report.get("objects", [])
        silent = self.sequence == 0  # without a companion there is no telling; what the canvas says next puts it right
        if self.heard or silent or 0 <= len(objects) - len(self.given["objects"]) <= self.begun:
            self.heard = True
            self._settle(objects)

    def follow(self, message):
        """Take over what the companion says of the strokes since the canvas was told what to show."""
        if message is None:
            return
        self.sequence = message["sequence"]
        if message["revision"] == self.revision:
            self.told, self.begun = message["strokes"], message["begun"]

    def show(self):
        """Have the canvas show all of this, as when it is mounted anew."""
        self._settle(self.objects + self.pending)
        self._give(self.objects)

    def undo(self):
        self._settle(self.objects + self.pending)
        if self.past:
            self.future.append(self.objects)
            self._give(self.past.pop())

    def redo(self):
        self._settle(self.objects + self.pending)
        if self.future:
            self.past.append(self.objects)
            self._give(self.future.pop())

    def clear(self):
        self._replace([])

    def bring(self, picture):
        """Put the ink of a picture, as ``engine.prepare`` takes them, in the place of all that is drawn; raises
        ``BlankDrawing`` where it has none."""
        self._replace([strokes.picture(picture)])

    def image(self):
        """All of it as an image (280, 280) uint8, white on black; None where nothing was drawn."""
        pending = self.pending
        if not self.objects and not pending:
            return None
        if self.drawn[0] is not self.objects:  # a stroke under way is drawn onto the image of the others
            self.drawn = self.objects, strokes.draw(self.objects)
        return strokes.draw(pending, self.drawn[1])

    def _settle(self, objects):
        """Take these for what is drawn; each new one can be undone by itself."""
        known = zip(self.objects, objects, strict=False)  # not another copy of each in every step of the history
        objects = [old if old == new else new for old, new in known] + objects[len(self.objects) :]
        steps = [objects[:count] for count in range(len(self.objects), len(objects))]
        if len(objects) < len(self.objects):  # by the canvas's own toolbar, where the companion could not hide it
            steps = [self.objects]
        if steps:
            self._remember(steps)
        self.objects = objects

    def _replace(self, objects):
        self._settle(self.objects + self.pending)
        if self.objects or objects:
            self._remember([self.objects])
            self._give(objects)

    def _remember(self, steps):
        """Have Undo lead back through these; what was undone before is gone."""
        self.past = (self.past + steps)[-MOST:]
        self.future = []

    def _give(self, objects):
        """Have the canvas show these objects; it acts on a new revision only."""
        self.objects, self.told, self.begun, self.heard = objects, [], 0, False
        self.given = {"objects": objects, "revision": self.revision + 1}
