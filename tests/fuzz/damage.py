"""How fuzzers damage JSON values and ``.npz`` files: what another version, a faulty disk or an attacker may do to them."""

import io
import json
import zipfile

import numpy as np
from hypothesis import strategies as st

from engine.layers import LAYERS

wrong_numbers = st.sampled_from([0, -1, 1e9, 10**400, 2**63, float("nan"), float("inf"), -0.5])
words = st.sampled_from([*LAYERS, "layer", "units", "relu", "softmax", "normalised", ""])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | wrong_numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=4,
) | st.sampled_from([[{"layer": "flatten"}] * 200, [{}] * 30_000, "x" * 100_000, [[[[]]]] * 1_000])
REMOVED = object()  # in the place of a value: its key is removed, too


def places(value, path=()):
    """The path to every value in a JSON value."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def replaced(value, path, new):
    """The JSON value with ``new`` at the end of the path."""
    if not path:
        return None if new is REMOVED else new
    changed = value.copy()
    if len(path) == 1 and new is REMOVED:
        del changed[path[0]]
    else:
        changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


@st.composite
def damaged_json(draw, value, at_most=2):
    """A JSON value in which a few values are removed, others of its own values, or anything."""
    for _ in range(draw(st.integers(0, at_most))):
        paths = list(places(value))
        path = draw(st.sampled_from(paths))
        other = value
        for key in draw(st.sampled_from(paths)):
            other = other[key]
        value = replaced(value, path, draw(json_values | st.just(REMOVED) | st.just(other)))
    return value


def npz_members(content):
    """The files in an ``.npz`` file, by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npz_header(members):
    return json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())


def as_npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header_as_npy(header):
    return as_npy(np.frombuffer(json.dumps(header).encode(), np.uint8))


def make_zip(members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@st.composite
def damaged_bytes(draw, content):
    """The bytes, mostly as they were, or else with a few others, or cut."""
    content = bytearray(content)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 3]))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 19)) == 7 else content)


shapes = st.sampled_from([(), (0,), (1,), (2385,), (2385, 1), (40,), (36,), (1, 4), (400, 4), (3_000_000,), (3, 1_000_000)])
arrays = st.builds(
    lambda shape, dtype, number: as_npy(np.full(shape, number).astype(dtype)),
    shapes,
    st.sampled_from(["f4", "f8", "f2", "u1", "u4", "i8", "?", "c8", ">f4", "S3"]),
    st.sampled_from([0, 1]),
)


@st.composite
def damaged_npz(draw, members):
    """An ``.npz`` file with a few of its ``members`` replaced, added, removed or damaged."""
    header, members = npz_header(members), dict(members)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from([*members, "W1.npy", "more.npy"]))
        change = draw(st.sampled_from(["header", "array", "bytes", "remove", "cut"]))
        if change == "header":
            members["header.npy"] = header_as_npy(draw(damaged_json(header)))
        elif change == "array":
            members[name] = draw(arrays)
        elif change == "bytes":
            members[name] = b"\x93NUMPY\x01\x00" + draw(st.binary(max_size=150))
        elif change == "remove":
            members.pop(name, None)
        elif name in members:
            members[name] = members[name][: draw(st.integers(0, len(members[name])))]
    return draw(damaged_bytes(make_zip(members)))
