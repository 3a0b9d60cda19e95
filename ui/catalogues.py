"""Collect all texts of the pages, and bring the catalogues in ``ui/locale`` up to date: ``python -m ui.catalogues``."""

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

import engine
from engine.activations import ACTIVATIONS
from engine.config import Config
from engine.data import SOURCES
from engine.data.augmentation import AUGMENTATIONS, Augmentation
from engine.data.collection_files import FORMATS
from engine.finetuning import FineTuningSettings
from engine.jobs import JobState
from engine.jobs.health import Problem
from engine.layers import LAYERS
from engine.losses import LOSSES
from engine.optimizers import OPTIMIZERS
from engine.recipes import RECIPES
from engine.schedules import SCHEDULES
from engine.setting_fields import Choice, settings_of
from engine.sweep.plan import SweepSettings
from engine.sweep.search_space import DENSE_SETTINGS
from ui import glossary
from ui.translation import LANGUAGES, LOCALES, catalogue_file

KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
TRANSLATED = [code for code in LANGUAGES if code != "en"]
PAGES, ENGINE = Path(__file__).parent, Path(engine.__file__).parent
WIDTH = 120  # of a line of a catalogue
HEADER = "# The pages of Inkling in another language. README.md beside these folders has the terms."


def template() -> Catalog:
    """All texts, with the files that they are in and no translations."""
    catalogue = Catalog(project="Inkling", copyright_holder="The Inkling authors")
    python = extract_from_dir(PAGES, [("**.py", "python")], keywords=KEYWORDS, comment_tags=["Translators:"])
    for file, _line, text, comments, _context in python:
        catalogue.add(text, locations=[(f"ui/{file}", 0)], auto_comments=comments)
    marked = extract_from_dir(ENGINE, [("**.py", "python")], keywords={"N_": None}, comment_tags=())
    for file, _line, text, _comments, _context in marked:
        catalogue.add(text, locations=[(f"engine/{file}", 0)])
    for file, text in [*_texts_in_f_strings(), *_glossary_texts(), *_engine_texts()]:
        catalogue.add(text, locations=[(file, 0)])
    return catalogue


def _texts_in_f_strings() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """What Babel misses, for which an f-string is one word before Python 3.12."""
    for path in sorted(PAGES.rglob("*.py")):
        strings = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.JoinedStr))
        for node in chain.from_iterable(map(ast.walk, strings)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in KEYWORDS:
                constants = [text.value for text in node.args if isinstance(text, ast.Constant)]
                texts = [text for text in constants if isinstance(text, str)]
                if texts:
                    yield f"ui/{path.relative_to(PAGES).as_posix()}", tuple(texts) if len(texts) > 1 else texts[0]


def _glossary_texts() -> Iterator[tuple[str, str]]:
    for title, words in glossary.english_sections().items():
        for text in (title, *(text for word, meaning in words.items() for text in (word, meaning))):
            yield "ui/assets/glossary.toml", text


def _engine_texts() -> Iterator[tuple[str, str]]:
    """What settings and the entries of registries say of themselves."""
    for owner in (Config, Augmentation, FineTuningSettings, SweepSettings, *LAYERS.values()):
        for setting in settings_of(owner).values():
            kind = setting.kind
            labels = [_label(kind, name) for name in kind.registry] if isinstance(kind, Choice) else []
            for text in (setting.label, setting.help, setting.none, *labels):
                if text:
                    yield _file_of(owner), text
    for setting in DENSE_SETTINGS.values():
        yield "engine/sweep/search_space.py", setting.label
    for registry in (ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES, LAYERS):
        for entry in registry.values():
            yield _file_of(entry), entry.label
    for recipe in RECIPES.values():
        for text in filter(None, (recipe.title, recipe.basis, recipe.choices)):
            yield "engine/recipes.toml", text
    for form in FORMATS.values():
        for text in (form.label, form.help):
            yield "engine/data/collection_files.py", text
    for text in SOURCES.values():
        yield "engine/data/sources.py", text
    for text in AUGMENTATIONS:
        yield "engine/data/augmentation.py", text
    for text in (*JobState, *filter(None, Problem)):
        yield "engine/jobs", str(text)
    for text in ("on", "off"):
        yield "engine/setting_fields.py", text


def _label(kind: Choice, name: str) -> str:
    return kind.show(name)


def _file_of(owner: Any) -> str:
    return f"{owner.__module__.replace('.', '/')}.py"


def read(code: str) -> Catalog:
    """The catalogue of a language, empty if it is new."""
    file = catalogue_file(code)
    if not file.exists():
        return Catalog(locale=code, project="Inkling", copyright_holder="The Inkling authors")
    with file.open("rb") as opened:
        return read_po(opened, locale=code)


def update(code: str, texts: Catalog) -> Catalog:
    """Write the catalogue of a language with exactly these texts, and the translations that it had."""
    catalogue = read(code)
    catalogue.fuzzy, catalogue.header_comment = False, HEADER
    texts.creation_date = catalogue.creation_date  # so that a file changes only if its texts do
    catalogue.update(texts, no_fuzzy_matching=True, update_header_comment=False)
    file = catalogue_file(code)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        write_po(opened, catalogue, width=WIDTH, include_lineno=False, ignore_obsolete=True, sort_by_file=True)
    return catalogue


def missing(catalogue: Catalog) -> list[str]:
    """The texts without a translation, or with one that has to be looked at again."""
    return [str(message.id) for message in catalogue if message.id and (message.fuzzy or not all(_strings(message.string)))]


def _strings(string: Any) -> tuple[str, ...]:
    return tuple(string) if isinstance(string, list | tuple) else (string,)


if __name__ == "__main__":
    for code in TRANSLATED:
        print(f"{LOCALES / code}: {len(missing(update(code, template())))} texts to translate")
