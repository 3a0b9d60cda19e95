"""The Draw page: a canvas, and what a network makes of it after each stroke."""

from pathlib import Path

import streamlit as st

from engine.calibration import threshold
from engine.pen import PEN
from ui import canvas, grid, session, ways_in
from ui.answer import answer
from ui.panels import panels

TRAIN = Path(__file__).with_name("train.py")


def page():
    st.title("Draw a digit", anchor=False)
    for problem in session.shipped_networks()[1]:
        st.warning(problem)
    drawing_and_answer()
    st.page_link(TRAIN, label="Train a network of your own", icon=":material/arrow_forward:")


@st.fragment
def drawing_and_answer():
    """Only this part runs again after a stroke."""
    with st.container(horizontal=True, gap="large"):
        with st.container(width=280):
            if grid.chosen():
                grid.grid()
            else:
                surface()
            ways_in.ways_in(grid.drawn())
        panel = st.container(width="stretch")
    with st.container(horizontal=True, gap="large"):  # last, so that on a phone the answer stands right below the canvas
        st.slider(
            "Pen width", 8, 32, key=session.kept("pen width", PEN), width=280, help="In pixels of the 280 x 280 canvas."
        )
        network = choose()
        grid.switch()
    drawing = grid.drawn()
    with panel:
        st.html(reading(network, drawing.image()))
    ways_in.samples()
    panels(network, drawing)


def surface():
    """The canvas with its buttons."""
    drawing = canvas.drawing_canvas(st.session_state[session.kept("pen width", PEN)])
    blank = not drawing.objects
    with st.container(horizontal=True):
        st.button("Undo", icon=":material/undo:", on_click=undo, args=(drawing,), disabled=blank, width="stretch")
        st.button("Clear", icon=":material/delete:", on_click=clear, args=(drawing,), disabled=blank, width="stretch")


def undo(drawing):
    drawing.show(drawing.objects[:-1])


def clear(drawing):
    drawing.show([])


def choose():
    """The network to read with; the choice is kept while the page is away, and the Train page can make it."""
    networks = session.networks()
    if not networks:
        st.info("There is no network to read a drawing yet: train one on the Train page.")
        return None
    names = list(networks)
    key = session.kept("network", names[0])
    if st.session_state[key] not in names:
        st.session_state[key] = names[0]
    name = st.selectbox(
        "Network", names, format_func=lambda name: networks[name][1], key=key, help="Shipped, or trained in this session."
    )
    return networks[name][0]


def reading(network, image):
    """The answer panel for an image of the canvas, or for an empty canvas."""
    seen = session.seen(image)
    if network is None or seen is None:
        return answer()
    return answer(network.predict_proba(seen[None])[0], seen, threshold(network))


page()
