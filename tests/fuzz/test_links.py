"""Any query of an address is a configuration with few layers, or an error of one line."""

import base64
import json
import zlib
from math import prod

from fuzz.conftest import examples
from helpers import outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checks import InklingError
from engine.config import Config
from engine.layers import LAYERS, MAX_LAYERS
from engine.links import from_query, to_query
from engine.network import MAX_PARAMETERS, WORKING_NUMBERS, image_shape, plan
from engine.setting_fields import settings_of

SETTINGS = settings_of(Config)
NAMES = [*SETTINGS, *(old for setting in SETTINGS.values() for old in setting.old_names), "preset"]
numbers = st.integers().map(str) | st.floats().map(str) | st.sampled_from(["1", "5", "784", "65536", "1000000", "9" * 400])
words = st.sampled_from([*LAYERS, "relu", "cnn", "quick", "none", "on", "shift", "kernel", "units", "frozen", "stride"])
pieces = st.lists(words | numbers | st.sampled_from(list(":,=x-.\0\né")), max_size=12).map("".join)
layer_texts = st.builds(
    lambda parts, repeats, last: ",".join([*parts * repeats, last]),
    st.lists(st.builds("{}:{}".format, words, numbers) | words, max_size=4),
    st.sampled_from([1, 2, 24, 25, 26, 200]),
    st.sampled_from(["dense:10", "10", "flatten"]),
)
texts = st.text(max_size=30) | pieces | numbers | layer_texts


def packed(value):
    """A link of an earlier version."""
    return base64.urlsafe_b64encode(zlib.compress(value)).decode().rstrip("=")


json_layers = st.fixed_dictionaries({"layer": st.sampled_from(list(LAYERS))}, optional={"units": st.integers(-1, 70_000)})
json_values = st.dictionaries(
    st.sampled_from(NAMES), st.none() | st.integers() | st.floats() | st.lists(json_layers, max_size=4) | st.text(max_size=5)
)
repeated = st.builds(
    lambda layers, times: {"layers": layers * times}, st.lists(json_layers, min_size=1), st.integers(1, 2_000)
)
old_links = (json_values | repeated).map(lambda value: packed(json.dumps(value).encode())) | st.binary().map(packed)
queries = st.dictionaries(st.sampled_from(NAMES), texts, max_size=5) | old_links.map(lambda text: {"config": text})


@settings(deadline=None, max_examples=examples(1_000))
@given(queries)
def test_any_query_is_a_configuration_of_limited_size_or_one_line(query):
    config, message = outcome(InklingError, from_query, query)
    if message is not None:
        assert "\n" not in message
        assert len(message) < 600
    elif config is not None:
        assert len(config.layers) <= MAX_LAYERS
        plans = plan(config.layers, config.input_shape or image_shape(config.layers))
        assert sum(row.num_parameters for row in plans) <= MAX_PARAMETERS
        assert all(max(row.working_size, prod(row.output)) <= WORKING_NUMBERS for row in plans)
        assert config.training_bytes() > 0
        link, too_long = outcome(InklingError, to_query, config)
        assert too_long is not None or from_query(link) == config
