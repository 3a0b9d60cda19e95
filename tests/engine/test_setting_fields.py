from dataclasses import dataclass, field

import pytest
from helpers import outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checks import InklingError
from engine.config import CHANGEABLE, Config
from engine.data.augmentation import Augmentation
from engine.layers import LAYERS
from engine.optimizers import OPTIMIZERS
from engine.setting_fields import (
    Choice,
    Flag,
    Integer,
    Number,
    Setting,
    check_settings,
    current_names,
    environment_value,
    setting,
    settings_of,
)


class Entry:
    label = "a green apple"


FRUIT = {"apple": Entry, "pear": object()}


@dataclass
class Basket:
    fruit: str = setting("Fruit", "What is in it.", Choice(FRUIT))
    weight: float = setting("Weight", "In kg.", Number(0, 10, open_low=True), default=1.0, old_names=("mass", "load"))
    count: int | None = setting("Count", "How many.", Integer(1, 5), default=None, none="any number")
    washed: bool = setting("Washed", "Whether it is clean.", Flag(), default=False)
    note: str = field(default="", kw_only=True)

    def __post_init__(self):
        check_settings(self)


def test_a_dataclass_describes_its_settings():
    assert list(settings_of(Basket)) == ["fruit", "weight", "count", "washed"]
    assert settings_of(Basket)["count"].none == "any number"
    assert Basket("apple") == Basket(fruit="apple", weight=1.0, count=None, washed=False)
    with pytest.raises(TypeError):
        Basket()


def test_checked_values_have_the_type_of_the_setting():
    basket = Basket("pear", weight=2, count=3)
    assert (type(basket.weight), basket.weight, basket.count) == (float, 2.0, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fruit": "plum"}, "fruit must be one of apple, pear, got 'plum'"),
        ({"fruit": None}, "fruit must be one of apple, pear, got None"),
        ({"weight": 0}, r"weight must be in \(0, 10\], got 0"),
        ({"weight": None}, r"weight must be in \(0, 10\], got None"),
        ({"count": 6}, "count must be a whole number from 1 to 5, got 6"),
        ({"washed": 1}, "washed must be True or False, got 1"),
        ({"washed": None}, "washed must be True or False, got None"),
    ],
)
def test_other_values_are_refused_by_name(values, message):
    with pytest.raises(InklingError, match=message):
        Basket(**({"fruit": "apple"} | values))


@pytest.mark.parametrize(
    ("name", "value", "text", "shown"),
    [
        ("fruit", "apple", "apple", "a green apple"),
        ("fruit", "pear", "pear", "pear"),
        ("weight", 2.0, "2", "2"),
        ("weight", 0.1, "0.1", "0.1"),
        ("weight", 1e-5, "1e-05", "1e-05"),
        ("count", 5, "5", "5"),
        ("count", None, "none", "any number"),
        ("washed", True, "on", "on"),
        ("washed", False, "off", "off"),
    ],
)
def test_values_are_written_read_and_shown(name, value, text, shown):
    description = settings_of(Basket)[name]
    assert description.to_text(value) == text
    assert description.from_text(name, text) == value
    assert description.show(value) == shown


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("weight", "heavy", "weight must be a number from 0 to 10, got 'heavy'"),
        ("weight", "nan", "weight must be in"),
        ("weight", "9" * 5_000, "weight must be in"),
        ("weight", "none", "weight must be a number"),
        ("count", "two", "count must be a whole number from 1 to 5, got 'two'"),
        ("count", "1.0", "count must be a whole number"),
        ("count", "9" * 5_000, "count must be a whole number"),
        ("washed", "yes", "washed must be one of on, off, got 'yes'"),
        ("fruit", "", "fruit must be one of"),
    ],
)
def test_other_texts_are_refused(name, text, message):
    with pytest.raises(InklingError, match=message) as caught:
        settings_of(Basket)[name].from_text(name, text)
    assert len(str(caught.value)) < 300


@settings(deadline=None)
@given(st.floats(0, 10, exclude_min=True))
def test_every_number_comes_back_from_its_text(value):
    description = settings_of(Basket)["weight"]
    assert description.from_text("weight", description.to_text(value)) == value


ALL = [(cls, name) for cls in (Config, Augmentation, *LAYERS.values()) for name in settings_of(cls)]


@settings(deadline=None, max_examples=20)
@given(st.text(max_size=30))
@pytest.mark.parametrize(("cls", "name"), ALL, ids=lambda part: getattr(part, "__name__", part))
def test_any_text_is_a_value_or_one_line(cls, name, text):
    description = settings_of(cls)[name]
    value, message = outcome(InklingError, description.from_text, name, text)
    if message is None:
        assert description.from_text(name, description.to_text(value)) == value
    else:
        assert "\n" not in message


@pytest.mark.parametrize(("cls", "name"), ALL, ids=lambda part: getattr(part, "__name__", part))
def test_usual_values_are_allowed_and_shown(cls, name):
    description = settings_of(cls)[name]
    for value in (*description.usual, *([None] if description.none else [])):
        assert description.check(name, value) == value
        assert description.show(value)
        assert description.from_text(name, description.to_text(value)) == value
    assert description.label
    assert description.help.endswith(".")


def test_old_names_become_todays():
    assert current_names(Basket, {"mass": 2, "fruit": "pear", "other": 1}) == {"weight": 2, "fruit": "pear", "other": 1}
    for values in ({"mass": 2, "weight": 3}, {"weight": 3, "load": 2}):
        assert current_names(Basket, values) == {"weight": 3}


def test_labels_in_a_sentence():
    assert Setting("Learning rate", "", Flag()).label_in_sentence == "learning rate"
    assert Setting("L1", "", Flag()).label_in_sentence == "L1"


def test_momentum_applies_to_the_optimizers_that_have_it():
    applies = settings_of(Config)["momentum"].applies
    assert [name for name in OPTIMIZERS if applies({"optimizer": name})] == ["momentum", "nesterov"]
    assert set(CHANGEABLE) <= set(settings_of(Config))


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (None, Integer(1, 9), 5),
        ("", Integer(1, 9), 5),
        (" ", Number(0, 9), 5),
        ("9", Integer(1, 9), 9),
        (" 3 ", Integer(1, 9), 3),
        ("0", Number(0, 9), 0.0),
        (" 0.5", Number(0, 9), 0.5),
        ("off", Flag(), False),
    ],
)
def test_an_environment_variable_has_a_value_or_the_default(monkeypatch, text, kind, value):
    monkeypatch.delenv("INKLING_TEST", raising=False)
    if text is not None:
        monkeypatch.setenv("INKLING_TEST", text)
    assert environment_value("INKLING_TEST", kind, 5) == value


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("0", Integer(1, 9_000), "must be a whole number from 1 to 9,000, got 0"),
        ("-1", Integer(1, 9_000), "must be a whole number from 1 to 9,000, got -1"),
        ("two", Integer(1, 9), "must be a whole number from 1 to 9, got 'two'"),
        ("1.5", Integer(1, 9), "must be a whole number from 1 to 9, got '1.5'"),
        ("often", Number(0, 9), "must be a number from 0 to 9, got 'often'"),
        ("nan", Number(0, 9), r"must be in \[0, 9\], got nan"),
    ],
)
def test_an_environment_variable_with_another_value_is_refused(monkeypatch, text, kind, message):
    monkeypatch.setenv("INKLING_TEST", text)
    with pytest.raises(InklingError, match=f"^INKLING_TEST {message}$"):
        environment_value("INKLING_TEST", kind, 5)
