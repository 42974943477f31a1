"""The data of a benchmark: is it all there, and which version is it?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.item import Item

SHOWN = 5
"""Missing files that a message names."""


def load_items(benchmark: Benchmark, folder: Path) -> list[Item]:
    """All items of a folder, after checking that their files are there.

    Raises EvaluationError for a folder that is missing or has another layout, lacks files, has no items, or names one
    item twice.
    """
    if not folder.is_dir():
        raise EvaluationError(f"there is no folder {folder}; {benchmark.title} comes from {benchmark.home or 'you'}")
    lacking = [pattern for pattern in benchmark.needs if next(folder.glob(pattern), None) is None]
    if lacking:
        raise EvaluationError(
            f"{folder} is not laid out as {benchmark.title}: it has no {', '.join(lacking)}; "
            f"the data comes from {benchmark.home}"
        )
    items = list(benchmark.read(folder))
    if not items:
        raise EvaluationError(f"{folder} has no items of {benchmark.title}; the data comes from {benchmark.home}")
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise EvaluationError(f"{folder} has two items with the id {item.id!r}; each needs its own")
        seen.add(item.id)
    missing = sorted({str(path.relative_to(folder)) for path in _files(items) if not path.is_file()})
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise EvaluationError(
            f"{folder} lacks {len(missing)} of the files that its items name: {', '.join(missing[:SHOWN])}{more}; "
            f"fetch {benchmark.title} again from {benchmark.home or 'where it came from'}"
        )
    return items


def digest(items: Sequence[Item], folder: Path) -> str:
    """SHA-256 of the items: what they ask, what is right, and the sizes of their sound files."""
    found = hashlib.sha256()
    for item in items:
        sizes = [(str(path.relative_to(folder)), path.stat().st_size) for path in _files([item])]
        asked = [item.id, item.reference, item.text, item.group, sizes, {**item.details}]
        found.update(json.dumps(asked, ensure_ascii=False, default=str, sort_keys=True).encode("utf-8", "replace"))
    return found.hexdigest()


def clip(folder: Path, name: str) -> Path:
    """The path of a file that the data names. Raises EvaluationError for one outside of the folder."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise EvaluationError(f"the data in {folder} names the file {name!r}, which is outside of it; do not use it")
    return path


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines. Raises EvaluationError for a line that is not an object."""
    for number, line in text_lines(path):
        try:
            value = json.loads(line)
        except ValueError as error:
            raise EvaluationError(f"line {number} of {path} is not JSON: {error}; fetch the file again") from None
        if not isinstance(value, dict):
            raise EvaluationError(f"line {number} of {path} is not a JSON object; fetch the file again")
        yield value


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not empty, with their numbers. Raises EvaluationError when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}; fetch the file again") from None
    except UnicodeDecodeError:
        raise EvaluationError(f"{path} is not UTF-8 text; fetch the file again") from None


def field_of(row: dict[str, Any], name: str, path: Path) -> str:
    """A text field of a row. Raises EvaluationError when the row has none."""
    value = row.get(name)
    if not isinstance(value, str | int | float):
        raise EvaluationError(f"a row of {path} has no field {name!r}; it has {', '.join(row) or 'none'}")
    return str(value)


def _files(items: Sequence[Item]) -> Iterator[Path]:
    for item in items:
        if item.audio is not None:
            yield item.audio
        yield from item.then
        yield from (line.audio for line in item.before if line.audio is not None)
