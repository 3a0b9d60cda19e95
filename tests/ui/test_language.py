"""The language of a visitor's pages: of the address, of the workspace, of the browser; for this visitor only."""

import gettext
import re

import pytest
from helpers import ROOT
from pages import button, session
from streamlit.testing.v1 import AppTest

from ui import HANDWRITING_PAGE, PATHS, formatting, glossary, translation
from ui.translation import _, ngettext


@pytest.fixture
def speak(monkeypatch):
    """Have the texts in a language."""

    def set_language(code):
        for module in (translation, formatting, glossary):
            monkeypatch.setattr(module, "language", lambda: code)

    return set_language


def open_in(code, page=None):
    """The app as the link of a teacher opens it."""
    return open_with(lang=code) if page is None else open_with(lang=code).switch_page(page).run()


def open_with(**address):
    app = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=60)
    for name, value in address.items():
        app.query_params[name] = value
    return app.run()


def with_stored(value):
    """A new session in a workspace where this value is stored as the language."""
    workspace = session(open_with()).workspace
    workspace.set_value("language", lambda: value)
    return open_with(w=workspace.id)


def titles(app):
    return [title.value for title in app.title]


def test_without_a_choice_a_page_is_in_english():
    assert titles(open_with()) == ["Inkling: draw a digit"]


def test_the_address_chooses_and_keeps_the_language():
    app = open_in("de")
    assert titles(app) == ["Inkling: Zeichne eine Ziffer"]
    assert titles(app.run()) == ["Inkling: Zeichne eine Ziffer"]
    assert app.query_params["lang"] in ("de", ["de"])
    assert titles(open_with()) == ["Inkling: draw a digit"], "another visitor's pages have changed, too"


@pytest.mark.parametrize("wanted", ["xx", "", "de-AT", "../de"])
def test_an_unknown_language_is_none(wanted):
    assert titles(open_in(wanted)) == ["Inkling: draw a digit"]


@pytest.mark.parametrize("stored", ["xx", 7, ["de"], {"de": 1}, None])
def test_a_stored_language_may_be_anything(stored):
    assert titles(with_stored(stored)) == ["Inkling: draw a digit"]


def test_the_workspace_keeps_the_choice():
    assert titles(with_stored("fr")) == ["Inkling : dessine un chiffre"]


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("en", ["97.5 %", "more than 99.9 %", "0.1234", "12,345", "1.7 h", "0.002", "none", "learning rate"]),
        ("de", ["97,5 %", "mehr als 99,9 %", "0,1234", "12.345", "1,7 h", "0,002", "keine", "Lernrate"]),
        ("es", ["97,5 %", "más de 99,9 %", "0,1234", "12.345", "1,7 h", "0,002", "ninguno", "tasa de aprendizaje"]),
        ("fr", ["97,5 %", "plus de 99,9 %", "0,1234", "12\u202f345", "1,7 h", "0,002", "aucun", "taux d'apprentissage"]),
    ],
)
def test_numbers_follow_the_language(code, texts, speak):
    speak(code)
    assert texts == [
        formatting.percent(0.975),
        formatting.confidence(0.9999),
        formatting.loss(0.12340),
        formatting.number(12345),
        formatting.duration(6120),
        formatting.setting_value("learning_rate", 0.002),
        formatting.setting_value("max_grad_norm", None),
        formatting.label_in_sentence(formatting.SETTINGS["learning_rate"]),
    ]


def test_plurals_follow_the_language(speak):
    speak("fr")
    one, many = "{count} seed", "{count} seeds"
    assert [ngettext(one, many, count).format(count=count) for count in (1, 2)] == ["1 graine", "2 graines"]
    assert _("") == ""


@pytest.mark.parametrize(("code", "text"), [("en", "Batches"), ("de", "Gewichte"), ("es", "capas"), ("fr", "couches")])
def test_words_of_the_glossary_are_found_in_each_language(code, text, speak):
    speak(code)
    explained = glossary.explain(f"<p>{text}</p>")
    assert explained.count("<abbr") == 1
    assert f">{text}</abbr>" in explained


def test_a_thread_of_the_server_speaks_english():
    assert translation.language() == "en"


@pytest.mark.parametrize("code", translation.LANGUAGES)
@pytest.mark.parametrize("page", [None, *map(str, PATHS)])
def test_each_page_opens_in_each_language(code, page):
    assert not open_in(code, page).exception


class Accented(gettext.NullTranslations):
    """A language that nobody speaks: English with other letters, so that a text that was not translated is seen."""

    def gettext(self, message):
        return re.sub(r"\{\w*\}|<[^>]*>|[a-zA-Z]+", lambda match: self._accent(match[0]), message)

    def ngettext(self, msgid1, msgid2, n):
        return self.gettext(msgid1 if n == 1 else msgid2)

    @staticmethod
    def _accent(part):
        return part if part[0] in "{<" else part.translate(str.maketrans("aeiouyAEIOUY", "áéíóúýÁÉÍÓÚÝ"))


@pytest.mark.parametrize("page", [None, *map(str, PATHS)])
def test_a_page_has_no_text_that_is_not_translated(page, monkeypatch):
    monkeypatch.setattr(translation, "_catalogue", lambda code: Accented())
    app = open_in("en", page)
    kinds = ("title", "header", "caption", "markdown", "info", "warning", "button", "selectbox", "toggle", "tabs", "html")
    shown = [one for kind in kinds for element in app.get(kind) if not (one := text(element)).startswith("<style")]
    lesson = r'<(h2|p) class="inkling-card-(title|goal)">[^<]*<|“[^”]*”'  # its texts are files
    plain = re.compile(lesson + r"|<[^>]*>|:[\w/]+:?|!\[|\]\(\S*\)|&\w+;|\b(?:mnist|synthetic|mixed|quick|ReLU)\b")
    missed = [found for one in shown if (found := re.findall(r"\b[a-zA-Z]*[aeiou][a-z]{2,}\b", plain.sub(" ", one)))]
    assert not missed


def text(element):
    """What an element shows first: its label, or its text."""
    return getattr(element, "label", "") or str(getattr(element, "value", "") or getattr(element.proto, "body", ""))


def test_a_button_keeps_its_key_in_another_language():
    app = open_in("de", str(HANDWRITING_PAGE))
    assert button(app, "Zurück").key == "collect undo"
