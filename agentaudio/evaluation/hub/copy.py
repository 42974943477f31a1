"""`HubCopy`: the facts about a copy of a benchmark on the hub, and `HubName`, by which one is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from agentaudio.errors import EvaluationError

PREFIX = "hf:"
COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)?(?:@(?P<revision>[\w.][\w./-]*))?", re.ASCII)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of Parquet files become the published layout of a benchmark.

    part: of the benchmark that a file belongs to, by the path of the file
    sound: path of the sound file of a row
    tables: path of a table, with what it holds of a row: a line, or an object for .jsonl and .json
    headers: first lines of tables

    In paths, {part}, {number} (of the row, from 0), {name} (of the row) and {suffix} (of the sound, such as ".wav") are
    filled in. What a table holds comes from the row, with "sound" (the path of the sound file), "number" and "part".
    name: of a row; None takes its number
    """

    sound: str
    tables: Mapping[str, Callable[[Row], str | Mapping[str, Any]]] = field(hash=False)
    part: Callable[[str], str] = lambda path: ""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    name: Callable[[Row], str] | None = None


@dataclass(frozen=True, slots=True)
class HubCopy:
    """A copy of a benchmark on the hub.

    repository: OWNER/NAME of the data set
    files: patterns of the files that are needed; `*` also matches `/`
    folder: of the repository, that holds the published layout
    layout: for Parquet files; None where the repository holds the published layout, or archives of it. Archives are
        unpacked into the folder that they lie in.
    """

    repository: str
    files: tuple[str, ...]
    folder: str = ""
    layout: Layout | None = None

    def needs(self, path: str) -> bool:
        """Whether a file is needed."""
        return any(fnmatchcase(path, pattern) for pattern in self.files)


@dataclass(frozen=True, slots=True)
class HubName:
    """`hf:OWNER/NAME@REVISION`; without a name it is the copy that a benchmark names, without a revision `main`.

    revision: a commit, a tag or a branch
    """

    repository: str
    revision: str = "main"

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit."""
        return COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}@{self.revision}"


def hub_name(text: str, known: HubCopy | None, title: str) -> HubName:
    """The copy that a text such as "hf:OWNER/NAME@REVISION" names.

    known: copy that the benchmark names
    title: of the benchmark, for messages

    Raises EvaluationError for another form, and when the benchmark has no copy that can be read.
    """
    found = _NAME.fullmatch(text)
    if found is None or ".." in text:
        raise EvaluationError(f"{text!r:.100} is not a data set of the hub; write hf:OWNER/NAME@REVISION")
    if known is None:
        raise EvaluationError(f"{title} has no copy on the hub that is known here; give a folder with --data")
    return HubName(found["repository"] or known.repository, found["revision"] or "main")


def column(row: Row, *names: str) -> str:
    """The first of some columns that a row has, as text. Raises EvaluationError when it has none of them."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str | int | float):
            return str(value)
    raise EvaluationError(
        f"a row has no column {' or '.join(map(repr, names))}; it has {', '.join(map(str, row))}: this is another data "
        "set, or another version of it"
    )
