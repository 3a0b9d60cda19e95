"""What can be asked of a drawing: one tab for each question, of which only the open one is computed."""

import streamlit as st

from ui import kept, number
from ui.inside import inside
from ui.number import number_panel
from ui.seeing import seeing
from ui.session import seen
from ui.side_by_side import side_by_side
from ui.why import why

PANELS = {
    "What it sees": seeing,
    "Why": why,
    "Inside": inside,
    "Side by side": side_by_side,
    "Number": number_panel,
}
CONTROLLED = (seeing, why)  # their controls stay without a drawing: taken away, they would come back as they were at first
EMPTY = (
    '<div class="inkling-empty"><p>Draw a digit above: here you then see what the network makes of it, and why.</p></div>'
)


@st.fragment(key="panels")
def panels(network, drawing):
    """All of them, for what is on the ``drawing`` when this part of the page runs."""
    kept.note()
    image = drawing.image()
    blank = network is None or seen(image) is None
    st.html(f'<p class="inkling-hint">{"" if blank else number.hint(network, image)}</p>')
    tabs = st.tabs(list(PANELS), key=kept.key("asked of the drawing", next(iter(PANELS))), on_change="rerun")
    for tab, panel in zip(tabs, PANELS.values(), strict=True):
        if tab.open:
            with tab:
                if not blank or panel in CONTROLLED:
                    panel(network, None if blank else image)
                if blank:
                    st.html(EMPTY)
