"""What is seen: the pages and what they share."""

from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
DRAW_PAGE = Path(__file__).parent / "draw" / "page.py"
TRAIN_PAGE = Path(__file__).parent / "train" / "page.py"
HOW_PAGE = Path(__file__).parent / "how_it_works" / "page.py"
HANDWRITING_PAGE = Path(__file__).parent / "handwriting" / "page.py"
CLASS_PAGE = Path(__file__).parent / "class_collection" / "page.py"
BROKEN_PAGE = Path(__file__).parent / "puzzles" / "page.py"
LESSONS_PAGE = Path(__file__).parent / "lessons" / "page.py"
SWEEPS_PAGE = Path(__file__).parent / "sweeps" / "page.py"
WORK_PAGE = Path(__file__).parent / "work" / "page.py"
# below the app's own address, which is that of the Draw page
PATHS = {
    TRAIN_PAGE: "train",
    HOW_PAGE: "how",
    LESSONS_PAGE: "lessons",
    HANDWRITING_PAGE: "handwriting",
    CLASS_PAGE: "class",
    BROKEN_PAGE: "broken",
    SWEEPS_PAGE: "sweeps",
    WORK_PAGE: "work",
}
# the first is for all pages
STYLES = [
    ASSETS / f"{name}.css"
    for name in ("style", "draw", "train", "how_it_works", "lessons", "handwriting", "class", "puzzles", "map")
]
