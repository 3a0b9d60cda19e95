"""Components of our own: HTML with a script from ``ui/assets``."""

from functools import cache

from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

from ui import ASSETS
from ui.translation import language


def make_component(name: str, html: str) -> ComponentRenderer:
    """The component of this HTML, in the visitor's language, and of ``<name>.js``; its styles are those of the page."""
    return _component(name, html, language())


@cache
def _component(name: str, html: str, code: str) -> ComponentRenderer:
    variant = name if code == "en" else f"{name}_{code}"
    return component(f"inkling_{variant}", html=html, js=(ASSETS / f"{name}.js").read_text(), isolate_styles=False)
