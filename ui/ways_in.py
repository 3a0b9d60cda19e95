"""Other ways in and out: a picture from a file or the camera, a sample digit, and the drawing to keep."""

import streamlit as st

from engine import BlankDrawing, InklingError, read_image
from ui import canvas, data, grid, kept, pictures
from ui.session import seen

FILE, CAMERA = "A file", "The camera"
POPOVER = "pictures open"


def ways_in(drawing):
    """A popover: a picture to bring, which goes on the canvas, and the ``drawing`` to keep."""
    with st.popover("Picture", icon=":material/image:", key=POPOVER, on_change="rerun", width="stretch") as popover:
        if popover.open:
            _bringing()
            _keeping(drawing)


def _bringing():
    way = st.segmented_control("Bring a picture", [FILE, CAMERA], key=kept.key("picture from", FILE), required=True)
    if problem := st.session_state.pop("picture problem", ""):
        st.error(problem)
    if way == FILE:
        st.file_uploader("An image of any common format", "image", key="picture", on_change=_take, args=("picture",))
    else:
        st.camera_input("Dark ink on light paper, close up", key="photo", on_change=_take, args=("photo",), width=320)


def _take(key):
    file = st.session_state[key]
    if file is None:
        return
    name = "The photo" if key == "photo" else file.name
    try:
        picture = read_image(file)
    except InklingError:
        st.session_state["picture problem"] = f"{name} must be an image, and cannot be read as one: save it as PNG or JPEG."
        return
    try:
        bring(picture)
    except BlankDrawing:
        st.session_state["picture problem"] = f"{name} must show ink, and none was found: take dark on light, close up."
    except InklingError as error:
        st.session_state["picture problem"] = f"{name}: {error}."
    else:
        st.session_state[POPOVER] = False  # it would hide what has come


def bring(picture):
    """Put a picture on the canvas."""
    canvas.current().bring(picture)
    grid.leave()


def _keeping(drawing):
    image = drawing.image()
    shown = seen(image)
    st.markdown("**Keep this one**")
    with st.container(horizontal=True):
        for label, name, pixels in (
            ("The drawing", "drawing.png", image),
            ("The 28 x 28 that the network sees", "28x28.png", shown),
        ):
            make = b"" if shown is None else pictures.png(pixels)
            st.download_button(
                label, make, name, "image/png", icon=":material/download:", on_click="ignore", disabled=shown is None
            )


def samples():
    """Ten digits to play with, each a button that puts it on the canvas."""
    with st.container(horizontal=True, key="samples", vertical_alignment="center", gap="small"):
        st.html("<p>Or take one of these:</p>", width="content")
        for digit, image in enumerate(data.samples(st.session_state.get("samples", 0))):
            label = f"![A {digit} to play with]({pictures.digit_url(image)})"
            st.button(label, key=f"sample {digit}", on_click=bring, args=(image,))
        st.button("Others", key="other samples", icon=":material/refresh:", on_click=_others)


def _others():
    st.session_state["samples"] = st.session_state.get("samples", 0) + 1
