"""`AnswerText`: the words and calls of an answer, from its tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.generation.stop_strings import StopStrings
from agentaudio.model.generation.thoughts import Thoughts
from agentaudio.model.speech_lm import CallDelta, TextDelta
from agentaudio.model.written_calls import WrittenCalls

LONGEST_CHARACTER = 8
"""Tokens that a character may take; more that do not end a character are broken text."""


class AnswerText:
    """Decodes tokens as they come, leaves out thoughts, ends the text before a stop string, and finds the calls in it.

    decode: the text of tokens, without the special ones
    ends: tokens that end the answer
    limit: tokens of the answer, the ending one included
    opened: the mark of thoughts that the prompt ends with; see `Thoughts`

    tokens: all that were taken
    words: what was said, without calls
    reason: why it ended; None while it goes on
    whole: the words are the whole text of the tokens
    """

    def __init__(
        self,
        decode: Callable[[Sequence[int]], str],
        ends: Collection[int],
        limit: int,
        *,
        tools: Sequence[ToolSpec] = (),
        stop: Sequence[str] = (),
        opened: str = "",
        emit: Callable[[TextDelta | CallDelta], None],
    ) -> None:
        self._decode, self._ends, self._limit, self._emit = decode, ends, limit, emit
        self._calls = WrittenCalls(tools) if tools else None
        self._thoughts, self._stop = Thoughts(opened), StopStrings(stop)
        self._pending: list[int] = []
        self._before: list[int] = []  # the tokens of the last text: some tokenizers drop the space before a first word
        self.tokens: list[int] = []
        self.words = ""
        self.called = False
        self.reason: str | None = None

    @property
    def whole(self) -> bool:
        return not self.called and not self._stop.found

    def take(self, token: int) -> bool:
        """Take the next token; whether the answer ends with it."""
        self.tokens.append(token)
        if token in self._ends:
            return self._end("stop")
        self._pending.append(token)
        text = self._pending_text()
        broken = text.endswith("\ufffd")
        if not broken or len(self._pending) > LONGEST_CHARACTER:
            self._before, self._pending = [] if broken else self._pending, []
            self._say(self._stop.feed(self._thoughts.feed(text)))
        if self._stop.found:
            return self._end("stop")
        return self._end("length") if len(self.tokens) >= self._limit else False

    def _pending_text(self) -> str:
        return self._decode(self._before + self._pending)[len(self._decode(self._before)) :]

    def _end(self, reason: str) -> bool:
        if not self._stop.found:
            text = self._pending_text() if self._pending else ""
            self._say(self._stop.feed(self._thoughts.feed(text) + self._thoughts.finish()))
            self._say(self._stop.finish())
        for delta in self._calls.finish() if self._calls else ():
            self._hand(delta)
        self.reason = "tool_calls" if self.called and reason == "stop" else reason
        return True

    def _say(self, text: str) -> None:
        if not text:
            return
        for delta in self._calls.push(text) if self._calls else (TextDelta(text),):
            self._hand(delta)

    def _hand(self, delta: TextDelta | CallDelta) -> None:
        if isinstance(delta, TextDelta):
            self.words += delta.text
        else:
            self.called = True
        self._emit(delta)
