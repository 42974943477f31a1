"""`read_source`: a YAML or TOML file as plain data, with the line number of each value."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

import yaml

from agentaudio.errors import OptionError
from agentaudio.files import open_regular
from agentaudio.workers.limits import TOOL_FILE
from agentaudio.workers.pool import DOCUMENTS

Place = tuple[str | int, ...]
"""Path of a value in the data: keys of mappings and positions in lists."""

SUFFIXES = (".yaml", ".yml", ".toml")
MAX_FILE_BYTES = 200_000
MAX_DEPTH = 20
SMALL_BYTES = 4_000
"""Files of this size are parsed in this process. The parsers take quadratic time and memory for some files;
for 4 kB that is some milliseconds and megabytes, for 200 kB it is gigabytes."""
MAX_KEY_PARTS = 50
"""Parts of a dotted key in TOML; the parser's time grows with their square."""

# The core schema of YAML 1.2: `no` and `on` are strings. 012 would be the number 12, which loses the zero.
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE, _FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,300}")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Source:
    """The content of a file.

    data: mappings, lists, strings, numbers, true, false, null
    lines: line number of each value, from 1
    """

    path: Path
    data: Any
    lines: dict[Place, int]

    def error(self, place: Place, problem: str) -> OptionError:
        """An error that begins with the file and the line of the value at `place`."""
        while place and place not in self.lines:
            place = place[:-1]
        return OptionError(f"{self.path}:{self.lines.get(place, 1)}: {problem}")


def read_source(path: Path) -> Source:
    """Read a file; one above SMALL_BYTES in a worker process, within the limits `TOOL_FILE`.

    Raises OptionError, with the line, when it cannot be read or parsed or reaches a limit.
    """
    try:
        with open_regular(path) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise OptionError(f"{path}: the file has more than {MAX_FILE_BYTES} bytes; split it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise OptionError(f"{path}:{line}: this is not UTF-8 text; save the file as UTF-8") from None
    if len(content) <= SMALL_BYTES:
        return parse(path, text)
    found, _ = DOCUMENTS.run(
        lambda job: job.ask(
            "agentaudio.tools.declarative.source_task:source",
            {"path": str(path)}, content, limits=TOOL_FILE, what=str(path), error=OptionError,
        )
    )  # fmt: skip
    return Source(path, found["data"], {tuple(place): line for place, line in found["lines"]})


def parse(path: Path, text: str) -> Source:
    """Parse the text of a file in this process. Raises OptionError, with the line, when it cannot be parsed."""
    source = Source(path, None, {})
    read = _read_toml if path.suffix == ".toml" else _read_yaml
    return Source(path, read(text, source), source.lines)


def _read_yaml(text: str, source: Source) -> Any:
    try:
        return _Builder(source).build(text)
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        problem = error.problem or "this is not YAML"
        lines = text.splitlines()
        if line <= len(lines) and "\t" in lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip()) + 1]:
            problem = "the line begins with a tab; indent YAML with spaces"
        raise OptionError(f"{source.path}:{line}: {problem}") from None
    except yaml.YAMLError as error:
        raise OptionError(f"{source.path}: this is not YAML: {' '.join(str(error).split())[:200]}") from None


class _Builder:
    """Builds plain data from the events of the parser, so that no tag in a file can construct an object."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._root: Any = None
        self._open: list[tuple[Any, Place]] = []  # mappings and lists that are not complete
        self._key: list[str | None] = []  # for each of them, the key of the next value
        self._documents = 0

    def build(self, text: str) -> Any:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise self._wrong(line, "a second document begins here; put it in its own file")
            elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise self._wrong(line, f"anchors and aliases (&{event.anchor}) are not supported; repeat the value")
            elif getattr(event, "tag", None) not in (None, "!"):
                raise self._wrong(line, f"tags ({event.tag}) are not supported; remove it")
            elif isinstance(event, yaml.MappingStartEvent):
                self._begin({}, line)
            elif isinstance(event, yaml.SequenceStartEvent):
                self._begin([], line)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._open.pop()
                self._key.pop()
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event, line)
        return self._root

    def _wrong(self, line: int, problem: str) -> OptionError:
        return OptionError(f"{self._source.path}:{line}: {problem}")

    def _begin(self, value: Any, line: int) -> None:
        if self._open and isinstance(self._open[-1][0], dict) and self._key[-1] is None:
            raise self._wrong(line, "a key must be a string, not a list or a mapping")
        if len(self._open) >= MAX_DEPTH:
            raise self._wrong(line, f"this is nested more than {MAX_DEPTH} deep")
        place = self._put(value, line)
        self._open.append((value, place))
        self._key.append(None)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self._open and isinstance(self._open[-1][0], dict) and self._key[-1] is None:
            holder, place = self._open[-1]
            if event.value in holder:
                raise self._wrong(line, f"{event.value!r} is given twice; keep one")
            self._key[-1] = event.value
            self._source.lines[(*place, event.value)] = line
        else:
            if not event.style and _LEADING_ZERO.fullmatch(event.value):
                raise self._wrong(
                    line, f'{event.value} is a number, which has no leading zeros; write "{event.value}" for a string'
                )
            self._put(event.value if event.style else _plain(event.value), line)

    def _put(self, value: Any, line: int) -> Place:
        if not self._open:
            self._root = value
            self._source.lines[()] = line
            return ()
        holder, place = self._open[-1]
        if isinstance(holder, list):
            place = (*place, len(holder))
            holder.append(value)
            self._source.lines[place] = line
        else:
            place = (*place, str(self._key[-1]))
            holder[self._key[-1]] = value
            self._key[-1] = None
        return place


def _plain(word: str) -> Any:
    if _NULL.fullmatch(word):
        return None
    if _TRUE.fullmatch(word):
        return True
    if _FALSE.fullmatch(word):
        return False
    if _INT.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word):
        return float(word)
    return word


_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![\w-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_KEY_PARTS},}}")


def _read_toml(text: str, source: Source) -> Any:
    if long := _LONG_KEY.search(text):
        line = text.count("\n", 0, long.start()) + 1
        raise OptionError(f"{source.path}:{line}: a key has more than {MAX_KEY_PARTS} parts between dots")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        problem = str(error)[: found.start()] if found else str(error)
        raise OptionError(f"{source.path}:{line}: {problem}") from None
    except RecursionError:
        raise OptionError(f"{source.path}: this is nested too deeply") from None
    except (ValueError, OverflowError) as error:  # numbers with thousands of digits, dates outside the calendar
        raise OptionError(f"{source.path}: a value cannot be read: {error}") from None
    data = _plain_toml(data, source, 0)
    source.lines.update(_toml_lines(text))
    return data


def _plain_toml(value: Any, source: Source, depth: int) -> Any:
    """The value with dates as text. Raises OptionError for deep nesting and for integers above 64 bits."""
    if depth > MAX_DEPTH:
        raise OptionError(f"{source.path}: this is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        return {key: _plain_toml(one, source, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain_toml(one, source, depth + 1) for one in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int) and value.bit_length() > 64:
        raise OptionError(f"{source.path}: an integer has {value.bit_length()} bits; TOML has at most 64")
    return value


def _toml_lines(text: str) -> Iterator[tuple[Place, int]]:
    """Line numbers of tables and keys, found by their looks because tomllib has none; for error messages only."""
    table: Place = ()
    counted: dict[Place, int] = {}
    yield (), 1
    for number, line in enumerate(text.splitlines(), start=1):
        if found := re.match(r"\s*\[\[\s*([\w.\-]+)\s*\]\]", line):
            path: Place = tuple(found[1].split("."))
            counted[path] = counted.get(path, -1) + 1
            table = (*path, counted[path])
            yield table, number
        elif found := re.match(r"\s*\[\s*([\w.\-]+)\s*\]", line):
            table = ()
            for key in found[1].split("."):
                table = (*table, key)
                if table in counted:
                    table = (*table, counted[table])
            yield table, number
        elif found := re.match(r"\s*([\w\-]+)\s*=", line):
            yield (*table, found[1]), number
