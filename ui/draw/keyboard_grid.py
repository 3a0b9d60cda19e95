"""A grid of 28 x 28 cells to draw on with the keyboard, in place of the canvas."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine.pen import CANVAS, PEN, draw_dots
from engine.preprocessing import SIDE
from ui import state
from ui.components import make_component
from ui.current_drawing import DRAW_WITH_KEYS, update_drawing
from ui.state import session
from ui.translation import _
from ui.visitor import workspace

KEY = "grid"
CELL = CANVAS / SIDE  # pixels of the canvas
MIN_SHARE = 0.06  # of a cell that is the middle of a line
MAX_REPORT = 10 * SIDE * SIDE  # entries of a report that are looked at
NEXT_NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))  # the neighbours of a cell that come after it: rows and columns
HTML = """
<div class="inkling-grid" tabindex="0" role="application" aria-roledescription="{role}" aria-describedby="grid-keys"
  aria-label="{label}">
  <canvas width="{pixels}" height="{pixels}" aria-hidden="true"></canvas>
</div>
<p id="grid-keys" class="inkling-note">{keys}</p>
<button class="inkling-grid-undo">{undo}</button> <button class="inkling-grid-clear">{clear}</button>
<p class="inkling-grid-status" role="status"></p>
"""


@dataclass
class Cells:
    """What is drawn on the grid: the numbers of the ``cells`` with ink, counted row by row."""

    cells: list[int] = field(default_factory=list)
    content: list[int] = field(default_factory=list)  # as it was stored last
    grid_content: dict[str, Any] = field(default_factory=lambda: {"cells": [], "revision": 0})  # as Python last set it

    pending = ()  # the grid reports a cell at once; a ``Drawing`` has strokes that are not reported yet

    def show_again(self) -> None:
        """Set a grid that is mounted anew to everything that is drawn; it acts on a new revision only."""
        self.grid_content = {"cells": self.cells, "revision": self.grid_content["revision"] + 1}

    def take_report(self, cells: object) -> None:
        """Take over the cells that the grid reports; anything else in the report is ignored."""
        if isinstance(cells, list | tuple | range):
            self.cells = sorted({cell for cell in cells[:MAX_REPORT] if type(cell) is int and 0 <= cell < SIDE * SIDE})

    def has_changed(self) -> bool:
        """Whether cells were drawn or erased since the last call, or since they were read from the store."""
        before, self.content = self.content, self.cells
        return before != self.content

    def to_json(self) -> list[int]:
        return self.cells

    def image(self) -> npt.NDArray[np.uint8] | None:
        """A pen's line through the cells, (280, 280), white on black; None if there are no cells."""
        return _line(tuple(self.cells)) if self.cells else None


@lru_cache(maxsize=8)
def _line(cells: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    places = [divmod(cell, SIDE) for cell in cells]
    inked = set(places)
    between = [
        (row + down / 2, column + right / 2)
        for row, column in places
        for down, right in NEXT_NEIGHBOURS
        if (row + down, column + right) in inked
    ]
    points = (np.array(places + between, float)[:, ::-1] + 0.5) * CELL
    return draw_dots(points[None], np.full((1, len(points)), PEN / 2), CANVAS)[0]


def is_on() -> bool:
    """Whether the visitor draws on the grid instead of the canvas."""
    return state.value(DRAW_WITH_KEYS, False)


def current_cells() -> Cells:
    """What is drawn on this session's grid."""
    if session().cells is None:
        session().cells = cells = Cells()
        cells.take_report(workspace().value("cells"))
        cells.show_again()
        cells.has_changed()
    return session().cells  # pyright: ignore[reportReturnType]


def switch() -> None:
    """Show the switch between the canvas and the grid."""
    st.toggle(
        _("Draw with keys"),
        **state.keep(DRAW_WITH_KEYS, False),
        on_change=_surface_changed,
        help=_("Shows a grid of 28 x 28 cells, to draw with the keyboard."),
    )


def turn_off() -> None:
    """Return to the canvas; to be called in a callback."""
    if is_on():
        state.set_value(DRAW_WITH_KEYS, False)
        _surface_changed()


def _surface_changed() -> None:
    session().surface_changed = True
    if is_on() and not current_cells().cells:  # what is on the canvas does not vanish
        update_drawing()
        drawing = session().drawing
        if drawing and (image := drawing.image()) is not None:
            current_cells().take_report(cells_of(image))


def cells_of(image: npt.NDArray[np.uint8]) -> list[int]:
    """The cells under the middle of the lines of an image (280, 280): the pen's line through these looks like it."""
    from scipy import ndimage  # slow to import

    depth = np.asarray(ndimage.distance_transform_edt(image > 127))
    is_middle = np.zeros(depth.shape, bool)
    for step in ((0, 3), (3, 0), (2, 2), (2, -2)):  # pixels across the line: on both sides the edge is nearer
        sides = (np.roll(depth, sign * np.array(step), (0, 1)) for sign in (1, -1))
        is_middle |= depth >= np.maximum(*sides) + 1
    share = is_middle.reshape(SIDE, int(CELL), SIDE, int(CELL)).mean(axis=(1, 3))
    return np.flatnonzero(share >= MIN_SHARE).tolist()


def show_grid() -> None:
    """Show the grid with the current cells, and take over what it reports."""
    cells = current_cells()
    texts = {
        "place": _("row {row}, column {column}"),
        "place_with_ink": _("row {row}, column {column}, ink"),
        "ink": _("ink"),
        "no_ink": _("no ink"),
    }
    data = {"side": SIDE, "size": CANVAS, "pen": PEN, "texts": texts, **cells.grid_content}
    html = HTML.format(
        role=_("drawing grid"),
        label=_("A grid of {side} by {side} cells to draw a digit on").format(side=SIDE),
        pixels=2 * CANVAS,
        keys=_(
            "<b>Arrow keys</b> move; hold <b>Shift</b> to draw. <b>Space</b> draws or erases a cell, <b>Delete</b> clears, "
            "<b>Ctrl+Z</b> undoes. You can also use the mouse or a finger."
        ),
        undo=_("Undo"),
        clear=_("Clear the grid"),
    )
    grid = make_component("grid", html)
    result = grid(data=data, key=KEY, default={"cells": cells.cells}, on_cells_change=lambda: None)
    cells.take_report(result.cells)
