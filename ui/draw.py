"""The Draw page: a canvas, and what a network makes of it after each stroke."""

import streamlit as st

import engine
from engine.pen import PEN
from ui import canvas, session
from ui.answer import answer


def page():
    st.title("Draw a digit", anchor=False)
    networks = session.networks()
    for problem in session.shipped_networks()[1]:
        st.warning(problem)
    if not networks:
        st.info("There is no network to read a drawing yet: train one on the Train page.")
    drawing_and_answer(networks)
    st.page_link("ui/train.py", label="Train a network of your own", icon=":material/arrow_forward:")


@st.fragment
def drawing_and_answer(networks):
    """Only this part runs again after a stroke."""
    with st.container(horizontal=True, gap="large"):
        with st.container(width=280):
            drawing = surface()
        panel = st.container(width="stretch")
    with st.container(horizontal=True, gap="large"):  # last, so that on a phone the answer stands right below the canvas
        st.slider(
            "Pen width", 8, 32, key=session.kept("pen width", PEN), width=280, help="In pixels of the 280 x 280 canvas."
        )
        network = choose(networks)
    with panel:
        st.html(reading(network, drawing.image()))


def surface():
    """The canvas with its buttons; returns the drawing."""
    drawing = canvas.drawing_canvas(st.session_state[session.kept("pen width", PEN)])
    blank = not drawing.objects
    with st.container(horizontal=True):
        st.button("Undo", icon=":material/undo:", on_click=undo, args=(drawing,), disabled=blank, width="stretch")
        st.button("Clear", icon=":material/delete:", on_click=clear, args=(drawing,), disabled=blank, width="stretch")
    return drawing


def undo(drawing):
    drawing.show(drawing.objects[:-1])


def clear(drawing):
    drawing.show([])


def choose(networks):
    """The network to read with; the last choice is kept across pages, a new one is made by the Train page's button."""
    labels = list(networks)
    if not labels:
        return None
    chosen = st.session_state.get("chosen_network")
    index = labels.index(chosen) if chosen in labels else 0
    picked = st.selectbox("Network", labels, index, help="The shipped one, or one that you trained in this session.")
    st.session_state["chosen_network"] = picked
    return networks[picked]


def reading(network, image):
    """The answer panel for an image of the canvas, or for an empty canvas."""
    if network is None or image is None:
        return answer()
    try:
        seen = engine.prepare(image)
    except engine.BlankDrawing:
        return answer()
    return answer(network.predict_proba(seen[None])[0], seen)


page()
