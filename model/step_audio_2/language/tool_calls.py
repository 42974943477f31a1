r"""Parses tool calls as the model writes them: `<tool_call>function\nNAME\n{json}</tool_call>`, piece by piece."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.errors import ConversationError, did_you_mean
from agentaudio.model.call_arguments import Refused, misfit, read_json, repaired_object
from agentaudio.model.loose_calls import LooseCall, json_calls
from agentaudio.model.speech_lm import CallDelta
from agentaudio.model.tagged_calls import tagged_calls

Problem = Literal[
    "not_a_function",
    "unknown_function",
    "bad_json",
    "arguments_not_object",
    "misfit",
    "unterminated",
]

OPEN, CLOSE = "<tool_call>", "</tool_call>"

_TAG = re.compile("</?tool_call>")
_EVENT = re.compile(r'[<"\\{}\[\]\x00-\x1f]')
_NAME = re.compile(r'[^\s{}\[\]"<>]{1,128}')
_PREFIX = re.compile(r"^(functions?|tools?|default_api)[.:]")


@dataclass(frozen=True, slots=True)
class ReadCall:
    """One call in the model's output, well-formed or not.

    arguments: empty when they could not be read
    closed: whether there was a closing tag
    repaired: the JSON was broken and was repaired without adding or losing a word
    problem: what is wrong, None for a well-formed call
    message: the problem in words for the model; "" without a problem
    source: the text between the tags
    is_native: whether it was written as the model was trained to, or in another form, such as Hermes' JSON
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    closed: bool = True
    repaired: bool = False
    problem: Problem | None = None
    message: str = ""
    source: str = ""
    is_native: bool = True

    def delta(self, call_id: str | None = None) -> CallDelta:
        """The call for the agent's loop, which returns a problem to the model. call_id: None for a random one"""
        call = ToolCall(call_id or f"call_{uuid.uuid4().hex[:16]}", self.name or "unknown", dict(self.arguments))
        return CallDelta(call, self.message or None, is_native=self.is_native)


def call_opening(name: str = "") -> str:
    """The text that a call begins with, up to its arguments; without a name, up to the name."""
    one_line = " ".join(name.split())
    return f"function\n{one_line}\n" if name else "function\n"


def written_call(name: str, arguments: Mapping[str, Any]) -> str:
    """The text between the tags of a call, for history. Values without a JSON form are written as text.

    Raises ConversationError when the arguments as a whole cannot be written as JSON.
    """
    try:
        return call_opening(name) + json.dumps(dict(arguments), ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConversationError(f"the arguments of {name.strip()} cannot be written as JSON: {error}") from None


class ToolCallParser:
    """Separates calls from text that arrives in pieces; the result does not depend on how it is cut.

    Tags inside JSON strings belong to the string. A call without a closing tag ends where the next
    call opens or the output ends. Text outside calls is passed on, without stray tags.
    Source: the vLLM fork's step_audio_2 tool parser, and its treatment of the cases that it fails on.

    tools: the tools in the prompt; None accepts all names and arguments
    aliases: other names of tools in the prompt, to the names there
    repair: repair broken JSON, see `repaired_object`, and read calls of other forms than the model's own: one JSON
        object with name and arguments, name and arguments in one line, `name(key=value)`, also in a code fence
    """

    def __init__(
        self,
        tools: Sequence[ToolSpec] | None = None,
        *,
        aliases: Mapping[str, str] = MappingProxyType({}),
        repair: bool = True,
    ) -> None:
        self._tools = None if tools is None else {tool.name: tool for tool in tools}
        self._aliases = aliases
        self._repair = repair
        self._pending = ""
        self._body: _Body | None = None

    @property
    def open(self) -> bool:
        """Whether a call has begun and has not ended."""
        return self._body is not None

    def feed(self, text: str) -> list[str | ReadCall]:
        """The text outside calls, and the calls, that are now certain, in order."""
        self._pending += text
        return self._drain(final=False)

    def finish(self) -> list[str | ReadCall]:
        """What was held back, at the end of the output. The parser may then be used for another output."""
        found = self._drain(final=True)
        self._pending, self._body = "", None
        return found

    def _drain(self, final: bool) -> list[str | ReadCall]:
        found: list[str | ReadCall] = []
        while True:
            if self._body is None:
                match = _TAG.search(self._pending)
                stop = match.start() if match else len(self._pending) - (0 if final else _begun_tag(self._pending))
                if stop:
                    found.append(self._pending[:stop])
                self._pending = self._pending[match.end() if match else stop :]
                if match is None:
                    return found
                self._body = _Body() if match.group() == OPEN else None
            else:
                end = self._body.end(self._pending, final)
                if end is None:
                    return found
                found += self._read(self._pending[: end.body], end.closed)
                self._pending = self._pending[end.rest :]
                self._body = None

    def _read(self, body: str, closed: bool) -> list[ReadCall]:
        kind, name, written = _lines(body)
        is_native = kind == "function" and _NAME.fullmatch(name) is not None
        if self._repair and closed and not is_native and (others := self._other_forms(body)):
            return others
        return [self._native(kind, name, written, body, closed)]

    def _other_forms(self, body: str) -> list[ReadCall]:
        known = self._tools or {}
        found = tagged_calls(body, known, whole=True) or json_calls(body, known)
        return [self._checked(one, body) for one in found]

    def _meant(self, name: str) -> str:
        """The tool in the prompt that a name means: itself, an alias, or the only one that is spelled alike."""
        if name in self._aliases or not self._repair or self._tools is None or name in self._tools:
            return self._aliases.get(name, name)
        plain = _plain(name)
        alike = {self._aliases.get(one, one) for one in (*self._tools, *self._aliases) if _plain(one) == plain}
        return alike.pop() if len(alike) == 1 else name

    def _checked(self, call: LooseCall, body: str) -> ReadCall:
        name = self._meant(call.name)
        problem: Problem | None = None
        message = call.problem or ""
        if message:
            problem = "arguments_not_object"
        elif self._tools is not None and name not in self._tools:
            problem, message = "unknown_function", _unknown(name, self._tools)
        elif self._tools is not None and (why := misfit(self._tools[name], call.arguments)) is not None:
            problem, message = "misfit", why
        return ReadCall(name[:128], call.arguments, True, False, problem, message, body, is_native=False)

    def _native(self, kind: str, name: str, written: str, body: str, closed: bool) -> ReadCall:
        arguments: Any = {} if closed and not written else None
        repaired = False
        error = ""
        if written:
            try:
                arguments = read_json(written)
            except ValueError as failure:
                error = str(failure)
                mendable = self._repair and closed and not isinstance(failure, Refused)
                arguments = repaired_object(written) if mendable else None
                repaired = arguments is not None
        if self._repair and isinstance(arguments, str):
            # The model encoded the arguments as JSON twice.
            arguments = repaired_object(arguments) or arguments
            repaired = isinstance(arguments, dict)

        def wrong(problem: Problem, message: str) -> ReadCall:
            kept = arguments if isinstance(arguments, dict) else {}
            return ReadCall(name[:128], kept, closed, repaired, problem, message, body)

        if not closed and not isinstance(arguments, dict):
            return wrong("unterminated", "the call was not finished; write it again, shorter and complete")
        if kind != "function" or not _NAME.fullmatch(name):
            return wrong(
                "not_a_function", f"a call is written {OPEN}function, the tool's name, and its arguments, line by line"
            )
        meant = self._meant(name)
        is_native, name = meant == name, meant
        if self._tools is not None and name not in self._tools:
            return wrong("unknown_function", _unknown(name, self._tools))
        if error and not repaired:
            return wrong(
                "bad_json", f"the arguments of {name} are not JSON: {error[:200]}; write them as one JSON object"
            )
        if not isinstance(arguments, dict):
            return wrong("arguments_not_object", f"the arguments of {name} must be one JSON object, such as {{}}")
        if self._tools is not None and (why := misfit(self._tools[name], arguments)) is not None:
            return wrong("misfit", why)
        return ReadCall(name, arguments, closed, repaired, source=body, is_native=is_native)


def _plain(name: str) -> str:
    """A name without the prefix that models know from other formats, in lower case, with underscores."""
    return _PREFIX.sub("", name).casefold().replace("-", "_")


def _unknown(name: str, tools: Mapping[str, ToolSpec]) -> str:
    return f"there is no tool {name!r}; {did_you_mean(name, tools)}"


@dataclass(frozen=True, slots=True)
class ParsedOutput:
    """A whole output. content: the text outside calls; calls: well-formed ones; problems: the others"""

    content: str
    calls: tuple[ReadCall, ...]
    problems: tuple[ReadCall, ...]


def parse_tool_calls(text: str, tools: Sequence[ToolSpec] | None = None, *, repair: bool = True) -> ParsedOutput:
    """Parse a whole output; see `ToolCallParser`."""
    parser = ToolCallParser(tools, repair=repair)
    found = parser.feed(text) + parser.finish()
    calls = [piece for piece in found if isinstance(piece, ReadCall)]
    return ParsedOutput(
        "".join(piece for piece in found if isinstance(piece, str)),
        tuple(call for call in calls if call.problem is None),
        tuple(call for call in calls if call.problem is not None),
    )


@dataclass(frozen=True, slots=True)
class _End:
    body: int
    rest: int
    closed: bool


class _Body:
    """Finds the end of a call in a growing text. Tags inside JSON strings do not count.

    A quote without its closing quote would take in the rest of the output. Therefore the first tag
    inside a string is remembered, and the call ends there if the JSON turns out to be broken.
    """

    def __init__(self) -> None:
        self._at = 0
        self._line_start = 0
        self._lines = 0
        self._depth = 0
        self._string = False
        self._trusting = True
        self._quoted: _End | None = None

    def end(self, text: str, final: bool) -> _End | None:
        """Where the call ends, or None while that is unknown. text: all text since the opening tag"""
        while (match := _EVENT.search(text, self._at)) is not None:
            here, character = match.start(), match.group()
            if character == "<":
                tag = _TAG.match(text, here)
                if tag is None:
                    if not final and _begun_tag(text[here:]) == len(text) - here:
                        self._at = here
                        return None
                    self._at = here + 1
                    continue
                self._at = tag.end()
                closed = tag.group() == CLOSE
                end = _End(here, tag.end() if closed else here, closed)
                if not self._string:
                    return self._quoted if self._quoted and not _is_json(text[:here]) else end
                self._quoted = self._quoted or end
            elif character == "\\" and self._string and here + 1 == len(text) and not final:
                self._at = here
                return None
            else:
                self._step(text, here, character)
                if self._quoted and not self._trusting:
                    return self._quoted
        self._at = len(text)
        if not final:
            return None
        return self._quoted or _End(len(text), len(text), False)

    def _step(self, text: str, here: int, character: str) -> None:
        self._at = here + 1
        if self._lines < 2:
            if character == "\n":
                self._lines += bool(text[self._line_start : here].strip())
                self._line_start = here + 1
        elif not self._trusting:
            pass
        elif self._string:
            if character == '"':
                self._string = False
            elif character == "\\" and text[here + 1 : here + 2] in tuple('"\\/bfnrtu'):
                self._at = here + 2
            elif character == "\\" or character < " ":
                # This is not JSON, so quotes after it do not delimit strings.
                self._trusting = self._string = False
        elif character == '"':
            self._string = self._depth > 0
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1


def _begun_tag(text: str) -> int:
    """Length of the longest proper prefix of a tag that `text` ends with."""
    start = text.rfind("<", max(0, len(text) - len(CLOSE)))
    return len(text) - start if start >= 0 and (OPEN.startswith(text[start:]) or CLOSE.startswith(text[start:])) else 0


def _lines(body: str) -> tuple[str, str, str]:
    kind, _, rest = body.strip().partition("\n")
    name, _, written = rest.strip().partition("\n")
    return kind.strip(), name.strip(), written.strip()


def _is_json(body: str) -> bool:
    try:
        read_json(_lines(body)[2])
    except ValueError:
        return False
    return True
