"""The Draw page: a canvas, and what a network makes of it while one draws."""

from pathlib import Path

import streamlit as st

from engine.pen import PEN
from ui import canvas, grid, kept, number, session, ways_in
from ui.answer import answer, show
from ui.drawing import Drawing
from ui.panels import panels
from ui.reading import read

TRAIN = Path(__file__).with_name("train.py")
TOOLS = {"Pen": ":material/edit: Pen", "Eraser": ":material/ink_eraser: Eraser"}


def page():
    st.title("Draw a digit", anchor=False)
    for problem in session.shipped_networks()[1]:
        st.warning(problem)
    drawing_and_answer()


@st.fragment
def drawing_and_answer():
    """Only this part runs again when a stroke has ended, or a button was pressed."""
    kept.note()
    with st.container(key="draw", horizontal=True):
        with st.container(key="surface", width="content"):
            pen = surface()
            with st.container(key="ways-in", horizontal=True, vertical_alignment="center"):
                ways_in.ways_in(grid.drawn())
                grid.switch()
        with st.container(key="answer", width="stretch"):
            panel = st.container()
            with st.container(key="choice", horizontal=True, vertical_alignment="bottom"):
                chosen = choose()
                st.page_link(TRAIN, label="Train your own", icon=":material/arrow_forward:")
            if chosen and chosen.state:
                st.caption(f"{chosen.label}: {chosen.state}")
            network = chosen and chosen.network
    with panel:
        reading(network, pen)
    ways_in.samples()
    panels(network, grid.drawn())


def surface():
    """The canvas with its tools, or the grid; returns the canvas's pen."""
    if grid.chosen():
        grid.grid()
        return None
    pen = canvas.Pen(kept.value("pen width", PEN), kept.value("tool", "Pen") == "Eraser")
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
            key=kept.key("tool", "Pen"),
            label_visibility="collapsed",
            required=True,
        )
        st.slider("Pen width", 8, 32, key=kept.key("pen width", PEN), label_visibility="collapsed")
    return pen


def tool(name, icon, keys, action, **options):
    st.button(name, icon=icon, shortcut=keys, on_click=lambda: action(canvas.current()), **options)


@st.fragment
def reading(network, pen):
    """Only this part runs again while a stroke is drawn."""
    drawing = grid.drawn()
    image = drawing.image()
    seen = session.seen(image)
    found = read(network, [seen])[0] if network and seen is not None else None
    said = [found.words, number.spoken(network, image)] if found and not drawing.pending else []
    show(answer(found, seen), ". ".join(filter(None, said)))
    if pen is not None:
        canvas.companion(pen)  # last, since it goes on once it is answered


def choose():
    """The ``session.Candidate`` to read with; it is kept while the page is away, and the Train page can make it."""
    networks = session.networks()
    if not networks:
        st.info("There is no network to read a drawing yet: train one on the Train page.")
        return None
    names = list(networks)
    if kept.value("network") not in names:
        kept.put("network", names[0])
    name = st.selectbox(
        "Network",
        names,
        format_func=lambda name: networks[name].label,
        key=kept.key("network"),
        help="Shipped, or trained in this session.",
    )
    return networks[name]


page()
