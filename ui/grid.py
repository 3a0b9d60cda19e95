"""The grid: another surface to draw on, cell by cell, for those who draw with keys."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import streamlit as st

from engine.pen import CANVAS, PEN, draw_dots
from engine.preprocessing import SIDE
from ui import canvas, kept, session

KEY, CHOSEN = "grid", "draw with keys"
CELL = CANVAS / SIDE  # pixels of the canvas
LATER = ((0, 1), (1, -1), (1, 0), (1, 1))  # the neighbours of a cell that come after it, in rows and columns
HTML = f"""
<div class="inkling-grid" tabindex="0" role="application" aria-roledescription="drawing grid" aria-describedby="grid-keys"
  aria-label="A grid of {SIDE} by {SIDE} cells to draw a digit on">
  <canvas width="{2 * CANVAS}" height="{2 * CANVAS}" aria-hidden="true"></canvas>
</div>
<p id="grid-keys" class="inkling-note"><b>Arrows</b> move, <b>Shift</b> with them draws. <b>Space</b> draws or erases a cell.
<b>Delete</b> clears, <b>Ctrl+Z</b> undoes. Mouse and finger draw too.</p>
<button class="inkling-grid-undo">Undo</button> <button class="inkling-grid-clear">Clear the grid</button>
<p class="inkling-grid-said" role="status"></p>
"""


@dataclass
class Cells:
    """``cells`` are the numbers of those with ink, row by row; ``given`` is what the grid was last told to show."""

    cells: list = field(default_factory=list)
    given: dict = field(default_factory=lambda: {"cells": [], "revision": 0})

    pending = ()  # as of a ``Drawing``: a cell takes no time

    def show(self):
        """Have a grid that has come anew show them; it acts on a new revision only."""
        self.given = {"cells": self.cells, "revision": self.given["revision"] + 1}

    def receive(self, cells):
        """Take over what the grid says."""
        self.cells = sorted(set(range(SIDE * SIDE)).intersection(cells))

    def image(self):
        """A line of the canvas's pen through them, (280, 280) uint8, white on black; None where there are none."""
        return _line(tuple(self.cells)) if self.cells else None


@lru_cache(maxsize=8)
def _line(cells):
    places = [divmod(cell, SIDE) for cell in cells]
    inked = set(places)
    between = [
        (row + down / 2, column + right / 2)
        for row, column in places
        for down, right in LATER
        if (row + down, column + right) in inked
    ]
    points = (np.array(places + between, float)[:, ::-1] + 0.5) * CELL
    return draw_dots(points[None], np.full((1, len(points)), PEN / 2), CANVAS)[0]


def current():
    """This session's cells."""
    return st.session_state.setdefault("cells", Cells())


def chosen():
    """Whether the visitor draws on the grid, not on the canvas."""
    return kept.value(CHOSEN, False)


def drawn():
    """The drawing on the surface in use, whose ``image()`` is what to read."""
    return current() if chosen() else canvas.current()


def switch():
    """What chooses the grid."""
    st.toggle(
        "Draw with keys",
        key=kept.key(CHOSEN, False),
        on_change=session.surface_changed,
        help="A grid of 28 x 28 cells in place of the canvas, for the keyboard.",
    )


def leave():
    """Go back to the canvas, within a callback."""
    if chosen():
        kept.put(CHOSEN, False)
        session.surface_changed()


def grid():
    """Show the grid, and take over what it says."""
    cells = current()
    if session.page_switched():
        cells.show()
    data = {"side": SIDE, "size": CANVAS, "pen": PEN, **cells.given}
    result = _grid()(data=data, key=KEY, default={"cells": cells.cells}, on_cells_change=lambda: None)
    cells.receive(result.cells)


@st.cache_resource(show_spinner=False)
def _grid():
    js = Path(__file__).with_name("grid.js").read_text()
    return st.components.v2.component("inkling_grid", html=HTML, js=js, isolate_styles=False)
