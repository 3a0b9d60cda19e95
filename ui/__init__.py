"""What is seen: the pages and what they share."""

from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
DRAW_PAGE = Path(__file__).parent / "draw" / "page.py"
TRAIN_PAGE = Path(__file__).parent / "train" / "page.py"
WORK_PAGE = Path(__file__).parent / "work" / "page.py"
PATHS = {TRAIN_PAGE: "train", WORK_PAGE: "work"}  # below the app's own address, which is that of the Draw page
STYLES = [ASSETS / name for name in ("style.css", "draw.css", "train.css")]  # the first is for all pages
