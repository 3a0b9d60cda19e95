"""A lesson is a text file: TOML between two lines of ``+++``, and below them its introduction in Markdown.

``texts/en`` has every lesson. A file of the same name in the folder of another language has translations: what is missing
there is shown in English. A file that is wrong raises ``InklingError``: its name, and what was expected.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from engine import InklingError
from engine.checks import shown
from engine.config import Config
from engine.links import from_query
from ui import PATHS
from ui.draw.share import from_text
from ui.draw.strokes import Objects
from ui.lessons.conditions import CONDITIONS, NEWEST_RUN, check_arguments
from ui.lessons.situation import Situation
from ui.translation import language

TEXTS = Path(__file__).with_name("texts")
ENGLISH = "en"
FENCE = "+++"
DRAW = "draw"
PAGES = (DRAW, *PATHS.values())
NETWORKS = ("cnn", "mlp", NEWEST_RUN)
MAX_MINUTES = 30
MIN_STEPS, MAX_STEPS = 3, 6

# The parts of a file: a type stands for a text or a number, a dict for a table, a list for several of the same kind.
TEXT_PARTS = {
    "title": str,
    "goal": str,
    "read": str,
    "steps": [{"do": str, "then": str}],
    "question": {"ask": str, "answer": str, "choices": [str]},
}
SETUP_PARTS = {"page": str, "settings": str, "seeds": int, "network": str, "drawing": str, "panel": str}
PARTS = TEXT_PARTS | {
    "number": int,
    "minutes": int,
    "next": str,
    "steps": [TEXT_PARTS["steps"][0] | {"done": dict, "setup": SETUP_PARTS}],
    "question": TEXT_PARTS["question"] | {"right": int},
}
OPTIONAL = ("next", "setup", *SETUP_PARTS)


@dataclass(frozen=True)
class Setup:
    """How the pages are prepared before a step: what is None stays as it is. An empty ``drawing`` clears the canvas."""

    page: str | None = None
    config: Config | None = None
    seeds: int = 1
    network: str | None = None
    drawing: Objects | None = None
    panel: str | None = None


@dataclass(frozen=True)
class Step:
    """One thing to do. It is done when all ``conditions``, with their arguments, hold; ``then`` says what it has shown."""

    do: str
    then: str
    conditions: Mapping[str, Mapping[str, Any]]
    setup: Setup | None

    def is_done(self, situation: Situation) -> bool:
        return all(CONDITIONS[name](situation, **arguments) for name, arguments in self.conditions.items())


@dataclass(frozen=True)
class Question:
    """``choices[right]`` is the right one."""

    ask: str
    choices: tuple[str, ...]
    right: int
    answer: str


@dataclass(frozen=True)
class Lesson:
    """``name`` is its file's and its link's, ``number`` its place in the list, ``next`` the name of another lesson or ""."""

    name: str
    number: int
    minutes: int
    title: str
    goal: str
    introduction: str
    steps: tuple[Step, ...]
    question: Question
    read: str
    next: str

    @property
    def num_parts(self) -> int:
        """What can be done in it: the steps and the question."""
        return len(self.steps) + 1

    def page_of(self, number: int) -> str | None:
        """The page on which a step, counted from 0, is done, as far as the lesson says so."""
        setups = (step.setup for step in reversed(self.steps[: number + 1]))
        return next((setup.page for setup in setups if setup and setup.page), None)


def lessons() -> dict[str, Lesson]:
    """All lessons by name, in their order and in the visitor's language."""
    return load_lessons(TEXTS, language())


@cache
def load_lessons(folder: Path, code: str) -> dict[str, Lesson]:
    """All lessons in this language, or in English where they are not translated."""
    loaded = [load_lesson(path, folder / code / path.name) for path in sorted((folder / ENGLISH).glob("*.md"))]
    for lesson in loaded:
        if lesson.next and lesson.next not in {other.name for other in loaded}:
            raise InklingError(f"{lesson.name}.md: next must be the name of a lesson, got {shown(lesson.next)}")
    return {lesson.name: lesson for lesson in sorted(loaded, key=lambda lesson: lesson.number)}


def load_lesson(path: Path, translation: Path | None = None) -> Lesson:
    """The lesson in a file, with the texts of a ``translation`` if there is such a file."""
    values, introduction = _read(path)
    _check(values, PARTS, path.name)
    if translation and translation != path and translation.is_file():
        texts, translated = _read(translation)
        where = f"{translation.parent.name}/{translation.name}"
        _check(texts, TEXT_PARTS, where, is_complete=False)
        values, introduction = _merge(values, texts, where), translated or introduction
    try:
        return _make(path.stem, values, introduction)
    except InklingError as error:
        raise InklingError(f"{path.name}: {error}") from None


def _read(path: Path) -> tuple[dict[str, Any], str]:
    before, opening, rest = path.read_text(encoding="utf-8").partition(f"{FENCE}\n")
    header, closing, body = rest.partition(f"\n{FENCE}\n")
    if before or not opening or not closing:
        raise InklingError(f"{path.name}: it must begin with TOML between two lines of {FENCE}")
    try:
        return tomllib.loads(header), body.strip()
    except tomllib.TOMLDecodeError as error:
        raise InklingError(f"{path.name}: its header must be TOML: {error}") from None


def _check(value: Any, expected: Any, where: str, is_complete: bool = True) -> None:
    """Raise ``InklingError`` unless ``value`` has the parts, and only the parts, that are ``expected``."""
    kind = expected if isinstance(expected, type) else type(expected)
    if not isinstance(value, kind) or (value == "" and not where.endswith("drawing")):
        names = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}
        raise InklingError(f"{where}: expected {names[kind]}, got {shown(value)}")
    if isinstance(expected, list):
        for number, part in enumerate(value, 1):
            _check(part, expected[0], f"{where} {number}", is_complete)
    elif isinstance(expected, dict):
        for name in value:
            if name not in expected:
                raise InklingError(f"{where}: expected only {', '.join(expected)}, got {shown(name)}")
        for name, part in expected.items():
            if name in value:
                _check(value[name], part, f"{where}: {name}", is_complete)
            elif is_complete and name not in OPTIONAL:
                raise InklingError(f"{where}: {name} is missing")


def _merge(english: Any, translated: Any, where: str) -> Any:
    """The English parts with the translated ones in their places."""
    if isinstance(english, dict):
        return {
            name: _merge(part, translated[name], where) if name in translated else part for name, part in english.items()
        }
    if isinstance(english, list):
        if len(english) != len(translated):
            raise InklingError(f"{where}: expected {len(english)} parts as in English, got {len(translated)}")
        return [_merge(*pair, where) for pair in zip(english, translated, strict=True)]
    return translated


def _make(name: str, values: dict[str, Any], introduction: str) -> Lesson:
    question = values["question"]
    if not 1 <= question["right"] <= len(question["choices"]):
        raise InklingError(f"right must be the number of a choice, 1 to {len(question['choices'])}, got {question['right']}")
    if not 1 <= values["minutes"] <= MAX_MINUTES:
        raise InklingError(f"minutes must be 1 to {MAX_MINUTES}, got {values['minutes']}")
    if not MIN_STEPS <= len(values["steps"]) <= MAX_STEPS:
        raise InklingError(f"expected {MIN_STEPS} to {MAX_STEPS} steps, got {len(values['steps'])}")
    if not introduction:
        raise InklingError("the introduction below the header is missing")
    return Lesson(
        name,
        values["number"],
        values["minutes"],
        values["title"],
        values["goal"],
        introduction,
        tuple(_step(step, number) for number, step in enumerate(values["steps"], 1)),
        Question(question["ask"], tuple(question["choices"]), question["right"] - 1, question["answer"]),
        values["read"],
        values.get("next", ""),
    )


def _step(values: dict[str, Any], number: int) -> Step:
    try:
        if not values["done"]:
            raise InklingError(f"done must name a condition, one of {', '.join(CONDITIONS)}")
        for name, arguments in values["done"].items():
            check_arguments(name, arguments)
        return Step(values["do"], values["then"], values["done"], _setup(values["setup"]) if "setup" in values else None)
    except InklingError as error:
        raise InklingError(f"step {number}: {error}") from None


def _setup(values: dict[str, Any]) -> Setup:
    for name, allowed in {"page": PAGES, "network": NETWORKS}.items():
        if values.get(name, allowed[0]) not in allowed:
            raise InklingError(f"{name} must be one of {', '.join(allowed)}, got {shown(values[name])}")
    config = drawing = None
    if "settings" in values:
        config = from_query(dict(parse_qsl(values["settings"])))
        if config is None:
            raise InklingError(f"settings must be the part of a link behind the question mark, got {values['settings']}")
    if "drawing" in values:
        drawing = from_text(values["drawing"]) if values["drawing"] else []
    return Setup(values.get("page"), config, values.get("seeds", 1), values.get("network"), drawing, values.get("panel"))
