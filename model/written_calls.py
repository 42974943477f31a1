"""`WrittenCalls`: tool calls that a model writes into its text, found in any cut of the text."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.model.call_arguments import misfit
from agentaudio.model.loose_calls import LooseCall, json_calls, keyword_call
from agentaudio.model.speech_lm import CallDelta, Delta, End, TextDelta
from agentaudio.model.tagged_calls import tagged_calls

LONGEST_CALL = 20_000
"""Characters of a call; longer text that looked like one is text."""

UNREADABLE = "The call was written as text and cannot be read. Make it again through the tools, with whole arguments."

FRAMES = {
    "<tool_call>": "</tool_call>", "<function_call>": "</function_call>", "<tools>": "</tools>",
    "<|tool_call_begin|>": "<|tool_call_end|>", "<|tool_call_start|>": "<|tool_call_end|>",
    "<|python_tag|>": "<|eom_id|>", "<|tool_call|>": "<|/tool_call|>", "<function=": "</function>",
    "[TOOL_CALLS]": "</s>", "<|action_start|>": "<|action_end|>",
}  # fmt: skip
"""How models open and close calls in text: Hermes and Qwen, Llama, Mistral, Kimi, LFM, Granite, InternLM."""

_KEYS = ("name", "function", "type", "tool", "tool_name", "tool_calls", "arguments", "parameters", "id", "action")
_FIRST_KEY = re.compile(r"""\{\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z_]\w*))\s*:""")
_BEGUN_KEY = re.compile(r"""\{\s*["']?(\w*)["']?\s*$""")
_NAME_KEY = r"""["']?(?:name|function|type|tool|tool_name)["']?\s*:\s*["']?"""
_FENCE = re.compile(r"```[A-Za-z_]*[ \t]*\n?\s*")
_WORD = re.compile(r"[A-Za-z_][\w.\-]*$")


@dataclass(frozen=True, slots=True)
class _Found:
    """A frame at the beginning of a text. length: its characters; calls: None when it is text after all"""

    length: int
    calls: list[LooseCall] | None


class WrittenCalls:
    """Separates calls from honest words. What might become a call is held back until that is decided.

    tools: the tools that were offered; other names make a call only inside a frame made for calls

    A call that cannot be read, or that was cut off, becomes a call with a problem, which the model is told.
    Words and braces that only resemble a call are text.
    """

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        names = "|".join(re.escape(name) for name in sorted(self._tools, key=len, reverse=True)) or r"(?!)"
        self._called = re.compile(rf"(?<![\w.])(?:functions?\.({names}|[A-Za-z_]\w*)\s*|({names}))\(")
        self._named = re.compile(rf"""{_NAME_KEY}(?:functions\.)?({names})\b""")
        self._begun = re.compile(rf"(?:<function=|^|\])\s*({names})\b")
        self._held = ""
        self._before = ""  # the last character before the held text

    def push(self, text: str) -> list[TextDelta | CallDelta]:
        """The words and calls that are certain after this piece."""
        self._held += text
        return list(self._drain(final=False))

    def finish(self) -> list[TextDelta | CallDelta]:
        """What was held back, at the end of the text."""
        return list(self._drain(final=True))

    def _drain(self, final: bool) -> Iterator[TextDelta | CallDelta]:
        place = 0
        while self._held:
            start = self._start(place, final)
            if start is None:
                yield from self._release(len(self._held))
                return
            if start > 0:
                yield from self._release(start)
            found = self._frame(final)
            if found is None:
                return
            if found.calls is None:
                place = found.length  # text: look for the next beginning behind it
                continue
            self._before = self._held[found.length - 1]
            self._held, place = self._held[found.length :], 0
            for call in found.calls:
                yield self._delta(call)

    def _release(self, length: int) -> Iterator[TextDelta]:
        text, self._held = self._held[:length], self._held[length:]
        if text:
            self._before = text[-1]
            yield TextDelta(text)

    def _start(self, place: int, final: bool) -> int | None:
        """Where the next text that may be a call begins, from `place` on; None for nowhere."""
        places = [match.start() for match in re.finditer(r"[<{\[]|```", self._held[place:])][:1]
        starts = [place + found for found in places]
        if (match := self._called.search(self._held, place)) and self._is_word_start(match.start()):
            starts.append(match.start())
        if not final:  # a word at the end may become `functions.book(`
            word = _WORD.search(self._held, place)
            if word and self._may_be_name(word.group()) and self._is_word_start(word.start()):
                starts.append(word.start())
            if ticks := re.search(r"`{1,2}$", self._held[place:]):
                starts.append(place + ticks.start())
        return min(starts, default=None)

    def _is_word_start(self, place: int) -> bool:
        before = self._held[place - 1] if place else self._before
        return not re.fullmatch(r"[\w.]", before)

    def _may_be_name(self, word: str) -> bool:
        rest = word.removeprefix("functions.").removeprefix("function.")
        is_name = any(name.startswith(rest) for name in self._tools)
        return is_name or "functions.".startswith(word) or (rest != word)

    def _frame(self, final: bool) -> _Found | None:
        """The frame that the held text begins with; None when more text is needed."""
        text = self._held
        if len(text) > LONGEST_CALL:
            return _Found(1, None)
        opener = next((one for one in FRAMES if text.startswith(one)), None)
        if opener is not None:
            return self._tagged(text, opener, final)
        if any(one.startswith(text) for one in FRAMES) and not final:
            return None
        if text.startswith("`"):
            return self._fenced(text, final)
        if text[0] in "{[":
            return self._json(text, final)
        if match := self._called.match(text):
            return self._function(text, match, final)
        if not final and _WORD.fullmatch(text):
            return None
        return _Found(max(1, len(re.match(r"[\w.]*", text).group())), None)  # type: ignore[union-attr]

    def _tagged(self, text: str, opener: str, final: bool) -> _Found | None:
        closer = FRAMES[opener]
        end = text.find(closer, len(opener))
        if end < 0 and not final:
            return None
        body = text[len(opener) : end if end >= 0 else len(text)]
        length = end + len(closer) if end >= 0 else len(text)
        inside = f"{opener}{body}{closer}" if opener == "<function=" else body
        if calls := tagged_calls(inside, self._tools, whole=end >= 0):
            return _Found(length, calls)
        if opener == "<function=":
            name, _, body = body.partition(">")
            body = f"{name}\n{body}"
        return _Found(length, json_calls(body, self._tools) or [self._broken(body)])

    def _fenced(self, text: str, final: bool) -> _Found | None:
        fence = _FENCE.match(text)
        if fence is None or fence.end() == len(text):
            return _Found(3, None) if final or not "```".startswith(text[:3]) else None
        rest = text[fence.end() :]
        if rest[0] not in "{[":
            return _Found(3, None)
        found = self._json(rest, final)
        if found is None or found.calls is None:
            return found and _Found(fence.end() + found.length, None)
        after = rest[found.length :]
        closed = re.match(r"\s*```", after)
        if closed is None and not final and re.fullmatch(r"\s*`{0,2}", after):
            return None
        return _Found(fence.end() + found.length + (closed.end() if closed else 0), found.calls)

    def _json(self, text: str, final: bool) -> _Found | None:
        braced = text[1:].lstrip() if text[0] == "[" else text
        if not braced:
            return _Found(1, None) if final else None
        if braced[0] != "{":
            return _Found(1, None)
        key = _FIRST_KEY.match(braced)
        if key is None:
            begun = _BEGUN_KEY.match(braced)
            if begun is None or not any(one.startswith(begun[1]) for one in _KEYS):
                return _Found(1, None)
            if not final:
                return None
            return _Found(len(text), [self._broken(text)]) if begun[1] else _Found(1, None)
        if next(group for group in key.groups() if group is not None) not in _KEYS:
            return _Found(1, None)
        end = _balanced(text)
        if end is None:
            if not final:
                return None
            return (
                _Found(len(text), [self._broken(text)]) if self._named.search(text) or _cut(text) else _Found(1, None)
            )
        calls = json_calls(text[:end], self._tools, strict=True)
        if not calls and self._named.search(text[:end]):
            calls = [self._broken(text[:end])]
        return _Found(end, calls or None)

    def _function(self, text: str, match: re.Match[str], final: bool) -> _Found | None:
        name = match[1] or match[2]
        rest = text[match.end() :]
        certain = match[1] is not None or re.match(r"\s*(?:\{|[A-Za-z_]\w*\s*=|\))", rest)
        if not certain and rest.strip() and not re.fullmatch(r"\s*[A-Za-z_]\w*\s*", rest):
            return _Found(match.end(), None)  # "book (see page 2)"
        end = _balanced(text[match.end() - 1 :])
        if end is None:
            return None if not final else _Found(len(text), [LooseCall(name, {}, UNREADABLE)])
        body = text[match.end() : match.end() + end - 2]
        return _Found(match.end() - 1 + end, [keyword_call(name, body) or LooseCall(name, {}, UNREADABLE)])

    def _broken(self, text: str) -> LooseCall:
        match = self._named.search(text) or self._called.search(text) or self._begun.search(text)
        name = next((group for group in match.groups() if group), "") if match else ""
        return LooseCall(name or next(iter(self._tools), "unknown"), {}, UNREADABLE)

    def _delta(self, call: LooseCall) -> CallDelta:
        problem = call.problem
        if problem is None and call.name in self._tools:
            problem = misfit(self._tools[call.name], call.arguments)
        return CallDelta(ToolCall(f"call_{uuid4().hex[:16]}", call.name, call.arguments), problem, is_native=False)


async def without_written_calls(deltas: AsyncIterator[Delta], tools: Sequence[ToolSpec]) -> AsyncGenerator[Delta, None]:
    """The deltas of an answer, with the calls that its text holds as calls. It does not close `deltas`."""
    written, called = WrittenCalls(tools), False
    async for delta in deltas:
        if isinstance(delta, TextDelta):
            found: list[TextDelta | CallDelta] = written.push(delta.text)
        elif isinstance(delta, End):
            found = written.finish()
        else:
            yield delta
            continue
        for one in found:
            called = called or isinstance(one, CallDelta)
            yield one
        if isinstance(delta, End):
            yield replace(delta, reason="tool_calls") if called and delta.reason == "stop" else delta


def _balanced(text: str) -> int | None:
    """Where the bracket that a text begins with is closed, exclusively; None when it is not."""
    depth, quote, escaped = 0, "", False
    for place, character in enumerate(text):
        if quote:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == quote:
                quote = ""
        elif character == '"' or (character == "'" and re.search(r"[\[{(:,=]\s*$", text[max(0, place - 4) : place])):
            quote = character
        elif character in "{[(":
            depth += 1
        elif character in "}])":
            depth -= 1
            if depth == 0:
                return place + 1
    return None


def _cut(text: str) -> bool:
    """Whether an unfinished object ends in the value of a key that names a tool."""
    return bool(re.search(rf"{_NAME_KEY}[\w.]*$", text))
