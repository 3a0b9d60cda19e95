"""Pictures in and out: a file, a photo or a sample digit to put on the canvas, and the drawing to download."""

from urllib.parse import urlsplit

import streamlit as st

from engine import BlankDrawing, InklingError, read_image
from engine.image_file import UnsuitableImage
from ui import compat, datasets, images, state
from ui.class_names import with_article
from ui.current_drawing import current_image, network_input
from ui.draw import picture, share
from ui.formatting import escape_markdown
from ui.state import session
from ui.translation import N_, _

MAX_PICTURE_MB = 10
FILE, CAMERA = N_("A file"), N_("The camera")
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
MENU = "picture menu {}"  # key of the popover; the number is that of the pictures before


def show_picture_menu() -> None:
    """A popover with a picture to put on the canvas, and the drawing to download."""
    with st.popover(
        _("Picture, share"),
        icon=":material/image:",
        key=MENU.format(session().num_pictures),
        on_change="rerun",
        width="content",
    ) as menu:
        if menu.open:
            with st.container(width=400):
                _show_upload()
                _show_downloads()
                share.show_share()


def _show_upload() -> None:
    source = st.segmented_control(
        _("Use a picture from"), [FILE, CAMERA], format_func=_, required=True, **state.keep("picture from", FILE)
    )
    if session().image_error:
        st.error(escape_markdown(session().image_error))
        session().image_error = ""
    if source == FILE:
        st.file_uploader(
            _("PNG, JPEG or another image format"),
            "image",
            key="picture",
            on_change=_take,
            args=("picture",),
            max_upload_size=MAX_PICTURE_MB,
        )
    elif not _may_use_camera():
        text = _(
            "A browser opens the camera only at a secure address, one that begins with https. Choose *A file*: a phone then "
            "offers to take a photo."
        )
        st.info(text, icon=":material/no_photography:")
    else:
        st.camera_input(_("Dark ink on white paper, close up"), key="photo", on_change=_take, args=("photo",), width=320)


def _may_use_camera() -> bool:
    """Whether this page's address is a secure context for the browser: https, or this machine."""
    address = urlsplit(st.context.url or "")
    return address.scheme != "http" or (address.hostname or "").removesuffix(".") in LOCAL_HOSTS


def _take(key: str) -> None:
    """Show the picture of the widget ``key``, or note why that failed."""
    file = st.session_state[key]
    if file is None or compat.was_dropped(file):
        return
    name = _("The photo") if key == "photo" else file.name
    try:
        image = read_image(file)
    except UnsuitableImage as error:
        session().image_error = f"{name}: {error.reason}."
        return
    except InklingError:
        session().image_error = _(
            "{name} is not an image that Inkling can read. Save it as PNG or JPEG and try again."
        ).format(name=name)
        return
    finally:
        compat.drop_upload(file)
    try:
        picture.take(image)
    except BlankDrawing:
        session().image_error = _("No writing found. Photograph dark ink on white paper, close up.")
    except InklingError as error:
        session().image_error = f"{name}: {error}."
    else:
        session().num_pictures += 1  # a new menu, which is closed: a late message of the browser cannot open it again


def _show_downloads() -> None:
    image = current_image()
    small = network_input(image)
    st.markdown("**{}**".format(_("Download")))
    with st.container(horizontal=True):
        for label, name, pixels in ((_("Drawing"), "drawing.png", image), (_("28 x 28 version"), "28x28.png", small)):
            content = b"" if pixels is None or small is None else images.png(pixels)
            icon, is_blank = ":material/download:", not content
            st.download_button(label, content, name, "image/png", icon=icon, on_click="ignore", disabled=is_blank)


def show_samples() -> None:
    """Ten sample digits, each a button that puts the digit on the canvas."""
    with st.container(horizontal=True, key="samples", vertical_alignment="center", gap="small"):
        st.html("<p>{}</p>".format(_("Or try one of these:")), width="content")
        for digit, image in enumerate(datasets.sample_digits(session().sample_seed)):
            sample = _("Sample of {digit}").format(digit=with_article(digit))
            label = f"![{sample}]({images.digit_url(image)})"
            st.button(label, key=f"sample {digit}", on_click=picture.put_on_canvas, args=(image,))
        st.button(_("More examples"), key="more samples", icon=":material/refresh:", on_click=_next_samples)


def _next_samples() -> None:
    session().sample_seed += 1
