"""The data of a benchmark: is it all there, and which version is it?"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.item import Item

SHOWN = 5
"""Missing files that a message names."""


def load_items(benchmark: Benchmark, folder: Path) -> list[Item]:
    """All items of a folder, after checking that their files are there.

    Raises EvaluationError for a folder that is missing or has another layout, lacks files, has no items, names one item
    twice, or has clips to transcribe without any words of a reference.
    """
    if not folder.is_dir():
        raise EvaluationError(
            f"there is no folder {folder}; get {benchmark.title} from {benchmark.home or 'its author'}"
        )
    lacking = [pattern for pattern in benchmark.needs if next(folder.glob(pattern), None) is None]
    if lacking:
        raise EvaluationError(
            f"{folder} is not laid out as {benchmark.title}: it has no {', '.join(lacking)}; "
            f"the data comes from {benchmark.home}"
        )
    items = list(benchmark.read(folder))
    if not items:
        raise EvaluationError(f"{folder} has no items of {benchmark.title}; the data comes from {benchmark.home}")
    if benchmark.transcribes and not any(item.reference.strip() for item in items):
        raise EvaluationError(
            f"{folder} has no words to compare transcripts with: all {len(items)} references are empty; "
            f"fetch {benchmark.title} again from {benchmark.home or 'where it came from'}"
        )
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


def differences(benchmark: Benchmark, items: Sequence[Item]) -> list[str]:
    """What the items lack or have beyond the published sets, in words; other versions of the data show here."""
    found = []
    held = Counter(item.group for item in items)
    for group, number in benchmark.expected.items():
        have = held[group] if group else len(items)
        if have != number and (have or group):
            found.append(f"{group or 'the set'} has {have} items, and {number} are published")
    return found


def digest(items: Sequence[Item], folder: Path) -> str:
    """SHA-256 of the items: what they ask, what is right, and their sound files.

    The files are read whole, in several threads.
    """
    found = hashlib.sha256()
    with ThreadPoolExecutor() as pool:
        hashes = pool.map(_hash, _files(items))
        for item in items:
            sounds = [(str(path.relative_to(folder)), next(hashes)) for path in _files([item])]
            asked = [item.id, item.reference, item.text, item.group, sounds, {**item.details}]
            found.update(json.dumps(asked, ensure_ascii=False, default=str, sort_keys=True).encode("utf-8", "replace"))
    return found.hexdigest()


def _hash(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}; fetch the file again") from None


def clip(folder: Path, name: str) -> Path:
    """The path of a file that the data names. Raises EvaluationError for one outside of the folder."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise EvaluationError(f"the data in {folder} names the file {name!r}, which is outside of it; do not use it")
    return path


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines. Raises EvaluationError for a line that is not an object."""
    for number, value in _values(path):
        if not isinstance(value, dict):
            raise EvaluationError(f"line {number} of {path} is not a JSON object; fetch the file again")
        yield value


def json_lists(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The lists of objects of a file of JSON lines. Raises EvaluationError for a line that is not such a list."""
    for number, value in _values(path):
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise EvaluationError(f"line {number} of {path} is not a JSON list of objects; fetch the file again")
        yield value


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in text_lines(path):
        try:
            yield number, json.loads(line)
        except ValueError as error:
            raise EvaluationError(f"line {number} of {path} is not JSON: {error}; fetch the file again") from None


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


def table(path: Path, header: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """The rows of a file of values between tabs, by the names of its first line.

    header: the names, for a file without such a line

    Raises EvaluationError for a row with fewer values than there are names.
    """
    names = list(header)
    for number, line in text_lines(path):
        values = line.split("\t")
        if not names:
            names = values
        elif len(values) < len(names):
            raise EvaluationError(f"line {number} of {path} has {len(values)} values, and not {len(names)}")
        else:
            yield dict(zip(names, values, strict=False))


def kaldi(folder: Path, root: Path, group: str = "", transcripts: str = "text", blanks: bool = True) -> Iterator[Item]:
    """The utterances of a folder in Kaldi's layout: `wav.scp` with an id and a file a line, and `text` with the words.

    root: folder that the files of `wav.scp` are relative to
    transcripts: name of the file with the words
    blanks: False removes blanks between words, as in segmented Chinese
    """
    words = dict(_pair(line) for _, line in text_lines(folder / transcripts))
    for _, line in text_lines(folder / "wav.scp"):
        name, place = _pair(line)
        if name not in words:
            raise EvaluationError(f"{folder / transcripts} has no words for {name!r}, which wav.scp names")
        text = words[name] if blanks else words[name].replace(" ", "")
        yield Item(name, clip(root, place), text, group=group)


def _pair(line: str) -> tuple[str, str]:
    name, _, rest = line.replace("\t", " ").partition(" ")
    return name, rest.strip()


def field_of(row: dict[str, Any], name: str, path: Path) -> str:
    """A text field of a row. Raises EvaluationError when the row has none."""
    value = row.get(name)
    if not isinstance(value, str | int | float):
        raise EvaluationError(f"a row of {path} has no field {name!r}; it has {', '.join(row) or 'none'}")
    return str(value)


def objects_of(row: dict[str, Any], name: str, path: Path) -> list[dict[str, Any]]:
    """A field of a row that is a list of objects; [] when the row has none. Raises EvaluationError for other values."""
    value = row.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise EvaluationError(f"the field {name!r} of a row of {path} is not a list of objects; fetch the file again")
    return value


def _files(items: Sequence[Item]) -> Iterator[Path]:
    for item in items:
        if item.audio is not None:
            yield item.audio
        yield from item.then
        yield from (line.audio for line in item.before if line.audio is not None)
