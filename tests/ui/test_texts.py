"""Every text of the pages goes through the catalogue."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT

from ui import glossary

UI = ROOT / "ui"
NOT_PAGES = {  # files and folders whose texts no visitor sees
    "catalogues.py": "writes the catalogues",
    "server.py": "the log, and answers to programs",
    "server_status.py": "the log",
    "compat.py": "no texts",
    "store/": "SQL, and errors, which are in English as the engine's",
}
MARKS = {"_", "N_", "ngettext"}
SHOWN_BY = {  # functions of Streamlit whose first argument is a text
    *("title", "header", "subheader", "markdown", "caption", "text", "write", "html", "metric", "toast", "dialog"),
    *("error", "warning", "info", "success", "spinner", "button", "download_button", "page_link", "link_button"),
    *("toggle", "checkbox", "radio", "selectbox", "select_slider", "slider", "segmented_control", "pills", "number_input"),
    *("text_input", "text_area", "file_uploader", "camera_input", "expander", "popover", "menu_button", "Page"),
}
SHOWN_AS = {"label", "help", "placeholder", "caption", "alt", "title"}  # keyword arguments with a text
HTML_OR_PLACE = re.compile(r"<[^>]*>|\{[^}]*\}|:material/\w+:|&\w+;|!?\[\]\([^)]*\)|data:image/\S*")
WORDS = re.compile(r"[A-Za-z]{2,}[,;:.!?]? [a-z]{2,}")  # two words or more
ATTRIBUTES = re.compile(r"\b(?:aria-label|aria-description|title|alt|placeholder)=\"[^\"{]*[A-Za-z]{2}[^\"]*\"")
CLASSES = re.compile(r"inkling-[a-z]+( named)?")  # of HTML elements
EXCEPTIONS = {
    "Run ": "the key of a run, in any language",
    "Uploaded: ": "the key of an uploaded network, in any language",
    "my drawings": "the name of a data set, in a file",
    "Inkling": "a name",
    "python -m engine": "a command",
    "ONNX": "a name",
    "Best validation": "the key of a column, which has a label",
    "Changed from previous run": "the key of a column, which has a label",
    "true name": "a field of a chart, which has a title",
    "name of a value": "in an error of an archive",
    "this run cannot be read now: ": "an error of the engine",
    "a whole number": "in an error of a lesson's file",
    **dict.fromkeys(
        (
            "Your saved ",
            "Your workspace was full",
            "The network {} cannot",
            "The run {} cannot",
            "Your work cannot be saved",
        ),
        "a notice that a thread of the server writes, which knows no language",
    ),
    **dict.fromkeys(
        (
            *("draw with keys", "digit keys", "picture menu ", "picture from", "network view", "pen width", "picked node"),
            *("instead of{}", "draw panel", "picture view", "new layer", "own data", "runs table", "work upload"),
            *(
                "slow map",
                "guessed direction",
                "guessed size",
                "step source",
                "step activation",
                "step optimizer",
                "step loss",
                "step digit",
                "step rate",
            ),
            *("step settings", "step view", "lesson open", "lesson nickname", "label of {} {}"),
            *("lesson answer {}", "lesson shares", "lessons class", "puzzle panel", "epoch map", "names of {}"),
            *("class network", "class test", "join class", "class nickname", "class code", "class part", "class shown"),
            *("drawings upload", "drawings as files", "started lesson", "started leaving out", "handwriting part"),
            *("{} test confusion", "{} cell, seed {}"),
        ),
        "the key of a widget",
    ),
}


def files() -> list[Path]:
    parts = [path.relative_to(UI) for path in sorted(UI.rglob("*.py"))]
    return [part for part in parts if not part.as_posix().startswith(tuple(NOT_PAGES))]


def texts_outside(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and content of each text that is written without ``_``, ``N_`` or ``ngettext``."""
    if isinstance(tree, ast.Raise):  # errors of the engine are in English
        return
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant):  # a docstring
        return
    if isinstance(tree, ast.arg):  # its annotation is no text
        return
    if isinstance(tree, ast.AnnAssign):
        yield from texts_outside(tree.value) if tree.value else ()
        return
    if isinstance(tree, ast.Dict):  # the keys of marked texts
        keys = [key for key, value in zip(tree.keys, tree.values, strict=True) if key and not is_marked(value)]
        for part in [*keys, *tree.values]:
            yield from texts_outside(part)
        return
    if isinstance(tree, ast.Call):
        name = tree.func.id if isinstance(tree.func, ast.Name) else getattr(tree.func, "attr", "")
        if name in MARKS or (isinstance(tree.func, ast.Attribute) and ast.unparse(tree.func).startswith("log.")):
            return
        if name == "keep" and tree.args and content(tree.args[0]):  # the key of a widget
            tree = ast.Call(tree.func, tree.args[1:], tree.keywords)
        shown = tree.args[:1] if name in SHOWN_BY else []
        for value in [*shown, *(word.value for word in tree.keywords if word.arg in SHOWN_AS)]:
            text = content(value)
            if re.search("[A-Za-z]{2}", HTML_OR_PLACE.sub("", text)):
                yield value.lineno, text
    if isinstance(tree, ast.JoinedStr | ast.Constant):
        text = content(tree)
        if WORDS.search(HTML_OR_PLACE.sub("", text)) or ATTRIBUTES.search(text):
            yield tree.lineno, text
    for child in ast.iter_child_nodes(tree):
        if isinstance(tree, ast.JoinedStr) and isinstance(child, ast.Constant):
            continue  # it was looked at as a whole
        if isinstance(child, ast.keyword) and child.arg == "key":
            continue
        yield from texts_outside(child)


def is_marked(node: ast.AST) -> bool:
    """Whether it is a call of ``_``, ``N_`` or ``ngettext``."""
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKS


def marked(tree: ast.AST) -> Iterator[str]:
    """The texts that are marked for translation: these name what is shown, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "N_":
            yield content(node.args[0])


def content(node: ast.AST) -> str:
    """A text as it is written, with ``{}`` for each value; empty if the node is no text."""
    if isinstance(node, ast.JoinedStr):
        return "".join(content(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.parametrize("path", files(), ids=str)
def test_every_text_goes_through_the_catalogue(path):
    tree = ast.parse((UI / path).read_text(encoding="utf-8"))
    known = {*glossary.words(), *marked(tree)}
    missed = {
        line: text
        for line, text in texts_outside(tree)
        if text not in known and not CLASSES.fullmatch(text) and not text.startswith(tuple(EXCEPTIONS))
    }
    assert not missed, f"write these as _(...) or N_(...): {missed}"


@pytest.mark.parametrize("path", files(), ids=str)
def test_nothing_hides_the_function_that_translates(path):
    tree = ast.parse((UI / path).read_text(encoding="utf-8"))
    uses = any(isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_" for node in ast.walk(tree))
    hidden = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "_" and is_set(node)]
    assert not (uses and hidden), f"another name than _ is needed in line {hidden}"


def is_set(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('st.button("Undo")', "Undo"),
        ('st.button(_("Undo"), help=f"Takes {n} back")', "Takes {} back"),
        ('x = f"<p>It reads {n} images</p>"', "<p>It reads {} images</p>"),
        ("x = '<img alt=\"Picture\">'", '<img alt="Picture">'),
    ],
)
def test_texts_are_found(source, text):
    assert next(found for _line, found in texts_outside(ast.parse(source))) == text


@pytest.mark.parametrize("source", ['st.button(_("Undo it now"), key="undo it now")', 'raise Error(f"no {n} here now")'])
def test_other_strings_are_not_meant(source):
    assert not list(texts_outside(ast.parse(source)))
