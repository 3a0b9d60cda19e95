"""What the technical words of the pages mean, from ``assets/glossary.toml``."""

import re
import tomllib
from functools import cache
from html import escape

from engine.config import Config
from engine.layers import LAYERS
from engine.setting_fields import settings_of
from ui import ASSETS
from ui.translation import _, language

# of plurals and cases, by language
ENDINGS = {"en": ("s", "es"), "de": ("e", "s", "n", "en", "er", "es", "ern"), "es": ("s", "es"), "fr": ("s", "x")}


def sections() -> dict[str, dict[str, str]]:
    """The meaning of each word, by the title of its section and by the word, in the visitor's language."""
    return {
        _(title): {_(word): _(meaning) for word, meaning in words.items()} for title, words in english_sections().items()
    }


@cache
def english_sections() -> dict[str, dict[str, str]]:
    """The meaning of each word, by the title of its section and by the word, as they stand in the sources."""
    file = tomllib.loads((ASSETS / "glossary.toml").read_text())
    return {title: {word: _text(entry) for word, entry in words.items()} for title, words in file.items()}


def _text(entry: str | dict[str, str]) -> str:
    """A meaning: an entry of the file, or the help of the setting that it names."""
    if isinstance(entry, str):
        return entry
    owner = LAYERS[entry["layer"]] if "layer" in entry else Config
    return settings_of(owner)[entry["setting"]].help


@cache
def words() -> dict[str, str]:
    """The English meaning of each English word: these name an entry in every language."""
    return {word: meaning for section in english_sections().values() for word, meaning in section.items()}


def meaning(word: str) -> str:
    """What a word means, for the ``help`` of a widget."""
    return _(words()[word])


def meanings(*words: str) -> str:
    """What several words mean, as Markdown for the ``help`` of a widget."""
    return "\n".join(f"- **{_(word)}**: {meaning(word)}" for word in words)


def term(word: str, text: str | None = None) -> str:
    """A word, written as ``text``, whose meaning is shown by pointing, a tap or the Tab key; as HTML."""
    explanation = escape(meaning(word))
    return (
        f'<abbr class="inkling-term" tabindex="0" data-meaning="{explanation}" aria-description="{explanation}">'
        f"{escape(text or _(word))}</abbr>"
    )


def explain(html: str) -> str:
    """The HTML with each word of the glossary explained where it first stands.

    As Markdown it needs ``unsafe_allow_html=True``, so all that comes from a visitor must be escaped.
    """
    explained = set()
    code = language()

    def replace(match: re.Match[str]) -> str:
        text = match["word"]
        word = text and _find(text, code)
        if not word or word in explained:
            return match[0]
        explained.add(word)
        return term(word, text)

    return _pattern(code).sub(replace, html)


def find(text: str) -> str | None:
    """The word of the glossary, in English, that a text such as "Batches" is a form of; None if it is none."""
    return _find(text, language())


def _find(text: str, code: str) -> str | None:
    known, lower = _by_lower_case(code), text.lower()
    return next((known[form] for end in ("", *ENDINGS[code]) if (form := lower.removesuffix(end)) in known), None)


@cache
def _by_lower_case(code: str) -> dict[str, str]:
    """The English words by those of a language, which is that of the visitor who asks first."""
    return {_(word).lower(): word for word in words()}


@cache
def _pattern(code: str) -> re.Pattern[str]:
    """Matches each word, the longest first, with its endings, and what must stay as it is: tags, links, code and so on."""
    longest_first = "|".join(map(re.escape, sorted(_by_lower_case(code), key=len, reverse=True)))
    endings = "|".join(sorted(ENDINGS[code], key=len, reverse=True))
    unchanged = r"<abbr.*?</abbr>|<[^>]*>|`[^`]*`|&\w+;|:\w+[:\[]"
    return re.compile(
        rf"{unchanged}|(?<![\w-])(?P<word>(?:{longest_first})(?:{endings})?)(?![\w-])", re.IGNORECASE | re.DOTALL
    )
