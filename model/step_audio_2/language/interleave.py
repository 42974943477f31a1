"""Speech as the model writes it, in groups of one text token and four audio tokens; and a reader of its output."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from agentaudio.errors import ConversationError
from agentaudio.model.step_audio_2.language.tool_calls import CLOSE, OPEN, ToolCallParser
from agentaudio.model.step_audio_2.tokens import N_CODES, TokenIds, Vocabulary

AUDIO_PER_TEXT = 4
"""Audio tokens behind each text token in a block of speech."""
THINK, END_THINK = "<think>", "</think>"


def interleave(text: Sequence[int], codes: Sequence[int], ids: TokenIds = TokenIds()) -> list[int]:
    """Make a block of speech: `<tts_start>`, groups of one text id and four audio ids, `<tts_end>`.

    text: text ids
    codes: speech codes, 0 to 6560
    The shorter of the two is padded: text with `<tts_pad>`, audio with `<audio_6561>`.

    Source: the vLLM fork's build_tts_interleave_data, 2026 branch.
    Raises ConversationError for an id that is not text, or a code out of range.
    """
    for number in text:
        if not ids.is_text(number):
            raise ConversationError(f"token {number} is not text (0 to {ids.first_special - 1})")
    for code in codes:
        if not 0 <= code < N_CODES:
            raise ConversationError(f"speech code {code} is out of range (0 to {N_CODES - 1})")
    groups = max(len(text), -(-len(codes) // AUDIO_PER_TEXT))
    spoken = [*text, *[ids.tts_pad] * (groups - len(text))]
    audio = [*(ids.audio_0 + code for code in codes), *[ids.audio_pad] * (groups * AUDIO_PER_TEXT - len(codes))]
    block = [ids.tts_start]
    for group in range(groups):
        block += (spoken[group], *audio[group * AUDIO_PER_TEXT : (group + 1) * AUDIO_PER_TEXT])
    return [*block, ids.tts_end]


@dataclass(frozen=True, slots=True)
class OutputParts:
    """The content of an output, by kind.

    text: ids of spoken text
    codes: speech codes
    other: ids of text outside speech, and of tool calls with their tags
    """

    text: tuple[int, ...]
    codes: tuple[int, ...]
    other: tuple[int, ...]


def split_output(output: Iterable[int], *, speaking: bool = True, ids: TokenIds = TokenIds()) -> OutputParts:
    """Sort generated ids by kind. Any ids are accepted; those without a meaning where they stand are dropped.

    speaking: the prompt ended in `<tts_start>`

    Source: the vLLM fork's step_audio_2_tts_ta4 parser. Unlike it, this one drops pads and meaningless
    ids, reads later blocks of speech, ends a block at a call, and ends the output at `<|EOT|>`.
    """
    text: list[int] = []
    codes: list[int] = []
    other: list[int] = []
    for number in output:
        if number == ids.eot:
            break
        if number == ids.tts_start:
            speaking = True
        elif number == ids.tts_end:
            speaking = False
        elif number in (ids.tool_call, ids.tool_call_end):
            speaking = speaking and number != ids.tool_call
            if not speaking:
                other.append(number)
        elif ids.is_text(number):
            kind = text if speaking else other
            kind.append(number)
        elif speaking and (code := ids.code_of(number)) is not None:
            codes.append(code)
    return OutputParts(tuple(text), tuple(codes), tuple(other))


@dataclass(frozen=True, slots=True)
class Text:
    """Text of the answer. spoken: it is part of a block of speech"""

    text: str
    spoken: bool


@dataclass(frozen=True, slots=True)
class Code:
    """One speech code, 0 to 6560: 40 ms of sound."""

    code: int


@dataclass(frozen=True, slots=True)
class CallText:
    """A piece of a tool call, tags included, for a `ToolCallParser`."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """Text of the model's reasoning, which is neither spoken nor kept in history."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The model has written `<|EOT|>`; no piece follows."""


Piece = Text | Code | CallText | Thought | Ended
Mode = Literal["speech", "text", "think"]


class OutputReader:
    """Turns generated token ids into typed pieces, one id at a time.

    It holds back only the bytes of an unfinished character, and text that may become `<think>` at
    the very start or `</think>` in a thought. Only the token `<tool_call>` opens a call; text that
    spells it stays text. Ids without a meaning where they stand give no piece.

    mode: "speech" if the prompt ended in `<tts_start>`, "think" if in `<think>`, else "text"
    ended: `<|EOT|>` came or `finish` was called; later ids give no pieces
    """

    def __init__(self, vocabulary: Vocabulary, mode: Mode = "speech") -> None:
        self._vocabulary, self._ids = vocabulary, vocabulary.ids
        self._mode: Literal["speech", "text", "think", "call"] = mode
        self._characters = _characters()
        self._call: ToolCallParser
        """Made when a call opens."""
        self._held = ""
        self._fresh = mode == "text"
        self._after_thought = False
        self.ended = False

    @property
    def mode(self) -> str:
        """The kind of output that the next id belongs to: "speech", "text", "think" or "call"."""
        return self._mode

    def feed(self, token_id: int) -> list[Piece]:
        """The pieces that this id completes, often none."""
        ids = self._ids
        if self.ended:
            return []
        if token_id == ids.eot:
            return [*self.finish(), Ended()]
        if ids.is_text(token_id):
            return self._take(self._characters.decode(self._vocabulary.token_bytes(token_id)))
        if self._mode == "speech" and (code := ids.code_of(token_id)) is not None:
            return [Code(code)]
        if token_id == ids.tts_start:
            return self._enter("speech")
        if token_id == ids.tts_end:
            return self._enter("text") if self._mode == "speech" else []
        if token_id == ids.tool_call:
            before = [] if self._mode == "call" else self._enter("call")
            return [*before, *self._take(self._flushed() + OPEN)]
        if token_id == ids.tool_call_end and self._mode == "call":
            return self._take(self._flushed() + CLOSE)
        return []

    def finish(self) -> list[Piece]:
        """The pieces held back until now, when no id follows."""
        self.ended = True
        return self._leave()

    def _take(self, text: str) -> list[Piece]:
        if not text:
            return []
        if self._mode == "speech":
            return [Text(text, spoken=True)]
        if self._mode == "call":
            self._call.feed(text)
            if not self._call.open:
                self._mode = "text"
            return [CallText(text)]
        if self._mode == "think":
            return self._think(text)
        if self._fresh:
            return self._begin(text)
        if self._after_thought:
            # The blank lines after a thought are part of neither the thought nor the answer.
            text = text.lstrip()
            self._after_thought = not text
        return [Text(text, spoken=False)] if text else []

    def _begin(self, text: str) -> list[Piece]:
        """Text at the very start of the output, which may open a thought."""
        text = self._held + text
        words = text.lstrip()
        self._held = ""
        if THINK.startswith(words) and words != THINK:
            self._held = text
            return []
        self._fresh = False
        if not words.startswith(THINK):
            return [Text(text, spoken=False)]
        self._mode = "think"
        return self._think(words[len(THINK) :])

    def _think(self, text: str) -> list[Piece]:
        text = self._held + text
        thought, tag, answer = text.partition(END_THINK)
        if tag:
            self._held, self._mode, self._after_thought = "", "text", True
            return [*_thought(thought), *self._take(answer)]
        keep = next((n for n in range(len(END_THINK) - 1, 0, -1) if text.endswith(END_THINK[:n])), 0)
        self._held = text[len(text) - keep :]
        return _thought(text[: len(text) - keep])

    def _flushed(self) -> str:
        """A replacement character for bytes that never became a whole character; else nothing."""
        text = self._characters.decode(b"", True)
        self._characters = _characters()
        return text

    def _leave(self) -> list[Piece]:
        pieces = self._take(self._flushed())
        held, self._held = self._held, ""
        if held:
            pieces += _thought(held) if self._mode == "think" else [Text(held, spoken=False)]
        self._fresh = self._after_thought = False
        return pieces

    def _enter(self, mode: Literal["speech", "text", "call"]) -> list[Piece]:
        pieces = self._leave()
        self._mode = mode
        self._call = ToolCallParser(repair=False)
        return pieces


def _characters() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")


def _thought(text: str) -> list[Piece]:
    return [Thought(text)] if text else []
