"""The files of lessons: each can be read, and what is wrong in one is said in a line."""

import re

import pytest

from engine import InklingError
from ui.lessons.lesson import ENGLISH, MAX_STEPS, TEXTS, load_lesson, load_lessons

FILES = sorted((TEXTS / ENGLISH).glob("*.md"))
TRANSLATIONS = sorted(path for path in TEXTS.glob("*/*.md") if path.parent.name != ENGLISH)

GOOD = """+++
number = 1
minutes = 5
title = "A title"
goal = "A goal."
read = "More."

[[steps]]
do = "Draw a **4**."
then = "It reads a 4."
[steps.done.reads]
digit = 4
[steps.setup]
page = "draw"
settings = "preset=quick&learning_rate=0.1"
drawing = ""

[[steps]]
do = "Open a panel."
then = "It is open."
[steps.done.panel_open]
panel = "Why"

[[steps]]
do = "Press Start."
then = "It runs."
[steps.done.run_over]
at_least = 0.5
[steps.done.run_over.settings]
learning_rate = "0.1"

[question]
ask = "Why?"
choices = ["So", "Because"]
right = 2
answer = "Because it is so."
+++
The introduction.
"""


def test_there_are_eight_lessons_in_one_order_that_lead_from_one_to_the_next():
    lessons = load_lessons(TEXTS, ENGLISH)
    assert [lesson.number for lesson in lessons.values()] == [*range(1, 9)]
    names = [*lessons]
    assert [lesson.next for lesson in lessons.values()] == [*names[1:], ""]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_a_lesson_of_5_to_15_minutes_with_a_prepared_page(path):
    lesson = load_lesson(path)
    assert 5 <= lesson.minutes <= 15
    assert lesson.steps[0].setup
    assert lesson.steps[0].setup.page
    assert lesson.page_of(len(lesson.steps) - 1)
    assert re.fullmatch("[a-z-]+", lesson.name)  # it stands in a link
    assert len({*lesson.question.choices}) == len(lesson.question.choices) >= 2
    for text in (
        lesson.title,
        lesson.goal,
        lesson.introduction,
        *(text for step in lesson.steps for text in (step.do, step.then)),
    ):
        assert text == text.strip()
        assert len(text) < 500


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_translation_fits_its_english_lesson(path):
    english = TEXTS / ENGLISH / path.name
    assert english.is_file()
    translated, original = load_lesson(english, path), load_lesson(english)
    assert translated.title != original.title or translated.introduction != original.introduction
    assert [step.conditions for step in translated.steps] == [step.conditions for step in original.steps]


def read(tmp_path, text, translation=None):
    for folder, content in (("en", text), ("de", translation)):
        (tmp_path / folder).mkdir()
        if content is not None:
            (tmp_path / folder / "a.md").write_text(content, encoding="utf-8")
    return load_lesson(tmp_path / "en" / "a.md", tmp_path / "de" / "a.md")


def test_a_file_says_everything_of_a_lesson(tmp_path):
    lesson = read(tmp_path, GOOD)
    first = lesson.steps[0]
    assert (lesson.name, lesson.title, lesson.introduction) == ("a", "A title", "The introduction.")
    assert first.conditions == {"reads": {"digit": 4}}
    assert first.setup.config.learning_rate == 0.1
    assert first.setup.drawing == []
    assert lesson.question.choices[lesson.question.right] == "Because"
    assert lesson.num_parts == 4
    assert [lesson.page_of(number) for number in range(3)] == ["draw"] * 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("+++\nnumber", "number", "between two lines of"),
        ('goal = "A goal."', "goal = A goal.", "must be TOML"),
        ('goal = "A goal."\n', "", "goal is missing"),
        ('goal = "A goal."', 'goal = ""', "goal: expected a text"),
        ("minutes = 5", 'minutes = "5"', "minutes: expected a whole number"),
        ("minutes = 5", "minutes = 500", "minutes must be 1 to 30, got 500"),
        ("minutes = 5", "minutes = 5\nminuts = 5", "expected only .*, got 'minuts'"),
        ("right = 2", "right = 3", "number of a choice, 1 to 2, got 3"),
        ("[steps.done.reads]", "[steps.done.read]", "step 1: expected a condition, one of .*, got 'read'"),
        ("digit = 4", "digits = 4", "step 1: reads must have digit, network, got"),
        ("digit = 4\n", "", "step 1: reads must have digit"),
        ('page = "draw"', 'page = "drawing"', "step 1: page must be one of draw, .*, got 'drawing'"),
        ("learning_rate=0.1", "learning_rate=ten", "step 1: learning_rate must be"),
        ('drawing = ""', 'drawing = "no drawing"', "step 1: the drawing in this link is damaged"),
        (
            'learning_rate = "0.1"',
            'learning_rate = "0.10"',
            "step 3: learning_rate must be written as a link writes it, 0.1",
        ),
        ('learning_rate = "0.1"', 'learning = "0.1"', "step 3: run_over must name a setting"),
        ("The introduction.", "", "the introduction below the header is missing"),
        ("[steps.done.panel_open]\npanel", "[steps.done]\n[steps.setup]\npanel", "step 2: done must name a condition"),
        (
            "[question]",
            MAX_STEPS * '[[steps]]\ndo = "x"\nthen = "x"\ndone.sure = {}\n' + "[question]",
            "expected 3 to 6 steps, got 9",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_line(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(InklingError, match=message) as error:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert str(error.value).startswith("a.md: ")
    assert "\n" not in str(error.value)


def test_a_translation_has_texts_only_and_the_rest_stays_english(tmp_path):
    german = '+++\ntitle = "Ein Titel"\n[[steps]]\ndo = "Zeichne eine **4**."\n[[steps]]\n[[steps]]\n+++\nDie Einleitung.\n'
    lesson = read(tmp_path, GOOD, german)
    assert (lesson.title, lesson.goal, lesson.introduction) == ("Ein Titel", "A goal.", "Die Einleitung.")
    assert [step.do for step in lesson.steps] == ["Zeichne eine **4**.", "Open a panel.", "Press Start."]
    assert lesson.steps[0].conditions == {"reads": {"digit": 4}}


@pytest.mark.parametrize(
    ("german", "message"),
    [
        ("+++\nminutes = 7\n+++\n", "de/a.md: expected only title"),
        ('+++\n[[steps]]\ndo = "Eins"\n+++\n', "de/a.md: expected 3 parts as in English, got 1"),
        ("+++\ntitle = 5\n+++\n", "de/a.md: title: expected a text"),
    ],
)
def test_what_is_wrong_in_a_translation_is_said_in_one_line(tmp_path, german, message):
    with pytest.raises(InklingError, match=message):
        read(tmp_path, GOOD, german)


def test_the_next_lesson_must_exist(tmp_path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "a.md").write_text(GOOD.replace("number = 1", 'number = 1\nnext = "b"'))
    with pytest.raises(InklingError, match=r"a\.md: next must be the name of a lesson, got 'b'"):
        load_lessons(tmp_path, "en")
