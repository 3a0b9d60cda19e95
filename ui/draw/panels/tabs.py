"""The panels below the canvas: a tab for each question about the drawing, of which only the open one is computed."""

import streamlit as st

from engine import Network
from ui import state
from ui.current_drawing import current_image, network_input
from ui.draw.panels import activations, attribution, comparison, numbers, preprocessing

PANELS = {
    "What it sees": preprocessing.show,
    "Why": attribution.show,
    "Inside": activations.show,
    "Side by side": comparison.show,
    "Number": numbers.show,
}
WITH_CONTROLS = (preprocessing.show, attribution.show)  # their controls are shown without a drawing, too
KEY = "draw panel"


@st.fragment(key="panels")
def show_panels(network: Network | None) -> None:
    """Show the tabs, and the panel of the open one, for the current drawing."""
    image = current_image()
    if network is None or network_input(image) is None:
        image = None
    st.html(f'<p class="inkling-hint">{numbers.hint(network, image) if network and image is not None else ""}</p>')
    for tab, show in zip(state.tabs(list(PANELS), KEY), PANELS.values(), strict=True):
        if tab.open:
            with tab:
                if image is not None or show in WITH_CONTROLS:
                    show(network, image)
                if image is None:
                    with st.container(border=True, height=300, horizontal_alignment="center", vertical_alignment="center"):
                        st.markdown("Draw a digit above to see how the network reads it, and why.", text_alignment="center")
