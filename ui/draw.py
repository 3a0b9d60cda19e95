"""The Draw page: a canvas, and what a network makes of it while one draws."""

from pathlib import Path

import streamlit as st

import engine
from engine.calibration import threshold
from engine.pen import PEN
from ui import canvas, session
from ui.answer import answer, show, spoken
from ui.drawing import Drawing

TRAIN = Path(__file__).with_name("train.py")
TOOLS = {"Pen": ":material/edit: Pen", "Eraser": ":material/ink_eraser: Eraser"}


def page():
    st.title("Draw a digit", anchor=False)
    for problem in session.shipped_networks()[1]:
        st.warning(problem)
    drawing_and_answer()
    st.page_link(TRAIN, label="Train a network of your own", icon=":material/arrow_forward:")


@st.fragment
def drawing_and_answer():
    """Only this part runs again when a stroke has ended, or a button was pressed."""
    with st.container(key="draw", horizontal=True):
        with st.container(key="surface", width="content"):
            pen = surface()
        with st.container(key="answer", width="stretch"):
            panel = st.container()
            network = choose()
    with panel:
        reading(network, pen)
    # the panels below the fold: panels.panels(network, canvas.current())


def surface():
    """The canvas with its tools; returns the pen."""
    pen = canvas.Pen(
        st.session_state[session.kept("pen width", PEN)], st.session_state[session.kept("tool", "Pen")] == "Eraser"
    )
    with st.container(key="sheet", horizontal=True):
        drawing = canvas.drawing_canvas(pen)
        with st.container(key="history", width="content"):
            tool("Undo", ":material/undo:", "Mod+Z", Drawing.undo)
            tool("Redo", ":material/redo:", "Mod+Y", Drawing.redo, disabled=not drawing.future)
            tool("Clear", ":material/delete:", "Delete", Drawing.clear)
    with st.container(key="pen", horizontal=True):
        st.segmented_control(
            "Tool",
            TOOLS,
            format_func=TOOLS.get,
            key=session.kept("tool", "Pen"),
            label_visibility="collapsed",
            required=True,
        )
        st.slider("Pen width", 8, 32, key=session.kept("pen width", PEN), label_visibility="collapsed")
    return pen


def tool(name, icon, keys, action, **options):
    st.button(name, icon=icon, shortcut=keys, on_click=lambda: action(canvas.current()), **options)


@st.fragment
def reading(network, pen):
    """Only this part runs again while a stroke is drawn."""
    drawing = canvas.current()
    probabilities, seen = read(network, drawing.image())
    least = threshold(network) if network else 0.0
    done = probabilities is not None and not drawing.pending
    show(answer(probabilities, seen, least), spoken(probabilities, least) if done else "")
    canvas.companion(pen)  # last, since it goes on once it is answered


def read(network, image):
    """The probabilities, and the image that they are of; None and None where there is nothing to read or nobody who can."""
    if network is None or image is None:
        return None, None
    try:
        seen = engine.prepare(image)
    except engine.BlankDrawing:
        return None, None
    return network.predict_proba(seen[None])[0], seen


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


page()
