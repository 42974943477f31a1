"""`read_rows`: the rows of a table of voices: CSV, TSV, JSON lines, Parquet, or a list of files."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agentaudio.errors import MissingExtra, VoiceError, did_you_mean
from agentaudio.voice_library.manifest_values import normalised
from agentaudio.voice_library.voice import Consent, Source, VoiceCard

LISTS = (".txt", ".list")

_MADE_HERE = {"sha256", "duration_s", "quality", "added", "revoked", "automatic"}
_PARTS: dict[str, type[BaseModel]] = {"consent": Consent, "source": Source}
FIELDS = tuple(name for name in VoiceCard.model_fields if name not in _MADE_HERE)
PLACES = ("file", "start_s", "end_s", "channel", "speaker")
COLUMNS = (
    *PLACES, *(name for name in FIELDS if name not in _PARTS),
    *(f"{part}_{name}" for part, model in _PARTS.items() for name in model.model_fields),
)  # fmt: skip
_SEVERAL = {"tags", "consent_scope"}

Raw = tuple[int, dict[str, Any] | str]
"""The number of a row, and its columns or its problem."""


def read_rows(file: Path, needs: tuple[str, ...] = ("file",)) -> Iterable[Raw] | None:
    """The rows of a table by its suffix; None for another suffix.

    needs: columns of which a table with a header must have one
    Raises VoiceError for a file that cannot be read, a header without such a column, or columns that no card has;
    MissingExtra for Parquet without pyarrow.
    """
    readers: dict[str, Callable[[Path, tuple[str, ...]], Iterable[Raw]]] = {
        ".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".parquet": _parquet, **dict.fromkeys(LISTS, _list),
    }  # fmt: skip
    reader = readers.get(file.suffix.lower())
    return None if reader is None else reader(file, needs)


SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", *LISTS)


def card_fields(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a card from the columns of a row, without PLACES and empty columns.

    Raises VoiceError for a column that no card has.
    """
    fields: dict[str, Any] = {}
    for name, value in row.items():
        if name is None or name not in COLUMNS and name not in _PARTS:
            raise VoiceError(
                "it has more values than there are columns; quote values that contain the separator"
                if name is None
                else f"a card has no field {name!r}; {did_you_mean(str(name), COLUMNS)}"
            )
        value = value.strip() if isinstance(value, str) else value
        if value is None or value == "" or name in PLACES:
            continue
        if name in _SEVERAL and isinstance(value, str):
            value = [part.strip() for part in re.split("[;,|]", value) if part.strip()]
        part, _, inner = name.partition("_")
        if part in _PARTS and inner:
            fields.setdefault(part, {})[inner] = normalised(name, value)
        else:
            fields[name] = normalised(name, value)
    return fields


def merged(common: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields for all voices with those of one, which come first, also within a consent or a source."""
    parts = {
        name: {**common[name], **fields[name]}
        for name in _PARTS
        if isinstance(common.get(name), dict) and isinstance(fields.get(name), dict)
    }
    return {**common, **fields, **parts}


def content(file: Path) -> bytes:
    """The bytes of a manifest. Raises VoiceError when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise VoiceError(f"cannot read {file}: {error.strerror}") from None


def _csv(file: Path, needs: tuple[str, ...]) -> Iterator[Raw]:
    text = content(file).decode("utf-8-sig", "surrogateescape")
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(file, text, needs))
    try:
        header = [_column(name) for name in rows.fieldnames or []]
    except csv.Error as error:
        raise VoiceError(f"{file} has no header that can be read: {error}") from None
    _check_header(file, header, needs)
    rows.fieldnames = header

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


def _check_header(file: Path, header: list[str], needs: tuple[str, ...]) -> None:
    if not set(needs) & set(header):
        wanted = " or ".join(map(repr, needs))
        raise VoiceError(f"{file} has no column {wanted}; its header must name one")
    unknown = [name for name in header if name not in COLUMNS and name not in _PARTS]
    if unknown:
        raise VoiceError(f"{file} has a column {unknown[0]!r}, which no card has; {did_you_mean(unknown[0], COLUMNS)}")


def _column(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _delimiter(file: Path, text: str, needs: tuple[str, ...]) -> str:
    """What separates the columns: tabs in .tsv, elsewhere whatever gives a header with a column that is needed."""
    if file.suffix.lower() == ".tsv":
        return "\t"
    header = text.partition("\n")[0]
    for delimiter in (",", ";", "\t", "|"):
        with suppress(csv.Error):  # the header is read again, and refused in words
            if set(needs) & set(map(_column, next(csv.reader([header[:10_000]], delimiter=delimiter), []))):
                return delimiter
    return ","


def _jsonl(file: Path, needs: tuple[str, ...]) -> Iterator[Raw]:
    for number, line in enumerate(content(file).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            yield number, f"it is not JSON: {error}"
            continue
        yield number, row if isinstance(row, dict) else f"it is {type(row).__name__}, not an object"


def _list(file: Path, needs: tuple[str, ...]) -> Iterator[Raw]:
    for number, line in enumerate(content(file).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            name, _, description = line.decode("utf-8-sig").strip().partition(",")
        except UnicodeDecodeError:
            yield number, "it is not UTF-8"
            continue
        yield number, {"file": name.strip(), "description": description.strip()}


def _parquet(file: Path, needs: tuple[str, ...]) -> Iterator[Raw]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtra("reading Parquet", "parquet") from None
    try:
        table = parquet.ParquetFile(file)
        _check_header(file, list(table.schema_arrow.names), needs)
        rows = [row for batch in table.iter_batches() for row in batch.to_pylist()]
    except (pyarrow.ArrowException, OSError, ValueError, NotImplementedError) as error:  # ValueError: not UTF-8
        if isinstance(error, VoiceError):
            raise
        raise VoiceError(f"{file} is not a Parquet file that can be read: {error}") from None
    return iter(enumerate(rows, 1))


def _is_text(values: Iterable[Any]) -> bool:
    return not any(re.search("[\ud800-\udfff]", value) for value in values if isinstance(value, str))
