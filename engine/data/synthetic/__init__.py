"""Digits and scribbles that Inkling draws itself, and digits drawn from people's pen strokes."""

from engine.data.synthetic.generator import draw_digits, load_synthetic
from engine.data.synthetic.scribbles import load_scribbles
from engine.data.synthetic.strokes import load_strokes

__all__ = ["draw_digits", "load_scribbles", "load_strokes", "load_synthetic"]
