"""Reads generated token ids into the deltas of a SpeechLM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from agentaudio.conversation import SpeechTokens
from agentaudio.model.generation.stop_strings import StopStrings
from agentaudio.model.speech_lm import CallDelta, TextDelta, TokensDelta
from agentaudio.model.step_audio_2.language.dialect import Translation
from agentaudio.model.step_audio_2.language.interleave import CallText, Code, Mode, OutputReader, Piece, Text
from agentaudio.model.step_audio_2.language.tool_calls import ReadCall, ToolCallParser
from agentaudio.model.step_audio_2.tokens import CODE_RATE_HZ, CODEC, Vocabulary
from agentaudio.model.written_calls import WrittenCalls

AnswerDelta = TextDelta | TokensDelta | CallDelta


@dataclass(slots=True)
class Said:
    """The content of an answer. `PromptBuilder.remember` finds the generated ids by it."""

    text: str = ""
    codes: list[int] = field(default_factory=list)
    call_ids: list[str] = field(default_factory=list)


class AnswerReader:
    """Reads one answer, id by id. Calls get our tools' names, also those that the text only spells; thoughts are left
    out.

    mode: of the prompt
    translation: of the tools in the prompt
    said: the content so far
    """

    def __init__(self, vocabulary: Vocabulary, mode: Mode, translation: Translation) -> None:
        self._output = OutputReader(vocabulary, mode)
        specs, aliases = translation.specs, translation.aliases
        by_name = {spec.name: spec for spec in specs}
        renamed = [replace(by_name[native], name=ours) for ours, native in aliases.items() if native in by_name]
        self._calls = ToolCallParser(specs, aliases=aliases)
        self._text = WrittenCalls([*specs, *renamed]) if specs else None
        self._translation = translation
        self.said = Said()

    @property
    def ended(self) -> bool:
        """Whether the model has written `<|EOT|>`, or `finish` was called."""
        return self._output.ended

    def feed(self, token_id: int) -> list[AnswerDelta]:
        """The deltas that this id completes, often none. After the end, there are none."""
        deltas = self._deltas(self._output.feed(token_id))
        return [*deltas, *self._rest()] if self._output.ended else deltas

    def finish(self) -> list[AnswerDelta]:
        """The deltas held back until now, when no id follows. An unfinished call comes with a problem."""
        return [*self._deltas(self._output.finish()), *self._rest()]

    def _rest(self) -> list[AnswerDelta]:
        """What was held back: of the text, and of a call."""
        found: list[TextDelta | CallDelta] = [] if self._text is None else self._text.finish()
        return [*self._noted(found), *self._translated(self._calls.finish())]

    def _deltas(self, pieces: Sequence[Piece]) -> list[AnswerDelta]:
        deltas: list[AnswerDelta] = []
        for piece in pieces:
            if isinstance(piece, CallText):
                deltas += [*self._text_before_call(), *self._translated(self._calls.feed(piece.text))]
            elif isinstance(piece, Text):
                found = [TextDelta(piece.text)] if self._text is None else self._text.push(piece.text)
                deltas += self._noted(found)
            elif isinstance(piece, Code):
                self.said.codes.append(piece.code)
                deltas.append(TokensDelta(SpeechTokens((piece.code,), CODEC, CODE_RATE_HZ)))
        return deltas

    def _text_before_call(self) -> list[AnswerDelta]:
        return [] if self._text is None or self._calls.open else self._noted(self._text.finish())

    def _translated(self, found: Sequence[str | ReadCall]) -> list[AnswerDelta]:
        return self._noted([TextDelta(one) if isinstance(one, str) else one.delta() for one in found])

    def _noted(self, found: Sequence[TextDelta | CallDelta]) -> list[AnswerDelta]:
        deltas: list[AnswerDelta] = []
        for one in found:
            if isinstance(one, CallDelta):
                one = self._translation.delta(one)
                self.said.call_ids.append(one.call.id)
            else:
                self.said.text += one.text
            deltas.append(one)
        return deltas


class UntilStop:
    """Emits deltas up to the first of some stop strings.

    calls: how many were emitted
    """

    def __init__(self, stops: Sequence[str], emit: Callable[[AnswerDelta], None]) -> None:
        self._stops, self._emit = StopStrings(stops), emit
        self.calls = 0

    @property
    def cut(self) -> bool:
        """Whether a stop string has come."""
        return self._stops.found

    def take(self, deltas: Sequence[AnswerDelta]) -> bool:
        """Emit deltas. Returns whether a stop string has come."""
        for delta in deltas:
            if self.cut:
                break
            if isinstance(delta, TextDelta):
                self._say(self._stops.feed(delta.text))
                continue
            if isinstance(delta, CallDelta):
                self.calls += 1
                self.flush()
            self._emit(delta)
        return self.cut

    def flush(self) -> None:
        """Emit text that was held back because a stop string might begin in it."""
        self._say(self._stops.finish())

    def _say(self, text: str) -> None:
        if text:
            self._emit(TextDelta(text))
