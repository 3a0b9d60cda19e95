"""Undo, Redo and Clear: buttons of our own, of which no press is lost."""

from ui.components import make_component
from ui.current_drawing import HISTORY
from ui.draw.drawing import Drawing
from ui.translation import N_, _

HTML = '<div class="inkling-history" role="group"></div>'
TEXTS = {"undo": N_("Undo"), "redo": N_("Redo"), "clear": N_("Clear")}


def show_history(drawing: Drawing) -> None:
    """Show the buttons; ``ui.current_drawing`` passes the presses on to the drawing."""
    possible = [action for action, is_possible in drawing.possible_actions.items() if is_possible]
    data = {
        "drawing": drawing.token,
        "pressed": drawing.num_presses,
        "possible": possible,
        "texts": {action: _(text) for action, text in TEXTS.items()},
    }
    history = make_component("history", HTML)
    history(data=data, key=HISTORY, default={"presses": None}, width="content", on_presses_change=lambda: None)
