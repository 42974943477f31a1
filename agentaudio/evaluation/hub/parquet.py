"""Parquet files of the hub, as folders in the published layout of a benchmark."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path, PurePosixPath
from typing import IO, Any

from agentaudio.errors import EvaluationError, MissingExtra
from agentaudio.evaluation.hub.copy import Layout, Row
from agentaudio.files import write_atomically

AT_ONCE = 16
"""Rows that are read at a time; each may hold a minute of sound."""
SOUND_COLUMNS = ("audio", "source_wav", "sound", "wav", "context")
_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a"})
_STARTS = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"ID3", ".mp3"), (b"\xff", ".mp3"))


def lay_out(files: Sequence[tuple[str, Path]], layout: Layout, folder: Path) -> int:
    """Write the rows of Parquet files into a folder. Returns how many there are.

    files: paths in the repository and on this machine

    Raises EvaluationError for a file that is not Parquet, that has no sounds, or whose columns are other ones, and when
    the folder cannot be written; MissingExtra without pyarrow.
    """
    numbers: dict[str, Iterator[int]] = {}
    objects: dict[str, list[Any]] = {}
    written = 0
    with contextlib.ExitStack() as stack:
        tables: dict[str, IO[str]] = {}
        for path, file in files:
            part = layout.part(path)
            for row in _rows(file):
                content, suffix = _sound(row, path)
                number = next(numbers.setdefault(part, count()))
                name = layout.name(row) if layout.name is not None else str(number)
                filled = {"part": part, "number": number, "name": name, "suffix": suffix}
                place = _place(folder, layout.sound.format(**filled))
                held = {**row, "sound": layout.sound.format(**filled), "number": number, "part": part}
                write_atomically(place, content, error=EvaluationError)
                for table, of in layout.tables.items():
                    target = table.format(**filled)
                    if target.endswith(".json"):
                        objects.setdefault(target, []).append(of(held))
                        continue
                    if target not in tables:
                        tables[target] = stack.enter_context(_opened(_place(folder, target), layout.headers.get(table)))
                    line = of(held)
                    tables[target].write(f"{line if isinstance(line, str) else _json(line)}\n")
                written += 1
    for target, found in objects.items():
        write_atomically(_place(folder, target), _json(found).encode("utf-8", "replace"), error=EvaluationError)
    return written


def _rows(file: Path) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("a copy of a benchmark in Parquet", "parquet") from None
    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            for batch in opened.iter_batches(AT_ONCE):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise EvaluationError(f"{file} cannot be read: {str(error).splitlines()[0]:.200}; delete it and run the same "
                              "command again") from None  # fmt: skip


def _sound(row: Row, path: str) -> tuple[bytes, str]:
    """The sound file in a row, and its suffix."""
    for name in SOUND_COLUMNS:
        found = row.get(name)
        if isinstance(found, dict) and isinstance(found.get("bytes"), bytes):
            content: bytes = found["bytes"]
            suffix = PurePosixPath(str(found.get("path") or "")).suffix.lower()
            known = suffix if suffix in _SUFFIXES else ""
            return content, known or next((one for start, one in _STARTS if content.startswith(start)), ".wav")
    raise EvaluationError(
        f"{path} holds a row without sound; its columns are {', '.join(map(str, row))}: this is another data set, or "
        "another version of it"
    )


def _place(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or any(part in ("..", "/") or part.startswith("/") for part in parts) or "\0" in name:
        raise EvaluationError(f"the data names the file {name!r}, which is outside of its folder; do not use it")
    return folder / name


def _opened(path: Path, header: str | None) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w", encoding="utf-8", errors="replace")
    except OSError as error:
        raise EvaluationError(f"cannot write {path}: {error.strerror}; free some space") from None
    if header is not None:
        file.write(f"{header}\n")
    return file


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
