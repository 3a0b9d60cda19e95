"""A configuration as the query parameters of a link: ``?v=1&preset=quick&learning_rate=0.01&layers=dense:64,relu,dense:10``.

A link holds only what differs from a preset. ``link_presets.json`` keeps the presets and defaults that links were made with,
by version: an old link means the same when today's presets have changed. Links without a version are of the first.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from engine.checks import InklingError, check_choice, shown
from engine.config import Config
from engine.setting_fields import current_names, settings_of

MAX_LINK_LENGTH = 4_000  # characters: browsers and servers take longer addresses, but not all of them do
FILE = Path(__file__).with_name("link_presets.json")
VERSIONS = json.loads(FILE.read_text(encoding="utf-8"))
LATEST = max(VERSIONS, key=int)
MAX_UNPACKED_BYTES = 1 << 18  # bytes of JSON that an old link may unpack to: a small hostile link must not fill the memory


def to_query(config: Config) -> dict[str, str]:
    """The preset that is most like ``config``, and the settings that differ; raises ``InklingError`` if that is too long."""
    presets = _presets(LATEST)
    preset = min(presets, key=lambda name: len(presets[name].differences(config)))
    described = settings_of(Config)
    query = {"v": LATEST, "preset": preset}
    for name, (_, value) in presets[preset].differences(config).items():
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
    texts = {name: text for name, text in query.items() if name in ("v", "config", "preset")}
    texts |= {name: text for name, text in current_names(Config, query).items() if name in described}
    length = sum(map(len, texts.values()))
    if length > MAX_LINK_LENGTH:  # before anything is parsed
        raise InklingError(f"a link has at most {MAX_LINK_LENGTH:,} characters, got {length:,}")
    version = check_choice("v, a link's version,", texts.pop("v", min(VERSIONS, key=int)), VERSIONS)
    if "config" in texts:
        return _unpack(texts["config"])
    if not texts:
        return None
    presets = _presets(version)
    preset = presets[check_choice("preset", texts.pop("preset", "quick"), presets)]
    return replace(preset, **{name: described[name].from_text(name, text) for name, text in texts.items()})


@cache
def _presets(version: str) -> dict[str, Config]:
    """The presets that links of this version were made with."""
    default, presets = VERSIONS[version]["default"], VERSIONS[version]["presets"]
    return {name: Config.from_json(default | differences) for name, differences in presets.items()}


def _unpack(text: str) -> Config:
    """The configuration in a link of before versions: what differs from the first default, as compressed JSON in base64."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(packed, MAX_UNPACKED_BYTES)
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("it is cut off, too long or has something behind it")
        value = json.loads(unpacked)
    except (ValueError, zlib.error, RecursionError):
        raise InklingError(f"a link must be complete, got {shown(text)}") from None
    if not isinstance(value, dict):
        raise InklingError(f"a link must hold a configuration, got {shown(value)}")
    return Config.from_json(VERSIONS[min(VERSIONS, key=int)]["default"] | current_names(Config, value))
