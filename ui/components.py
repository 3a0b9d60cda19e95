"""Components of our own: HTML with a script from ``ui/assets``."""

from functools import cache

from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

from ui import ASSETS


@cache
def make_component(name: str, html: str) -> ComponentRenderer:
    """The component of this HTML and of ``<name>.js``; its styles are those of the page."""
    return component(f"inkling_{name}", html=html, js=(ASSETS / f"{name}.js").read_text(), isolate_styles=False)
