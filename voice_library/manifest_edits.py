"""`edit_from`: change many cards by the rows of a table."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentaudio.errors import VoiceError, VoiceNotFound
from agentaudio.files import open_within
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.manifest_kaldi import RECORDINGS
from agentaudio.voice_library.manifest_tables import LISTS, SUFFIXES, card_fields, merged, read_rows
from agentaudio.voice_library.voice import VoiceCard

KEYS = ("id", "file", "speaker", "name")
"""Columns that say which voice a row is about; the first that is given counts."""


@dataclass
class EditReport:
    """What became of each row: the ids of changed voices, and (row, voice, reason) of those that were refused."""

    edited: list[str] = field(default_factory=list)
    refused: list[tuple[int, str, str]] = field(default_factory=list)


def edit_from(
    library: VoiceLibrary,
    source: str | os.PathLike[str],
    *,
    common: Mapping[str, Any] | None = None,
    root: str | os.PathLike[str] | None = None,
) -> EditReport:
    """Change the cards of the voices in a table; empty columns change nothing.

    source: .csv, .tsv, .jsonl or .parquet with the columns of `read_manifest`. A row is about the voice with its
        `id`; without that the voice that was made of its `file`, else the one named as its `speaker` or `name`
    common: fields for all rows; those of a row come first
    root: folder that the files are relative to; None is that of the table

    Rows are applied one after the other, each durably. Raises VoiceError when the table cannot be read, or has a
    column that no card has; MissingExtra for Parquet without pyarrow. A row that cannot be used is reported.
    """
    source = Path(source)
    if not source.is_file():
        raise VoiceError(f"no such table of voices: {source}")
    rows = None if source.suffix.lower() in LISTS else read_rows(source, KEYS)
    if rows is None:
        known = ", ".join(suffix for suffix in SUFFIXES if suffix not in LISTS)
        raise VoiceError(f"{source} is not a table of voices; known suffixes: {known} ({RECORDINGS} has no cards)")
    report = EditReport()
    for number, row in rows:
        if isinstance(row, str):
            report.refused.append((number, "", row))
            continue
        key, value = next(_keys(row), ("", ""))
        try:
            card = _found(library, key, value, source.parent if root is None else Path(root))
            fields = {name: given for name, given in card_fields(row).items() if name != "id"}
            if key == "name":
                del fields["name"]
            changed = merged(common or {}, fields)
            if card.consent is not None and "consent" in changed:
                changed = merged({"consent": card.consent.model_dump()}, changed)
            if not changed:
                raise VoiceError("it has nothing to change")
            report.edited.append(library.edit(card.id, **changed).id)
        except VoiceError as error:
            report.refused.append((number, value, str(error)))
    return report


def _keys(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in KEYS:
        if isinstance(row.get(key), str) and row[key].strip():
            yield key, row[key].strip()


def _found(library: VoiceLibrary, key: str, value: str, folder: Path) -> VoiceCard:
    if not key:
        raise VoiceNotFound(f"it names no voice; give one of the columns {', '.join(KEYS)}")
    if key == "id":
        return library.card(value)
    if key != "file":
        return library.get(value).card
    try:
        with open_within(folder, folder / value) as recording:
            card = library.recorded(hashlib.file_digest(recording, "sha256").hexdigest())
    except (OSError, ValueError) as error:
        raise VoiceNotFound(f"cannot read {value!r}: {getattr(error, 'strerror', None) or error}") from None
    if card is None:
        raise VoiceNotFound(f"no voice was made of {value!r}; ingest it first")
    return card
