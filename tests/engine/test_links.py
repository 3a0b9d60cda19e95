"""Configurations as links. A link can come from anyone, so each one is a configuration or an error of one line."""

import base64
import json
import zlib
from urllib.parse import parse_qsl, urlencode

import pytest
from examples import READER
from helpers import outcome
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine import links
from engine.checks import InklingError
from engine.config import Config
from engine.data.augmentation import AUGMENTATIONS, Augmentation
from engine.layers import Activation, Conv2D, Dense, Flatten
from engine.links import LATEST, MAX_LINK_LENGTH, VERSIONS, from_query, to_query
from engine.network import dense_layers
from engine.recipes import RECIPES
from engine.setting_fields import Choice, Flag, Integer, Number, settings_of

SETTINGS = settings_of(Config)
OTHERS = {  # values of the settings that are not plain numbers and choices
    "layers": st.sampled_from(
        [READER, dense_layers((5, 4), "gelu", "zeros"), (Dense(8, frozen=True), Dense(10)), RECIPES["cnn"].config.layers]
    ),
    "input_shape": st.sampled_from([None, (784,), (1, 28, 28)]),
    "augmentation": st.sampled_from([*AUGMENTATIONS.values(), Augmentation(), Augmentation(shift=1 / 3, noise=1e-9)]),
}


def values_of(name):
    """A strategy for the values of a setting; new settings are tested by themselves."""
    kind, none = SETTINGS[name].kind, SETTINGS[name].none
    if isinstance(kind, Number):
        values = st.floats(kind.low, kind.high, exclude_min=kind.open_low)
    elif isinstance(kind, Integer):
        values = st.integers(kind.low, kind.high)
    elif isinstance(kind, Flag):
        values = st.booleans()
    else:
        values = st.sampled_from(list(kind.registry)) if isinstance(kind, Choice) else OTHERS[name]
    return values | st.none() if none else values


def packed(value, level=9):
    """A link in the form of earlier versions."""
    return base64.urlsafe_b64encode(zlib.compress(value, level)).decode().rstrip("=")


def old_link(config):
    """The link that earlier versions made of a configuration."""
    values, default = config.to_json(), Config().to_json()
    return packed(json.dumps({name: value for name, value in values.items() if value != default[name]}).encode())


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={name: values_of(name) for name in SETTINGS}))
def test_every_configuration_comes_back_from_its_link(changes):
    config, message = outcome(InklingError, lambda: Config(**changes))
    assume(message is None)
    query = dict(parse_qsl(urlencode(to_query(config)), strict_parsing=True))
    assert from_query(query) == config
    assert from_query({"config": old_link(config)}) == config


@pytest.mark.parametrize("name", RECIPES)
def test_the_link_of_a_recipe_is_its_name(name):
    assert to_query(RECIPES[name].config) == {"v": LATEST, "preset": name}
    assert from_query({"preset": name}) == RECIPES[name].config


def test_a_link_is_readable():
    layers = (Conv2D(8, 5), Activation("relu"), Flatten(), Dense(10))
    assert to_query(Config(learning_rate=0.01, layers=layers, shuffle=False, batch_size=None, max_grad_norm=1)) == {
        "v": LATEST,
        "preset": "quick",
        "learning_rate": "0.01",
        "layers": "conv2d:8:kernel=5,relu,flatten,dense:10",
        "shuffle": "off",
        "batch_size": "none",
        "max_grad_norm": "1",
    }


def test_links_know_todays_presets():
    """If this fails, presets or defaults were changed: add a version to ``link_presets.json``, and keep the others."""
    latest = VERSIONS[LATEST]
    assert Config.from_json(latest["default"]) == Config()
    presets = {name: Config.from_json(latest["default"] | changes) for name, changes in latest["presets"].items()}
    assert presets == {name: recipe.config for name, recipe in RECIPES.items()}


def test_a_link_means_the_same_when_presets_and_defaults_have_changed(monkeypatch):
    config = Config(learning_rate=0.01)
    made = [to_query(config), {"learning_rate": "0.01"}, {"config": old_link(config)}]
    default = VERSIONS[LATEST]["default"] | {"epochs": 77}
    monkeypatch.setitem(VERSIONS, "999", {"default": default, "presets": {"quick": {"batch_size": 3}}})
    monkeypatch.setattr(links, "LATEST", "999")
    assert [from_query(query) for query in made] == [config] * 3
    assert to_query(Config(epochs=77, batch_size=3)) == {"v": "999", "preset": "quick"}
    assert from_query({"v": "999", "preset": "quick"}) == Config(epochs=77, batch_size=3)


def test_a_link_of_a_version_that_is_not_known_says_so():
    with pytest.raises(InklingError, match=r"v, a link's version, .*12345"):
        from_query({"v": "12345", "preset": "quick"})


@pytest.mark.parametrize("text", ["epochs=7", "v=1&preset=quick&epochs=7", "config=eNqrVkotyE_OKFayUjCvBQAgAQRQ"])
def test_links_that_were_made_once(text):
    """As they were in 2026: none may change its meaning."""
    config = from_query(dict(parse_qsl(text)))
    assert config is not None
    assert (config.epochs, config.batch_size, config.learning_rate, config.optimizer) == (7, 128, 0.002, "adam")


def test_without_a_preset_the_settings_change_the_default():
    assert from_query({"learning_rate": "0.01", "data": "mnist", "page": "2"}) == Config(learning_rate=0.01)


def test_a_query_about_other_things_is_no_configuration():
    assert from_query({}) is None
    assert from_query({"data": "mnist", "Epochs": "5", "": ""}) is None


def test_old_names_are_read_and_todays_win():
    assert from_query({"images": "500", "clip_norm": "2"}) == Config(train_size=500, max_grad_norm=2)
    assert from_query({"train_size": "700", "images": "500"}) == Config(train_size=700)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"preset": ""}, "preset must be one of quick"),
        ({"preset": "x" * 3_000}, "preset must be one of quick"),
        ({"preset": "quick\n"}, "preset must be one of quick"),
        ({"learning_rate": ""}, "learning_rate must be a number"),
        ({"learning_rate": "nan"}, "learning_rate must be in"),
        ({"learning_rate": "1e999"}, "learning_rate must be in"),
        ({"learning_rate": "9" * 3_900}, "learning_rate must be in"),
        ({"epochs": "9" * 3_900}, "epochs must be a whole number from 1 to"),
        ({"epochs": "-1"}, "epochs must be a whole number from 1 to"),
        ({"epochs": "٣\u200b"}, "epochs must be a whole number"),
        ({"epochs": "none"}, "epochs must be a whole number"),
        ({"seed": str(2**63)}, "seed must be a whole number"),
        ({"shuffle": "True"}, "shuffle must be one of on, off"),
        ({"layers": ""}, "layers must be one of"),
        ({"layers": "," * 99}, "layers must be one of"),
        ({"layers": "," * 100}, "at most 100 layers, got 101"),
        ({"layers": "dense:" + "9" * 3_900}, "units must be a whole number"),
        ({"layers": "dense:10:units=10"}, "once"),
        ({"layers": "dense:65536,dense:65536,dense:10"}, "at most 50,000,000 parameters"),
        ({"layers": "conv2d:8,dense:10"}, "takes rows of numbers"),
        ({"layers": "dense:9"}, "layers must end in 10 outputs"),
        ({"layers": "dense:10:__class__=x"}, "dense takes"),
        ({"input_shape": "9" * 3_900}, "input_shape must be"),
        ({"input_shape": "28x28"}, "input_shape must be 1 or 3 whole numbers"),
        ({"augmentation": "shift=nan"}, "augmentation shift must be"),
        ({"augmentation": "shift=1:colour=2"}, "augmentation must be one of"),
        ({"validation_size": "60000"}, "validation_size must be a whole number from 0 to 59,999"),
        ({"patience": "3", "validation_size": "0"}, "patience needs a validation set"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_a_wrong_value_is_refused_in_one_line(query, words):
    with pytest.raises(InklingError, match=words) as caught:
        from_query(query)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "query",
    [
        {"layers": "dense:10," * 1_000_000},
        {"epochs": "9" * 5_000},
        {"preset": "quick" * 1_000},
        {"config": "A" * 4_001},
        {"config": "é" * 10**6},
        {"images": "5" * 3_000, "train_size": "5", "seed": "5" * 3_000, "epochs": "5" * 3_000},
        dict.fromkeys(SETTINGS, "1" * 400),
    ],
    ids=range(7),
)
def test_a_long_link_is_refused_before_anything_is_read(query, monkeypatch):
    def fail(*_):
        pytest.fail("it was read")

    for name in ("_unpack", "check_choice", "replace"):
        monkeypatch.setattr(links, name, fail)
    with pytest.raises(InklingError, match=f"at most {MAX_LINK_LENGTH:,} characters"):
        from_query(query)


names = st.sampled_from([*SETTINGS, *(old for setting in SETTINGS.values() for old in setting.old_names), "preset"])
words = "dense conv2d flatten relu shift quick none on 10 -1 1e9"
fragments = st.sampled_from([*words.split(), ":", ",", "=", "x", "é", "\n", "\0"])
texts = st.text(max_size=20) | st.lists(fragments, max_size=8).map("".join) | st.integers().map(str) | st.floats().map(str)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(names | st.just("config") | st.text(max_size=10), texts, max_size=5))
def test_any_query_is_a_configuration_or_one_line(query):
    config, message = outcome(InklingError, from_query, query)
    if message is not None:
        assert "\n" not in message
        assert len(message) < 500
    elif config is not None:
        assert from_query(to_query(config)) == config


@settings(deadline=None)
@given(st.lists(st.tuples(names, texts), max_size=5))
def test_any_address_is_a_configuration_or_one_line(pairs):
    """Names may be repeated, as in ``?epochs=2&epochs=x``: the last one counts."""
    query = dict(parse_qsl(urlencode(pairs), keep_blank_values=True))
    _, message = outcome(InklingError, from_query, query)
    assert message is None or "\n" not in message


def test_a_configuration_that_is_too_long_for_a_link_is_refused():
    layers = (Dense(100, "small_uniform", frozen=True),) * 99
    with pytest.raises(InklingError, match="a link has room for"):
        to_query(Config(layers=(*layers, Dense(10))))


@pytest.mark.parametrize("reader", ["engine.layers._layer_from_text", "engine.layers.layer_from_json"])
def test_a_link_with_too_many_layers_is_refused_before_a_layer_is_made(reader, monkeypatch):
    monkeypatch.setattr(reader, lambda *_: pytest.fail("a layer was made"))
    if reader.endswith("text"):  # at most 4,000 characters
        query = {"layers": "," * 3_900}
    else:  # 4,000 layers in a link of 400 characters
        query = {"config": packed(b'{"layers":[' + b'{"layer":"flatten"},' * 4_000 + b'{"layer":"dense","units":10}]}')}
        assert len(query["config"]) < 400
    with pytest.raises(InklingError, match=r"at most 100 layers, got (3,9|4,0)01"):
        from_query(query)


# --- links of earlier versions ---

LINK = old_link(Config(epochs=3))


@pytest.mark.parametrize(
    "link",
    [
        *("", " ", "x", "!", "=", "é", "a" * 4_001, "a" * 10**6, LINK[:-4], LINK + "AAAA", LINK + " ", f"={LINK}"),
        packed(b""),
        packed(b"5"),
        packed(b"[]"),
        packed(b"NaN"),
        packed(b"{"),
        packed(b"\xff"),
        packed(b"[" * 100_000),
        packed(b'{"a":' * 40_000),
        packed(b'{"seed":' + b"9" * 10_000 + b"}"),
        packed(b" " * (1 << 19) + b"{}"),
        packed(b"0" * 10**7),
        packed(b'{"epochs":-1}'),
        packed(b'{"epoch":1}'),
        packed(b'{"layers":[{"layer":"dense","units":1e9}]}'),
        packed(b'{"layers":[' + b'{"layer":"flatten"},' * 5_000 + b"5]}"),
        packed(b"{}")[:-1] + "A",
    ],
    ids=lambda link: str(link)[:12],
)
def test_a_broken_or_hostile_old_link_is_refused_in_one_line(link):
    with pytest.raises(InklingError) as caught:
        from_query({"config": link})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_old_link_unpacks_to_little(monkeypatch):
    sizes = []
    monkeypatch.setattr(links.json, "loads", lambda text: sizes.append(len(text)) or {})
    for size in (100, links.MAX_UNPACKED_BYTES, links.MAX_UNPACKED_BYTES + 1, 2**21):
        outcome(InklingError, from_query, {"config": packed(b" " * size)})
    assert sizes == [100, links.MAX_UNPACKED_BYTES]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.sampled_from(["", "relu", "dense"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("layer"), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.text(max_size=60)
    | st.binary(max_size=80).map(packed)
    | st.dictionaries(names, json_values).map(lambda value: packed(json.dumps(value).encode()))
)
def test_any_old_link_is_a_configuration_or_one_line(text):
    config, message = outcome(InklingError, from_query, {"config": text})
    if message is None:
        assert from_query({"config": old_link(config)}) == config
    else:
        assert "\n" not in message
