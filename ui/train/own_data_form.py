"""Bringing one's own data set to the Train page: letters, clothes or other images of 28 x 28 pixels, with their classes."""

import streamlit as st

from engine import InklingError
from ui import compat, own_data
from ui.formatting import escape_markdown
from ui.state import expander, report_error, session, set_value
from ui.translation import N_, _

KEY = "own data"
DIGITS, OTHERS = N_("digits"), N_("something else")


def own_data_form(source: str) -> None:
    """The form for a file, folded away; and what is in the data set of the ``source``, if it is a visitor's own."""
    with expander(_("My own data"), ":material/dataset:", "own_data_open") as form:
        if form.open:
            st.file_uploader(
                _("Images of 28 x 28 pixels with labels"),
                list(own_data.SUFFIXES),
                key=KEY,
                on_change=_upload,  # before the choice of data is shown, which it changes
                help=_(
                    "An .npz file of images and labels, a CSV file with a label and 784 pixels in each row, or a zip file "
                    "of four IDX files named as MNIST's are. In the zip file, classes.txt may have a name for each class, "
                    "one in each line. There may be 2 to 62 classes."
                ),
            )
    if own := own_data.find(source):
        st.caption(escape_markdown(" ".join(own_data.describe(own))))
        if own.may_be_no_digits:
            _ask(own)
    elif own_data.is_own(source):
        st.caption(_("This data set is not on this server any more. Add the same file again under “My own data”."))


def _ask(own: own_data.OwnData) -> None:
    """Ask what the classes are, where the file does not say it."""
    shows = st.segmented_control(_("What do the images show?"), [DIGITS, OTHERS], format_func=_, key=f"shows {own.source}")
    if shows == OTHERS:
        st.text_input(
            _("Names of the classes, from class 0 on"),
            key=f"names of {own.source}",
            placeholder=_("cat, dog, horse"),
            on_change=_name,
            args=(own,),
        )


def _name(own: own_data.OwnData) -> None:
    try:
        _choose(own_data.with_names(own, st.session_state[f"names of {own.source}"]), instead_of=own.source)
    except InklingError as error:
        report_error(error)


def _choose(own: own_data.OwnData, instead_of: str = "") -> None:
    """Have the page train on this data set."""
    others = [source for source in session().own_sources if source not in (own.source, instead_of)]
    session().own_sources = [*others, own.source]
    set_value("source", own.source)


def _upload() -> None:
    file = st.session_state[KEY]
    if file is None or compat.was_dropped(file):
        return
    session().error = None
    try:
        own = own_data.add(file.name, file.getvalue())
    except InklingError as error:
        report_error(error)
    else:
        _choose(own)
    finally:
        compat.drop_upload(file)
