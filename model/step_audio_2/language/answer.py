"""Reads generated token ids into the deltas of a SpeechLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agentaudio.conversation import SpeechTokens
from agentaudio.model.speech_lm import CallDelta, TextDelta, TokensDelta
from agentaudio.model.step_audio_2.language.dialect import Translation
from agentaudio.model.step_audio_2.language.interleave import CallText, Code, Mode, OutputReader, Piece, Text
from agentaudio.model.step_audio_2.language.tool_calls import ReadCall, ToolCallParser
from agentaudio.model.step_audio_2.tokens import CODE_RATE_HZ, CODEC, Vocabulary

AnswerDelta = TextDelta | TokensDelta | CallDelta


@dataclass(slots=True)
class Said:
    """The content of an answer. `PromptBuilder.remember` finds the generated ids by it."""

    text: str = ""
    codes: list[int] = field(default_factory=list)
    call_ids: list[str] = field(default_factory=list)


class AnswerReader:
    """Reads one answer, id by id. Calls get our tools' names; thoughts are left out.

    mode: of the prompt
    translation: of the tools in the prompt
    said: the content so far
    """

    def __init__(self, vocabulary: Vocabulary, mode: Mode, translation: Translation) -> None:
        self._output = OutputReader(vocabulary, mode)
        self._calls = ToolCallParser(translation.specs)
        self._translation = translation
        self.said = Said()

    @property
    def ended(self) -> bool:
        """Whether the model has written `<|EOT|>`, or `finish` was called."""
        return self._output.ended

    def feed(self, token_id: int) -> list[AnswerDelta]:
        """The deltas that this id completes, often none. After the end, there are none."""
        deltas = self._deltas(self._output.feed(token_id))
        return [*deltas, *self._translated(self._calls.finish())] if self._output.ended else deltas

    def finish(self) -> list[AnswerDelta]:
        """The deltas held back until now, when no id follows. An unfinished call comes with a problem."""
        return [*self._deltas(self._output.finish()), *self._translated(self._calls.finish())]

    def _deltas(self, pieces: Sequence[Piece]) -> list[AnswerDelta]:
        deltas: list[AnswerDelta] = []
        for piece in pieces:
            if isinstance(piece, CallText):
                deltas += self._translated(self._calls.feed(piece.text))
            elif isinstance(piece, Text):
                deltas += self._translated([piece.text])
            elif isinstance(piece, Code):
                self.said.codes.append(piece.code)
                deltas.append(TokensDelta(SpeechTokens((piece.code,), CODEC, CODE_RATE_HZ)))
        return deltas

    def _translated(self, found: Sequence[str | ReadCall]) -> list[AnswerDelta]:
        deltas: list[AnswerDelta] = []
        for one in found:
            if isinstance(one, str):
                self.said.text += one
                deltas.append(TextDelta(one))
            else:
                delta = self._translation.delta(one.delta())
                self.said.call_ids.append(delta.call.id)
                deltas.append(delta)
        return deltas
