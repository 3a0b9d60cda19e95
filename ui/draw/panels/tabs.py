"""The panels below the canvas: a tab for each question about the drawing, of which only the open one is computed."""

import streamlit as st

from engine import Network
from ui import state
from ui.current_drawing import current_image
from ui.draw.panels import activations, attribution, comparison, drawing_map, numbers, preprocessing
from ui.draw.prediction import answer
from ui.translation import N_, _

PANELS = {
    N_("What it sees"): preprocessing.show,
    N_("Why"): attribution.show,
    N_("Inside"): activations.show,
    N_("Map"): drawing_map.show,
    N_("Side by side"): comparison.show,
    N_("Number"): numbers.show,
}
WITH_CONTROLS = (preprocessing.show, attribution.show, drawing_map.show)  # which are shown without a drawing, too
KEY = "draw panel"


@st.fragment(key="panels")
def show_panels(network: Network | None) -> None:
    """Show the tabs, and the panel of the open one, for the current drawing; of several digits for the last one."""
    drawing = current_image()
    reply = answer(network, drawing) if network else None
    for tab, show in zip(state.tabs(list(PANELS), KEY), PANELS.values(), strict=True):
        if not tab.open:
            continue
        with tab:
            image = drawing if show is numbers.show else reply and reply.image
            if reply is None:
                image = None
            elif reply.is_number and show is not numbers.show:
                text = _("Of the {count} digits, this is about the last one. “Number” shows each.")
                st.caption(text.format(count=len(reply.predictions)))
            if image is not None or show in WITH_CONTROLS:
                show(network, image)
            if image is None and show is not drawing_map.show:
                with st.container(border=True, height=300, horizontal_alignment="center", vertical_alignment="center"):
                    st.markdown(_("Draw a digit above to see how the network reads it, and why."), text_alignment="center")


def open_panel(name: str) -> None:
    """Have this panel open; to be called in a callback."""
    state.open_tab(name, KEY)
