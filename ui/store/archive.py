"""A workspace as one zip file: ``workspace.json``, ``drawings.json``, ``runs/<key>/<file>`` and ``networks/<name>``."""

import base64
import binascii
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NoReturn
from unicodedata import category
from urllib.parse import quote, unquote

from engine.checks import InklingError, check_number, shown
from engine.data.collection import check_writer
from ui.store.schema import DrawingRecord, RunRecord

FORMAT = 1
INDEX, DRAWINGS = "workspace.json", "drawings.json"
MAX_ENTRIES = 5_000
MAX_RUNS = 100
MAX_LABEL = 9
IMAGE_BYTES = 28 * 28
MAX_SIGNATURES = 100_000  # of zip entries in the whole file: networks are zip files too, with about 20 entries each
MAX_JSON_BYTES = 20_000_000
MAX_CONTAINERS = 1_000_000  # lists and objects in the JSON: an empty one takes 2 bytes there, but 64 in memory
MAX_DEPTH = 100
MAX_NAME = 200
ENTRY = re.compile(r"(?:runs/(?P<run>[0-9a-f]{32})|networks)/(?P<name>[^/\\]+)")
RUN_FIELDS = {entry.name for entry in fields(RunRecord)} - {"owner"}
DRAWING_FIELDS = {entry.name for entry in fields(DrawingRecord)} | {"strokes"}


@dataclass(frozen=True)
class Archive:
    """What a zip file holds; ``files`` are by run key and name, each of ``drawings`` is with its strokes."""

    values: Mapping[str, Any] = field(default_factory=dict)
    runs: list[RunRecord] = field(default_factory=list)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    networks: dict[str, bytes] = field(default_factory=dict)
    drawings: list[tuple[DrawingRecord, list[Any]]] = field(default_factory=list)


def pack(archive: Archive) -> bytes:
    """The zip file of an archive. The files are stored as they are, since networks are compressed already."""
    records = [{name: value for name, value in asdict(run).items() if name != "owner"} for run in archive.runs]
    index = json.dumps({"format": FORMAT, "values": archive.values, "runs": records}, separators=(",", ":"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        target.writestr(INDEX, index, zipfile.ZIP_DEFLATED)
        if archive.drawings:
            drawings = [
                asdict(drawing) | {"image": base64.b64encode(drawing.image).decode(), "strokes": strokes}
                for drawing, strokes in archive.drawings
            ]
            target.writestr(DRAWINGS, json.dumps(drawings, separators=(",", ":")), zipfile.ZIP_DEFLATED)
        for (key, name), payload in archive.files.items():
            target.writestr(f"runs/{key}/{_as_path(name)}", payload)
        for name, payload in archive.networks.items():
            target.writestr(f"networks/{_as_path(name)}", payload)
    return content.getvalue()


def unpack(content: bytes, max_bytes: int, check: Callable[[str, bytes], None]) -> Archive:
    """Read and check a zip file from outside; raise ``InklingError`` for anything that ``pack`` does not write.

    ``check`` may raise ``InklingError``. It gets each file, by a name such as ``networks/mine.npz`` or
    ``runs/<key>/seed-0``; each value as JSON, by ``values/<name>``; for each run, by ``runs/<key>``, its ``details``,
    whether it ``is_over`` and the names of its ``files`` as JSON; and the strokes of each drawing as JSON, by
    ``drawings/<key>``.
    """
    if content.count(b"PK\1\2") > MAX_SIGNATURES:
        _refuse(f"it has more than {MAX_ENTRIES:,} files")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as source:
            entries = _entries(source, max_bytes)
            archive = _parse_index(_read(source, entries.pop(INDEX)))
            if DRAWINGS in entries:
                archive.drawings.extend(_parse_drawings(_read(source, entries.pop(DRAWINGS))))
            keys = {run.key for run in archive.runs}
            for path, entry in entries.items():
                match = ENTRY.fullmatch(path)
                name = unquote(match["name"]) if match else ""
                if not match or _as_path(name) != match["name"] or match["run"] not in {None, *keys}:
                    _refuse(f"{shown(path)} does not belong in it")
                _check_text("a file name", name)
                if match["run"]:
                    archive.files[match["run"], name] = _read(source, entry)
                else:
                    archive.networks[name] = _read(source, entry)
    except InklingError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise InklingError(f"the file is not a workspace of Inkling: {shown(str(error))}") from error
    for (key, name), payload in archive.files.items():
        check(f"runs/{key}/{name}", payload)
    for name, payload in archive.networks.items():
        check(f"networks/{name}", payload)
    for name, value in archive.values.items():
        check(f"values/{name}", json.dumps(value).encode())
    for run in archive.runs:
        names = [name for key, name in archive.files if key == run.key]
        record = {"details": run.details, "is_over": run.is_over, "files": names}
        check(f"runs/{run.key}", json.dumps(record).encode())
    for drawing, strokes in archive.drawings:
        check(f"drawings/{drawing.key}", json.dumps(strokes).encode())
    return archive


def _entries(source: zipfile.ZipFile, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    entries = {entry.filename: entry for entry in source.infolist()}
    if len(source.infolist()) > MAX_ENTRIES:
        _refuse(f"it has more than {MAX_ENTRIES:,} files")
    if len(entries) < len(source.infolist()):
        _refuse("two of its files have the same name")
    if INDEX not in entries:
        _refuse(f"it has no {INDEX}")
    json_files = [entries[name] for name in (INDEX, DRAWINGS) if name in entries]
    for entry in json_files:
        if entry.file_size > MAX_JSON_BYTES:
            _refuse(f"its {entry.filename} has more than {MAX_JSON_BYTES // 1_000_000} MB")
    if sum(entry.file_size for entry in entries.values()) > max_bytes + len(json_files) * MAX_JSON_BYTES:
        _refuse(f"it holds more than the {max_bytes / 1e6:.0f} MB of a workspace")
    return entries


def _read(source: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The content of an entry, never more than the size that it gives, even if it unpacks to more."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _refuse(f"{shown(entry.filename)} is compressed in an unusual way")
    with source.open(entry) as stream:
        payload = stream.read(entry.file_size)
    if len(payload) != entry.file_size:
        _refuse(f"{shown(entry.filename)} ends too early")
    return payload


def _parse_json(name: str, content: bytes) -> Any:
    if content.count(b"{") + content.count(b"[") > MAX_CONTAINERS:
        _refuse(f"its {name} has more than {MAX_CONTAINERS:,} parts")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        _refuse(f"its {name} is not JSON")
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _children(outer)]
    if level:
        _refuse(f"its {name} is nested more than {MAX_DEPTH} times")
    return value


def _parse_index(content: bytes) -> Archive:
    index = _parse_json(INDEX, content)
    if not isinstance(index, dict) or not isinstance(index.get("format"), int):
        _refuse(f"its {INDEX} has no format number")
    if index["format"] != FORMAT:
        raise InklingError(f"the zip file has format {shown(index['format'])}, expected {FORMAT}: update Inkling to open it")
    values, records = index.get("values"), index.get("runs")
    if not isinstance(values, dict) or not isinstance(records, list):
        _refuse(f"its {INDEX} needs an object of values and a list of runs")
    for name in values:
        _check_text("the name of a value", name)
    archive = Archive(values, [_parse_run(record) for record in records])
    if len(records) > MAX_RUNS:
        _refuse(f"it has more than {MAX_RUNS} runs")
    if len({run.key for run in archive.runs}) < len(records):
        _refuse("two of its runs have the same key")
    return archive


def _children(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _parse_run(record: Any) -> RunRecord:
    if not isinstance(record, dict) or record.keys() != RUN_FIELDS:
        _refuse(f"a run needs {', '.join(sorted(RUN_FIELDS))}, got {shown(record)}")
    for name in ("key", "name", "state"):
        _check_text(f"the {name} of a run", record[name])
    if not re.fullmatch("[0-9a-f]{32}", record["key"]):
        _refuse(f"the key of a run must have 32 hexadecimal digits, got {shown(record['key'])}")
    if not isinstance(record["is_over"], bool) or not isinstance(record["details"], dict):
        _refuse("a run needs is_over to be true or false, and details to be an object")
    for name in ("number", "created", "updated"):
        check_number(f"{name} of a run", record[name], 0, 1e11)
    return RunRecord(**{**record, "number": int(record["number"])})


def _parse_drawings(content: bytes) -> Iterable[tuple[DrawingRecord, list[Any]]]:
    records = _parse_json(DRAWINGS, content)
    if not isinstance(records, list):
        _refuse(f"its {DRAWINGS} needs to be a list")
    for record in records:
        if not isinstance(record, dict) or record.keys() | {"writer"} != DRAWING_FIELDS:  # older files have no writer
            _refuse(f"a drawing needs {', '.join(sorted(DRAWING_FIELDS))}, got {shown(record)}")
        _check_text("the key of a drawing", record["key"])
        if not re.fullmatch("[0-9a-f]{32}", record["key"]):
            _refuse(f"the key of a drawing must have 32 hexadecimal digits, got {shown(record['key'])}")
        if type(record["label"]) is not int:
            _refuse(f"the label of a drawing must be a whole number, got {shown(record['label'])}")
        check_number("label of a drawing", record["label"], 0, MAX_LABEL)
        check_number("created of a drawing", record["created"], 0, 1e11)
        if not isinstance(record["strokes"], list):
            _refuse(f"the strokes of a drawing must be a list, got {shown(record['strokes'])}")
        image = _parse_image(record["image"])
        writer = check_writer(record.get("writer", ""))
        yield DrawingRecord(record["key"], record["label"], record["created"], image, writer), record["strokes"]


def _parse_image(text: Any) -> bytes:
    try:
        image = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        image = b""
    if len(image) != IMAGE_BYTES:
        _refuse(f"the image of a drawing must be {IMAGE_BYTES} bytes in base64, got {shown(text)}")
    return image


def _check_text(what: str, text: Any) -> None:
    """Refuse what one of the databases cannot hold as text, or a page cannot show in a line."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_NAME or any(category(mark) in ("Cc", "Cs") for mark in text):
        _refuse(f"{what} must be 1 to {MAX_NAME} printable characters, got {shown(text)}")


def _as_path(name: str) -> str:
    """The name as one part of a path that is safe on every system; ``unquote`` reverses it."""
    return re.sub(r"^\.", "%2E", quote(name, safe=" ()+,=@"))


def _refuse(reason: str) -> NoReturn:
    raise InklingError(f"the file is not a workspace of Inkling: {reason}")
