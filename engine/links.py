"""A configuration as the query parameters of a link: ``?preset=quick&learning_rate=0.01&layers=dense:64,relu,dense:10``."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace

from engine.checks import InklingError, check_choice, shown
from engine.config import Config
from engine.recipes import RECIPES
from engine.setting_fields import current_names, settings_of

MAX_LINK_LENGTH = 4_000  # characters: browsers and servers take longer addresses, but not all of them do
MAX_UNPACKED_BYTES = 1 << 18  # bytes of JSON that an old link may unpack to: a small hostile link must not fill the memory


def to_query(config: Config) -> dict[str, str]:
    """The preset that is most like ``config``, and the settings that differ; raises ``InklingError`` if that is too long."""
    preset = min(RECIPES.values(), key=lambda recipe: len(recipe.config.differences(config)))
    described = settings_of(Config)
    query = {"preset": preset.name}
    for name, (_, value) in preset.config.differences(config).items():
        query[name] = described[name].to_text(value)
    length = sum(len(name) + len(text) + 2 for name, text in query.items())  # each with its "=" and "&"
    if length > MAX_LINK_LENGTH:
        raise InklingError(f"a link has room for {MAX_LINK_LENGTH:,} characters, and this configuration takes {length:,}")
    return query


def from_query(query: Mapping[str, str]) -> Config | None:
    """The configuration that ``to_query`` wrote, also in the packed form of earlier versions. Other names are ignored.

    None if the query says nothing about a configuration. Raises ``InklingError`` for a value that is not allowed.
    """
    described = settings_of(Config)
    texts = {name: text for name, text in query.items() if name in ("config", "preset")}
    texts |= {name: text for name, text in current_names(Config, query).items() if name in described}
    length = sum(map(len, texts.values()))
    if length > MAX_LINK_LENGTH:  # before anything is parsed
        raise InklingError(f"a link has at most {MAX_LINK_LENGTH:,} characters, got {length:,}")
    if "config" in texts:
        return _unpack(texts["config"])
    if not texts:
        return None
    preset = RECIPES[check_choice("preset", texts.pop("preset", "quick"), RECIPES)]
    return replace(preset.config, **{name: described[name].from_text(name, text) for name, text in texts.items()})


def _unpack(text: str) -> Config:
    """The configuration in a link of an earlier version: what differs from the default, as compressed JSON in base64."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(packed, MAX_UNPACKED_BYTES)
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("it is cut off, too long or has something behind it")
        value = json.loads(unpacked)
    except (ValueError, zlib.error, RecursionError):
        raise InklingError(f"a link must be complete, got {shown(text)}") from None
    return Config.from_json(value)
