"""``Drawing``: what is drawn in this session, which the canvas, its companion and the buttons change.

The canvas reports all of its strokes, but only 200 ms after a stroke has ended. Until then its companion sends the strokes
that began since Python last set the canvas, numbered from 1, as they grow; the canvas's report then replaces them. The
companion also says which strokes the canvas has wrong, because something came in between; then Python sets the canvas.
Setting the canvas starts a new revision. What belongs to an earlier revision is ignored, so that old ink never returns.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from PIL import Image

from ui.draw import strokes
from ui.draw.strokes import MAX_OBJECTS, Objects

MAX_UNDO_STEPS = 200
MAX_PRESSES = 200  # of Undo, Redo and Clear at a time
MAX_STORED_OBJECTS = 5_000
MAX_STORED_BYTES = 3_500_000
BYTES_PER_COMMAND, BYTES_PER_POSITION = 100, 6  # of a path and of a step as JSON, at most


@dataclass
class Drawing:
    """The strokes and pictures on the canvas, and their history."""

    objects: Objects = field(default_factory=list)  # reported by the canvas, or set by Python
    live_strokes: Objects = field(default_factory=list)  # of the companion's last message
    canvas_content: dict[str, Any] = field(default_factory=lambda: {"objects": [], "revision": 0})  # as Python last set it
    past: list[Objects] = field(default_factory=list)  # for Undo
    future: list[Objects] = field(default_factory=list)  # for Redo
    last_report: object = None
    num_begun: int = 0  # strokes begun in this revision, as far as the companion knows
    canvas_is_set: bool = False  # whether the canvas is known to show this revision
    sequence: int = 0  # number of the companion's last message
    num_presses: int = 0  # of Undo, Redo and Clear that were done
    token: str = field(default_factory=lambda: uuid4().hex)  # says which drawing a press is for
    content: tuple[Objects, Objects] = ([], [])  # as it was stored last
    rendered: tuple[Objects | None, npt.NDArray[np.uint8] | None] = (None, None)  # a list of objects, and its image

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The drawing that ``to_json`` wrote, without what is wrong or too much; an empty one for anything else."""
        drawing = cls()
        with suppress(AttributeError, IndexError, KeyError, TypeError, RecursionError):
            objects = value["objects"][:MAX_STORED_OBJECTS]
            checked = dict(enumerate(map(strokes.valid_objects, ([shape] for shape in objects))))
            past, now, future = (
                [
                    [shape for position in step[:MAX_OBJECTS] for shape in checked[position]]
                    for step in value[name][-MAX_UNDO_STEPS:]
                ]
                for name in ("past", "now", "future")
            )
            drawing.past, drawing.future = past, future
            drawing.objects = strokes.valid_objects(now[0])
            drawing.show_again()
            drawing.has_changed()
        return drawing

    def to_json(self) -> dict[str, Any]:
        """Everything that is drawn, with as much of its history as there is room for in the store.

        Each object is written once, and the steps as the objects' positions.
        """
        positions: dict[int, int] = {}
        objects: Objects = []

        def numbered(step: Objects) -> list[int]:
            for shape in step:
                if id(shape) not in positions:
                    positions[id(shape)] = len(objects)
                    objects.append(shape)
            return [positions[id(shape)] for shape in step]

        def num_bytes(step: Objects) -> int:
            new = [shape for shape in step if id(shape) not in positions]
            texts = sum(len(shape["src"]) for shape in new if isinstance(shape.get("src"), str))
            commands = sum(len(shape["path"]) for shape in new if isinstance(shape.get("path"), list))
            return texts + BYTES_PER_COMMAND * commands + BYTES_PER_POSITION * len(step)

        reported, now = len(self.objects), self.objects + self.pending  # named, so that no object's id is used again
        past = [*self.past, *(now[:count] for count in range(reported, len(now)))]
        future = [] if len(now) > reported else [*self.future]
        size, steps = num_bytes(now), {"now": [numbered(now)], "past": [], "future": []}
        for name, history in {"past": past, "future": future}.items():
            for step in reversed(history):  # the newest first
                size += num_bytes(step)
                if size > MAX_STORED_BYTES:
                    break
                steps[name].insert(0, numbered(step))
        return steps | {"objects": objects}

    def has_changed(self) -> bool:
        """Whether anything was drawn, undone or cleared since the last call, or since it was read from the store."""
        before, self.content = self.content, (self.objects, self.live_strokes)
        return before != self.content

    @property
    def revision(self) -> int:
        return self.canvas_content["revision"]

    @property
    def num_reported(self) -> int:
        """How many strokes of this revision the canvas has reported."""
        return len(self.objects) - len(self.canvas_content["objects"])

    @property
    def pending(self) -> Objects:
        """The strokes that only the companion knows so far."""
        return [strokes.make_path(*_line(stroke)) for stroke in self.live_strokes if stroke["number"] > self.num_reported]

    def take_report(self, report: object) -> None:
        """Take over a report of the canvas, unless it repeats the last one or belongs to an earlier revision.

        A report of this revision has all the objects that the canvas was set to, and no more strokes than were begun since.
        What is wrong or too much in a report is ignored.
        """
        if not isinstance(report, dict) or not isinstance(report.get("objects", []), list):
            return
        with suppress(RecursionError):  # of lists nested hundreds of levels deep
            if report == self.last_report:
                return
        self.last_report = report
        objects = strokes.valid_objects(report.get("objects", []))
        no_companion = self.sequence == 0  # then revisions cannot be told apart; the canvas's next report puts it right
        if self.canvas_is_set or no_companion or 0 <= len(objects) - len(self.canvas_content["objects"]) <= self.num_begun:
            self.canvas_is_set = True
            self._add(objects)

    def take_message(self, message: object) -> None:
        """Take over a message of the companion: the strokes of its revision that the canvas had not reported.

        What is wrong or too much in a message is ignored.
        """
        if not isinstance(message, dict) or not strokes.is_count(message.get("sequence")):
            return
        self.sequence = message["sequence"]
        begun = message.get("begun")
        if message.get("revision") == self.revision and strokes.is_count(begun):
            self.live_strokes, self.num_begun = strokes.valid_live_strokes(message.get("strokes")), begun
            if wrong := strokes.valid_numbers(message.get("wrong")):
                self._put_right(wrong)

    @property
    def possible_actions(self) -> dict[str, bool]:
        """Undo, Redo and Clear, and whether each would change anything."""
        pending = bool(self.pending)
        return {"undo": pending or bool(self.past), "redo": bool(self.future), "clear": pending or bool(self.objects)}

    def take_presses(self, message: object) -> None:
        """Do what was pressed on this ``drawing`` since the last call: a ``list`` of numbers from 1 and names of actions.

        The browser may send the presses of an earlier session once more; these, and what is wrong, are ignored.
        """
        if not isinstance(message, dict) or message.get("drawing") != self.token:
            return
        actions = {"undo": self.undo, "redo": self.redo, "clear": self.clear}
        presses = message.get("list")
        for press in presses[-MAX_PRESSES:] if isinstance(presses, list) else []:
            match press:
                case [number, str(action)] if action in actions and strokes.is_count(number) and number > self.num_presses:
                    self.num_presses = number
                    actions[action]()

    def show_again(self) -> None:
        """Set a canvas that is mounted anew to everything that is drawn."""
        self._add_pending()
        self._set_canvas(self.objects)

    def undo(self) -> None:
        self._add_pending()
        if self.past:
            self.future.append(self.objects)
            self._set_canvas(self.past.pop())

    def redo(self) -> None:
        self._add_pending()
        if self.future:
            self.past.append(self.objects)
            self._set_canvas(self.future.pop())

    def clear(self) -> None:
        self._replace([])

    def begin(self) -> None:
        """Begin another drawing: an empty canvas without a history."""
        self._replace([])
        self.past, self.future = [], []

    def replace(self, objects: Objects) -> None:
        """Replace everything by these strokes and pictures, as one step for Undo."""
        self._replace(objects)

    def replace_with_picture(self, picture: Image.Image | npt.NDArray[np.uint8]) -> None:
        """Replace everything by the ink of a picture; raises ``BlankDrawing`` if it has none."""
        self._replace([strokes.make_picture(picture)])

    def image(self) -> npt.NDArray[np.uint8] | None:
        """Everything that is drawn, (280, 280), white on black; None if nothing is."""
        pending = self.pending
        if not self.objects and not pending:
            return None
        if self.rendered[0] is not self.objects:  # a growing stroke is drawn over the image of the others
            self.rendered = self.objects, strokes.render(self.objects)
        return strokes.render(pending, self.rendered[1])

    def _put_right(self, wrong: set[int]) -> None:
        """Set the canvas to what the companion saw: of these strokes it has another version, or one that was taken back."""
        pending, first = self.pending, len(self.canvas_content["objects"])
        seen = {stroke["number"]: strokes.make_path(*_line(stroke)) for stroke in self.live_strokes}
        right = {id(shape): seen.get(number) for number, shape in enumerate(self.objects[first:], 1) if number in wrong}
        corrected = [[right.get(id(shape), shape) for shape in step] for step in [*self.past, self.objects]]
        steps = [[shape for shape in step if shape is not None] for step in corrected]
        self.past = [step for step, after in pairwise(steps) if step != after]
        self.objects = steps[-1]
        self._add(self.objects + pending)
        self._set_canvas(self.objects)

    def _add_pending(self) -> None:
        self._add(self.objects + self.pending)

    def _add(self, objects: Objects) -> None:
        """Make these the drawing's objects; each new one is a step of its own for Undo."""
        pairs = zip(self.objects, objects, strict=False)  # the history shares equal objects
        objects = [old if old == new else new for old, new in pairs] + objects[len(self.objects) :]
        steps = [objects[:count] for count in range(len(self.objects), len(objects))]
        if len(objects) < len(self.objects):  # by the canvas's own toolbar, if the companion could not hide it
            steps = [self.objects]
        if steps:
            self._remember(steps)
        self.objects = objects

    def _replace(self, objects: Objects) -> None:
        self._add_pending()
        if self.objects or objects:
            self._remember([self.objects])
            self._set_canvas(objects)

    def _remember(self, steps: list[Objects]) -> None:
        """Add steps for Undo. What could be redone is dropped."""
        self.past = (self.past + steps)[-MAX_UNDO_STEPS:]
        self.future = []

    def _set_canvas(self, objects: Objects) -> None:
        """Have the canvas show these objects, as a new revision: it ignores a revision that it already has."""
        self.objects, self.live_strokes, self.num_begun, self.canvas_is_set = objects, [], 0, False
        self.canvas_content = {"objects": objects, "revision": self.revision + 1}


def _line(stroke: dict[str, Any]) -> tuple[Any, Any, Any]:
    return stroke["points"], stroke["width"], stroke["colour"]
