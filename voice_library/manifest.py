"""`read_manifest`: the recordings to ingest, and the fields of their cards, from a file, a folder or a list."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agentaudio.errors import MissingExtra, VoiceError, did_you_mean
from agentaudio.files import open_regular, open_within
from agentaudio.sound.formats import SOUND_SUFFIXES, sound_files
from agentaudio.voice_library.manifest_values import normalised
from agentaudio.voice_library.voice import Consent, Source, VoiceCard

LISTS = (".txt", ".list", ".scp")

_MADE_HERE = {"sha256", "duration_s", "quality", "added", "revoked", "automatic"}
_PARTS: dict[str, type[BaseModel]] = {"consent": Consent, "source": Source}
FIELDS = tuple(name for name in VoiceCard.model_fields if name not in _MADE_HERE)
COLUMNS = (
    "file", *(name for name in FIELDS if name not in _PARTS),
    *(f"{part}_{name}" for part, model in _PARTS.items() for name in model.model_fields),
)  # fmt: skip
_SEVERAL = {"tags", "consent_scope"}


@dataclass(frozen=True)
class Entry:
    """A row of a manifest: a recording and fields of its card, or the problem with the row.

    number: of the line, from 1; of the file, for a folder
    folder: in which the file must lie when it is read; None for a recording that was named itself
    """

    number: int
    file: Path
    fields: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    folder: Path | None = None

    def open(self) -> BufferedReader:
        """The recording. Raises OSError when it is not a regular file, or now leads out of the folder."""
        return open_regular(self.file) if self.folder is None else open_within(self.folder, self.file)


def read_manifest(source: str | os.PathLike[str]) -> Iterator[Entry]:
    """The rows of a source, in order.

    source: a sound file; a folder, searched recursively; or a manifest: .csv or .tsv with a header, .jsonl,
        .parquet (extra `parquet`), or a list (.txt, .list, .scp) of lines `file.wav, description`.
        Besides `file`, a path relative to the manifest, the fields are those of VoiceCard. In tables
        `consent` and `source` are spread over columns (`consent_basis`), and several tags or
        purposes are separated by `;`. A .csv may separate its columns by `;` or tabs too. Values of gender, age and
        language are read as corpora write them; see `normalised`.

    A row that cannot be used has a `problem`, for instance a file outside the folder of the source
    (links are resolved), or a CSV field longer than the `csv.field_size_limit` of the process.
    Raises VoiceError when the source is missing, holds no recording, has an unknown suffix, or has
    columns that are not fields of a card; MissingExtra for Parquet without pyarrow.
    """
    source = Path(source)
    if source.is_dir():
        return _folder(source)
    if not source.is_file():
        raise VoiceError(f"no such recording, folder or manifest: {source}")
    suffix = source.suffix.lower()
    if suffix in SOUND_SUFFIXES:
        return iter([Entry(1, source)])
    readers: dict[str, Callable[[Path], Iterable[Raw]]] = {
        ".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".parquet": _parquet, **dict.fromkeys(LISTS, _list),
    }  # fmt: skip
    if suffix not in readers:
        known = ", ".join((*readers, *SOUND_SUFFIXES))
        raise VoiceError(f"{source} is neither a manifest nor a recording; known suffixes: {known}")
    return _within(source.parent, readers[suffix](source))


Raw = tuple[int, dict[str, Any] | str]  # the number of a row, and its columns or its problem


def _folder(folder: Path) -> Iterator[Entry]:
    sounds = sound_files(Path(place) / name for place, _, names in os.walk(folder) for name in names)
    if not sounds:
        raise VoiceError(f"{folder} holds no recordings; known suffixes: {', '.join(SOUND_SUFFIXES)}")
    return _within(folder, ((number, {"file": str(file.relative_to(folder))}) for number, file in enumerate(sounds, 1)))


def _within(folder: Path, rows: Iterable[Raw]) -> Iterator[Entry]:
    root = folder.resolve()
    for number, row in rows:
        if isinstance(row, str):
            yield Entry(number, folder, problem=row)
            continue
        name = row.pop("file", None)
        if not isinstance(name, str) or not name.strip():
            yield Entry(number, folder, problem="it names no file")
            continue
        path = folder / name.strip()
        try:
            str(path).encode()  # file names may hold bytes that are not UTF-8
            if not path.exists():
                path = folder / unicodedata.normalize("NFC", name.strip())
            inside = path.resolve().is_relative_to(root)
            missing = not path.is_file()
        except (OSError, ValueError, RuntimeError) as error:  # NUL, too long, circular links
            why = getattr(error, "strerror", None) or str(error)[:200]
            yield Entry(number, folder, problem=f"{name.strip()[:200]!r} is not a file name ({why})")
            continue
        if not inside:
            yield Entry(number, path, problem=f"it leads out of {folder}; copy it there")
        elif missing:
            yield Entry(number, path, problem="no such file")
        else:
            try:
                yield Entry(number, path, _fields(row), folder=folder)
            except VoiceError as error:
                yield Entry(number, path, problem=str(error))


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a card from the columns of a row, without empty columns."""
    fields: dict[str, Any] = {}
    for name, value in row.items():
        if name is None or name not in COLUMNS and name not in _PARTS:
            raise VoiceError(
                "it has more values than there are columns; quote values that contain commas"
                if name is None
                else f"a card has no field {name!r}; {did_you_mean(str(name), COLUMNS)}"
            )
        if value is None or value == "":
            continue
        if name in _SEVERAL and isinstance(value, str):
            value = [part.strip() for part in value.split(";") if part.strip()]
        part, _, inner = name.partition("_")
        if part in _PARTS and inner:
            fields.setdefault(part, {})[inner] = value
        else:
            fields[name] = normalised(name, value)
    return fields


def _csv(file: Path) -> Iterator[Raw]:
    text = _content(file).decode("utf-8-sig", "surrogateescape")
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(file, text))
    try:
        unknown = [name for name in rows.fieldnames or [] if name not in COLUMNS]
    except csv.Error as error:
        raise VoiceError(f"{file} has no header that can be read: {error}") from None
    if not rows.fieldnames or "file" not in rows.fieldnames:
        raise VoiceError(f"{file} has no column 'file'; its header must name one")
    if unknown:
        raise VoiceError(f"{file} has a column {unknown[0]!r}, which no card has; {did_you_mean(unknown[0], COLUMNS)}")

    def read() -> Iterator[Raw]:
        while True:
            try:
                row: dict[str, Any] | None = next(rows, None)
            except csv.Error as error:
                yield rows.reader.line_num, f"it cannot be read: {error}"
                continue
            if row is None:
                return
            yield rows.line_num, row if _is_text(row.values()) else "it is not UTF-8"

    return read()


def _delimiter(file: Path, text: str) -> str:
    """What separates the columns: tabs in .tsv, elsewhere whatever gives a header with the column `file`."""
    if file.suffix.lower() == ".tsv":
        return "\t"
    header = text.partition("\n")[0]
    for delimiter in (",", ";", "\t"):
        with suppress(csv.Error):  # the header is read again, and refused in words
            if "file" in next(csv.reader([header[:10_000]], delimiter=delimiter), []):
                return delimiter
    return ","


def _jsonl(file: Path) -> Iterator[Raw]:
    for number, line in enumerate(_content(file).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            yield number, f"it is not JSON: {error}"
            continue
        yield number, row if isinstance(row, dict) else f"it is {type(row).__name__}, not an object"


def _list(file: Path) -> Iterator[Raw]:
    for number, line in enumerate(_content(file).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            name, _, description = line.decode("utf-8-sig").strip().partition(",")
        except UnicodeDecodeError:
            yield number, "it is not UTF-8"
            continue
        yield number, {"file": name.strip(), "description": description.strip()}


def _parquet(file: Path) -> Iterator[Raw]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtra("reading Parquet", "parquet") from None
    try:
        table = parquet.ParquetFile(file)
        unknown = [name for name in table.schema_arrow.names if name not in COLUMNS and name not in _PARTS]
        if "file" not in table.schema_arrow.names or unknown:
            raise VoiceError(
                f"{file} has columns {', '.join(table.schema_arrow.names)}; it needs 'file', and may have "
                f"{', '.join(COLUMNS[1:])}"
            )
        rows = [row for batch in table.iter_batches() for row in batch.to_pylist()]
    except (pyarrow.ArrowException, OSError, ValueError, NotImplementedError) as error:  # ValueError: not UTF-8
        raise VoiceError(f"{file} is not a Parquet file that can be read: {error}") from None
    return iter(enumerate(rows, 1))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise VoiceError(f"cannot read {file}: {error.strerror}") from None


def _is_text(values: Iterable[Any]) -> bool:
    return not any(re.search("[\ud800-\udfff]", value) for value in values if isinstance(value, str))
