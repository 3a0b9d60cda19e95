"""Page texts in the visitor's language: ``_("Pen width")``; the catalogues are in ``ui/locale``.

A text is written in English where it is shown, whole, with named places: ``_("{count} drawings").format(count=count)``.
"""

import gettext
from functools import cache
from pathlib import Path

import streamlit as st

LOCALES = Path(__file__).with_name("locale")
LANGUAGES = ("en",)


def language() -> str:
    """The language of this visitor's pages: that of the browser if there is a catalogue for it, else English."""
    code = (st.context.locale or "en").split("-")[0].lower()
    return code if code in LANGUAGES else "en"


def _(text: str) -> str:
    """This text in the visitor's language."""
    return _catalogue(language()).gettext(text)


def ngettext(one: str, many: str, count: int) -> str:
    """The text for one or that for another number, in the visitor's language; ``{count}`` is not filled in."""
    return _catalogue(language()).ngettext(one, many, count)


def N_(text: str) -> str:  # noqa: N802 - gettext's usual name
    """Mark a text that is translated later, as a constant or an argument of ``_``."""
    return text


@cache
def _catalogue(code: str) -> gettext.NullTranslations:
    return gettext.translation("inkling", LOCALES, [code], fallback=True)
