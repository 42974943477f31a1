"""`read_manifest`: the recordings to ingest, and the fields of their cards, from a file, a folder or a list."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from agentaudio.errors import VoiceError
from agentaudio.files import open_regular, open_within
from agentaudio.sound.formats import SOUND_SUFFIXES, sound_files
from agentaudio.voice_library.manifest_kaldi import RECORDINGS, read_kaldi
from agentaudio.voice_library.manifest_tables import SUFFIXES, Raw, card_fields, read_rows


@dataclass(frozen=True)
class Utterance:
    """A recording, or a part of one.

    folder: in which the file must lie when it is read; None for a recording that was named itself
    start_s, end_s: of the part, in seconds; None for the beginning and the end
    channel: of the recording, from 0; None mixes all
    """

    file: Path
    folder: Path | None = None
    start_s: float | None = None
    end_s: float | None = None
    channel: int | None = None
    transcript: str = ""

    def open(self) -> BufferedReader:
        """The recording. Raises OSError when it is not a regular file, or now leads out of the folder."""
        return open_regular(self.file) if self.folder is None else open_within(self.folder, self.file)


@dataclass(frozen=True)
class Entry:
    """A voice of a manifest: its recordings and fields of its card, or the problem with a row.

    number: of the row, from 1; of the file, for a folder
    fields: without the transcript, which belongs to the utterances
    speaker: of the utterances, as the manifest names them; "" for none
    more: other utterances of the same speaker
    """

    number: int
    first: Utterance
    fields: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    speaker: str = ""
    more: tuple[Utterance, ...] = ()

    @property
    def file(self) -> Path:
        return self.first.file

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        return self.first, *self.more


def read_manifest(source: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None) -> Iterator[Entry]:
    """The voices of a source, in order.

    source: a sound file; a folder, searched recursively; a data directory of Kaldi, or its `wav.scp`, see
        `read_kaldi`; or a manifest: .csv or .tsv with a header, .jsonl, .parquet (extra `parquet`), or a list (.txt,
        .list) of lines `file.wav, description`. docs/voices.md lists the columns. In tables `consent` and `source`
        are spread over columns (`consent_basis`), and several tags or purposes are separated by `;`, `,` or `|`.
        A .csv may separate its columns by `;`, `|` or tabs too. Values of gender, age and language are read as
        corpora write them; see `normalised`.
    root: folder that the files of a manifest lie in and are relative to; None is the folder of the manifest

    Rows with the same `speaker` are one voice with several utterances. A row that cannot be used has a `problem`, for
    instance a file outside the folder (links are resolved), or a CSV field longer than the `csv.field_size_limit` of
    the process.
    Raises VoiceError when the source is missing, holds no recording, has an unknown suffix, or has
    columns that are not fields of a card; MissingExtra for Parquet without pyarrow.
    """
    source = Path(source)
    if source.is_dir() and (source / RECORDINGS).is_file():
        source /= RECORDINGS
    if root is not None and not Path(root).is_dir():
        raise VoiceError(f"{root} is not a folder; give the one that the recordings lie in")
    if source.is_dir() or source.suffix.lower() in SOUND_SUFFIXES:
        if root is not None:
            raise VoiceError(f"{source} is not a manifest; only the files of a manifest are relative to another folder")
        if source.is_dir():
            return _folder(source)
    if not source.is_file():
        raise VoiceError(f"no such recording, folder or manifest: {source}")
    if source.suffix.lower() in SOUND_SUFFIXES:
        return iter([Entry(1, Utterance(source))])
    rows = read_kaldi(source) if source.suffix.lower() == ".scp" else read_rows(source)
    if rows is None:
        known = ", ".join((*SUFFIXES, RECORDINGS, *SOUND_SUFFIXES))
        raise VoiceError(f"{source} is neither a manifest nor a recording; known are: {known}")
    return _some(_by_speaker(_within(source.parent if root is None else Path(root), rows)), source)


def _some(entries: Iterator[Entry], source: Path) -> Iterator[Entry]:
    """The entries of a manifest. Raises VoiceError when there is none."""
    first = next(entries, None)
    if first is None:
        raise VoiceError(f"{source} names no recordings; give it a row for each")
    yield first
    yield from entries


def _folder(folder: Path) -> Iterator[Entry]:
    sounds = sound_files(Path(place) / name for place, _, names in os.walk(folder) for name in names)
    if not sounds:
        raise VoiceError(f"{folder} holds no recordings; known suffixes: {', '.join(SOUND_SUFFIXES)}")
    rows = ((number, {"file": str(file.relative_to(folder))}) for number, file in enumerate(sounds, 1))
    return _within(folder, rows)


def _within(folder: Path, rows: Iterable[Raw]) -> Iterator[Entry]:
    """Each row as an entry."""
    root = folder.resolve()
    for number, row in rows:
        if isinstance(row, str):
            yield Entry(number, Utterance(folder), problem=row)
            continue
        name = row.get("file")
        if not isinstance(name, str) or not name.strip():
            yield Entry(number, Utterance(folder), problem="it names no file")
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
            problem = f"{name.strip()[:200]!r} is not a file name ({why})"
            yield Entry(number, Utterance(folder), problem=problem)
            continue
        if not inside:
            problem = f"it leads out of {folder}; copy it there, or name the folder of the recordings as the root"
            yield Entry(number, Utterance(path), problem=problem)
        elif missing:
            yield Entry(number, Utterance(path), problem=f"no such file in {folder}")
        else:
            try:
                yield _entry(number, path, folder, row)
            except VoiceError as error:
                yield Entry(number, Utterance(path), problem=str(error))


def _entry(number: int, path: Path, folder: Path, row: dict[str, Any]) -> Entry:
    fields = card_fields(row)
    start, end = (_seconds(row, name) for name in ("start_s", "end_s"))
    if end is not None and end <= (start or 0.0):
        raise VoiceError(f"it ends at {end:g} s, before it starts at {start or 0.0:g} s")
    utterance = Utterance(path, folder, start, end, _channel(row.get("channel")), str(fields.pop("transcript", "")))
    speaker = row.get("speaker")
    return Entry(number, utterance, fields, speaker="" if speaker is None else str(speaker).strip()[:1000])


def _seconds(row: dict[str, Any], name: str) -> float | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0.0 <= seconds < 1e6:
        raise VoiceError(f"{name} is {str(value)[:50]!r}; give seconds from 0")
    return seconds


def _channel(value: Any) -> int | None:
    if value is None or value == "":
        return None
    number = {"left": 1, "right": 2}.get(str(value).strip().lower(), value)
    try:
        channel = int(number)
    except (TypeError, ValueError):
        channel = 0
    if not 1 <= channel <= 32:
        raise VoiceError(f"channel is {str(value)[:50]!r}; give a number from 1, left or right")
    return channel - 1


def _by_speaker(rows: Iterable[Entry]) -> Iterator[Entry]:
    """The rows, with those of one speaker as one entry in the place of the first."""
    of_speaker: dict[str, list[Entry]] = {}
    ordered: list[Entry | str] = []
    for entry in rows:
        if not entry.speaker:
            ordered.append(entry)
            continue
        if entry.speaker not in of_speaker:
            ordered.append(entry.speaker)
        of_speaker.setdefault(entry.speaker, []).append(entry)
    for item in ordered:
        yield _joined(of_speaker[item]) if isinstance(item, str) else item


def _joined(entries: list[Entry]) -> Entry:
    first = entries[0]
    fields: dict[str, Any] = {}
    for entry in entries:
        for name, value in entry.fields.items():
            if fields.setdefault(name, value) != value:
                both = f"{fields[name]!s:.50} and {value!s:.50}"
                problem = f"the rows of speaker {first.speaker[:100]!r} differ in {name}: {both}"
                return replace(first, problem=problem)
    return replace(first, fields=fields, more=tuple(entry.first for entry in entries[1:]))


def plain_id(text: str) -> str:
    """An id for a voice from any text, such as a file name."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50] or "voice"
