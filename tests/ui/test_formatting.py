"""Settings, numbers and names as text."""

from dataclasses import replace

import pytest

from engine.recipes import RECIPES
from ui import formatting


@pytest.mark.parametrize(
    ("fraction", "text"), [(0, "0.0 %"), (0.1234, "12.3 %"), (0.9994, "99.9 %"), (0.99999, "100.0 %"), (1, "100.0 %")]
)
def test_a_fraction_in_percent(fraction, text):
    assert formatting.percent(fraction) == text
    assert formatting.percent(0.98765, 2) == "98.77 %"


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0, "0.0 %"),
        (0.1234, "12.3 %"),
        (0.9994, "99.9 %"),
        (0.9995, "more than 99.9 %"),
        (0.99999, "more than 99.9 %"),
        (1, "100.0 %"),
    ],
)
def test_confidence_is_never_rounded_up_to_certainty(probability, text):
    assert formatting.confidence(probability) == text
    assert formatting.confidence(probability, ">") == text.replace("more than ", ">")


@pytest.mark.parametrize("recipe", RECIPES)
def test_differences_of_configurations(recipe):
    config = RECIPES[recipe].config
    changed = replace(config, learning_rate=0.123, batch_size=77)
    text = formatting.differences(config, changed)
    assert f"learning rate {config.learning_rate:g} → 0.123" in text
    assert "→ 77" in text
    assert formatting.differences(config, config) == ""
    assert formatting.setting_value("layers", config.layers).endswith(("10", "10 sigmoid", "10 softmax"))


def test_changes_during_a_training():
    changes = {"learning_rate": 0.5, "batch_size": None}
    assert formatting.changes(changes) == "learning rate changed to 0.5, batch size changed to all images"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "less than 0.1 s"), (0, "0.0 s"), (7.25, "7.2 s"), (42, "42 s"), (600, "10 min"), (9000, "2.5 h")],
)
def test_durations(seconds, text):
    assert formatting.duration(seconds) == text


@pytest.mark.parametrize("text", ["a*b*", "$x$", "[a](b)", "`c`", "a_b_", "~~d~~", ":smile:", "# e", "1. f", "<b>", "&lt;"])
def test_markdown_in_a_name_loses_its_meaning(text):
    escaped = formatting.escape_markdown(text)
    assert escaped != text
    assert escaped.replace("\\", "") == text
    special = [i for i, character in enumerate(escaped) if character in "*$[]()`_~:#.<>&"]
    assert all(escaped[i - 1] == "\\" for i in special)
