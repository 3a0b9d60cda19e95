"""The catalogues are complete, and their translations can take the place of the English texts."""

import ast
import re
from itertools import chain

import pytest
from helpers import ROOT

from ui import catalogues
from ui.catalogues import TRANSLATED

PLACES = re.compile(r"\{\w*\}")
MARKUP = re.compile(r"</?\w+[^>]*>|\*\*|`")
LANGUAGES = pytest.mark.parametrize("code", TRANSLATED)


@pytest.fixture(scope="module")
def template():
    return catalogues.template()


def texts(message):
    """The English text of a message, or both forms, as a tuple."""
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def translations(message):
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


@LANGUAGES
def test_a_catalogue_has_the_texts_of_the_pages_and_no_others(code, template):
    known = {texts(message) for message in catalogues.read(code) if message.id}
    wanted = {texts(message) for message in template if message.id}
    assert known == wanted, "bring the catalogues up to date: python -m ui.catalogues"


def test_every_marked_text_is_collected(template):
    """Also those within f-strings, and those that the engine marks."""
    known = {text for message in template if message.id for text in texts(message)}
    for folder in ("ui", "engine"):
        for path in (ROOT / folder).rglob("*.py"):
            calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
            marked = (node.args for node in calls if getattr(node.func, "id", "") in ("_", "N_", "ngettext"))
            written = {text.value for text in chain.from_iterable(marked) if isinstance(text, ast.Constant)} - {""}
            assert written <= known, path


@LANGUAGES
def test_every_text_is_translated(code):
    assert catalogues.missing(catalogues.read(code)) == []


@LANGUAGES
def test_a_translation_fills_in_what_the_text_does(code):
    for message in filter(lambda message: message.id, catalogues.read(code)):
        *one, many = texts(message)
        for number, text in enumerate(translations(message)):
            places = set(PLACES.findall(text))
            wanted = set(PLACES.findall(many))
            optional = {"{count}"} if one and number == 0 else set()  # "one" may be a word
            assert wanted - optional <= places <= wanted, (message.id, text)


@LANGUAGES
def test_a_translation_has_the_same_markup(code):
    for message in filter(lambda message: message.id, catalogues.read(code)):
        for text in translations(message):
            assert sorted(MARKUP.findall(text)) == sorted(MARKUP.findall(texts(message)[-1])), (message.id, text)
            assert text == text.strip(), text


def test_updating_changes_nothing(tmp_path, monkeypatch, template):
    before = {code: catalogues.catalogue_file(code).read_bytes() for code in TRANSLATED}
    monkeypatch.setattr(catalogues, "catalogue_file", lambda code: tmp_path / f"{code}.po")
    for code in TRANSLATED:
        (tmp_path / f"{code}.po").write_bytes(before[code])
        catalogues.update(code, template)
        assert (tmp_path / f"{code}.po").read_bytes() == before[code], "run python -m ui.catalogues"


def test_what_has_no_translation_is_missing(tmp_path, monkeypatch, template):
    monkeypatch.setattr(catalogues, "catalogue_file", lambda code: tmp_path / f"{code}.po")
    assert "Undo" in catalogues.missing(catalogues.update("de", template))
