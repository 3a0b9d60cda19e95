"""Page texts in the visitor's language: ``_("Pen width")``; the catalogues are in ``ui/locale``.

A text is written in English where it is shown, whole, with named places: ``_("{count} drawings").format(count=count)``.
``ui/catalogues.py`` collects the texts; ``ui/language.py`` lets the visitor choose.
"""

import gettext
import io
from functools import cache
from pathlib import Path

import streamlit as st
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from ui import compat

LOCALES = Path(__file__).with_name("locale")
LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}  # each named in itself
CHOICE = "chosen_language"  # in the session's state: what the visitor chose


def language() -> str:
    """The language of this visitor's pages: the chosen one, or that of the browser; English if there is neither."""
    if not compat.has_session():  # a thread of the server
        return "en"
    return st.session_state.get(CHOICE) or browser_language()


def browser_language() -> str:
    """The language of the visitor's browser if the pages have it, else English."""
    code = (st.context.locale or "").split("-")[0].lower()
    return code if code in LANGUAGES else "en"


def _(text: str) -> str:
    """This text in the visitor's language."""
    return _catalogue(language()).gettext(text) if text else ""  # gettext's "" is the head of the catalogue


def ngettext(one: str, many: str, count: float) -> str:
    """The text for one or that for another number, in the visitor's language; ``{count}`` is not filled in."""
    return _catalogue(language()).ngettext(one, many, count)  # pyright: ignore[reportArgumentType] - 1.5 is many


def N_(text: str) -> str:  # noqa: N802 - gettext's usual name
    """Mark a text that is translated later, as a constant or an argument of ``_``."""
    return text


def catalogue_file(code: str) -> Path:
    """Where the translations into a language are."""
    return LOCALES / code / "LC_MESSAGES" / "inkling.po"


@cache
def _catalogue(code: str) -> gettext.NullTranslations:
    if code == "en":
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with catalogue_file(code).open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
