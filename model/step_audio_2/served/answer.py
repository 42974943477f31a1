"""`ServedAnswer`: the chunks of a server's answer, as the deltas of a speech model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentaudio.errors import BackendError
from agentaudio.model.openai.answer import ChatAnswer
from agentaudio.model.openai.completion import has_call
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, End, TextDelta, TokensDelta
from agentaudio.model.step_audio_2.language.answer import AnswerReader, Said, UntilStop
from agentaudio.model.step_audio_2.language.dialect import Translation
from agentaudio.model.step_audio_2.language.interleave import Mode
from agentaudio.model.step_audio_2.served.server import SERVE_IT
from agentaudio.model.step_audio_2.served.spelling import ByteVocabulary, SpelledIds
from agentaudio.model.step_audio_2.tokens import N_CODE_TOKENS, Vocabulary


class ServedAnswer:
    """Reads one answer, streamed or whole.

    Where the chunks have `token_ids` and the tokenizer is known, the ids alone are read: text that spells a special
    token stays text, and calls are read as of the model that runs here. Otherwise it reads the text, in which special
    tokens are spelled, or the `tts_content` of StepFun's server, and the calls that the server has found.

    name: of the model, for messages
    vocabulary: of the checkpoint that is served; None if its tokenizer is not known
    mode: of the prompt
    translation: of the tools in the prompt
    stop: the answer ends before the first of these strings
    """

    def __init__(
        self,
        name: str,
        vocabulary: Vocabulary | None,
        mode: Mode,
        translation: Translation,
        stop: tuple[str, ...] = (),
    ) -> None:
        self._name, self._vocabulary, self._translation = name, vocabulary, translation
        self._mode: Mode = mode
        self._chat = ChatAnswer(name)
        self._reader: AnswerReader | None = None
        self._spelled: SpelledIds | None = None
        self._speaking = mode == "speech"
        self._found: list[Delta] = []
        self._until = UntilStop(stop, self._found.append)
        self.generated: list[int] = []
        """The token ids that the server has sent, if it does."""
        self.said = Said()
        """The content so far."""
        self._has_sound = False

    @property
    def stopped(self) -> bool:
        """Whether a stop string has ended the answer; what the server sends from then on is not needed."""
        return self._until.cut

    @property
    def has_only_words(self) -> bool:
        """Whether there are words and no speech so far."""
        return bool(self.said.text.strip()) and not self._has_sound

    def push(self, chunk: Mapping[str, Any]) -> tuple[list[Delta], bool]:
        """The deltas of a chunk, and whether the answer has gone on.

        Raises BackendError for an error that the server reports, and for ids that are not of this vocabulary.
        """
        sounds = [delta for delta in self._chat.push(chunk) if isinstance(delta, AudioDelta)]
        self._check_prompt(chunk.get("prompt_token_ids"))
        ids = [number for choice in _choices(chunk) for number in self._ids(choice)]
        deltas: list[Delta] = [*self._read(ids), *sounds]
        self._has_sound = self._has_sound or bool(sounds)
        return deltas, bool(deltas or ids) or has_call(chunk)

    def finish(self) -> list[Delta]:
        """What was held back, the calls, and the End. Raises BackendError for an answer that broke off."""
        if self.stopped:
            return [End("stop", self._usage({}))]
        *calls, end = self._chat.finish()
        assert isinstance(end, End)
        deltas = self._read(self._spelled.finish() if self._spelled is not None else [])
        if self._reader is not None:
            self._until.take(self._reader.finish())
        self._until.flush()
        deltas += self._taken()
        if self._spelled is not None or self._reader is None:
            theirs = [self._translation.delta(call) for call in calls if isinstance(call, CallDelta)]
            self._until.take(theirs)
            deltas += self._taken()
        reason = end.reason
        if reason != "length":
            reason = "tool_calls" if self._until.calls else "stop"
        return [*deltas, End(reason, self._usage(end.usage))]

    def _ids(self, choice: Mapping[str, Any]) -> Iterator[int]:
        part = choice.get("delta") or choice.get("message")
        part = part if isinstance(part, dict) else {}
        sent = choice.get("token_ids")
        if sent is not None:
            self.generated += self._checked(sent)
        if sent is not None and self._vocabulary is not None and self._spelled is None:
            self._reader = self._reader or AnswerReader(self._vocabulary, self._mode, self._translation)
            yield from self._checked(sent)
            return
        if self._reader is not None and self._spelled is None:
            return  # the ids are read, and this chunk has none
        speech, content = part.get("tts_content"), part.get("content")
        speech = speech if isinstance(speech, dict) else {}
        text, codes = (one if isinstance(one, str) else "" for one in map(speech.get, ("tts_text", "tts_audio")))
        content = content if isinstance(content, str) else ""
        if not (text or codes or content):
            return
        if self._spelled is None:
            self._spelled = SpelledIds()
            self._reader = AnswerReader(ByteVocabulary(), self._mode, self._translation)
        marks = ByteVocabulary.ids
        if text or codes:
            yield from () if self._speaking else (marks.tts_start,)
            self._speaking = True
            yield from ByteVocabulary().encode(text)
            yield from self._spelled.feed(codes)
        if content:
            # Beside `tts_content`, `content` is what follows the speech; elsewhere it is all of the answer.
            if self._speaking and "tts_content" in part:
                self._speaking = False
                yield marks.tts_end
            yield from self._spelled.feed(content)

    def _check_prompt(self, ids: Any) -> None:
        first = ids[0] if isinstance(ids, list) and ids else None
        bot = (ByteVocabulary() if self._vocabulary is None else self._vocabulary).ids.bot
        if first is not None and first != bot:
            raise BackendError(
                f"{self._name} begins the prompt with {first!r:.40}, not with {bot} (<|BOT|>): the server has another "
                f"model, or lacks the plug-in; {SERVE_IT}"
            )

    def _checked(self, sent: Any) -> list[int]:
        vocabulary = ByteVocabulary() if self._vocabulary is None else self._vocabulary
        # The embedding has rows up to a multiple of 512; random weights write those without a token, too.
        most = -(-(vocabulary.ids.audio_0 + N_CODE_TOKENS) // 512) * 512
        ids = sent if isinstance(sent, list) else [sent]
        for number in ids:
            if type(number) is not int or not 0 <= number < most:
                raise BackendError(
                    f"{self._name} sent {number!r:.60} as a token id, which the vocabulary of Step-Audio 2 does not "
                    "have; check which model the server has loaded"
                )
        return ids

    def _read(self, ids: list[int]) -> list[Delta]:
        for number in ids:
            assert self._reader is not None
            if self._until.take(self._reader.feed(number)):
                break
        return self._taken()

    def _taken(self) -> list[Delta]:
        taken = _merged(self._found)
        self._found.clear()
        for delta in taken:
            if isinstance(delta, TokensDelta):
                self.said.codes += delta.tokens.ids
            elif isinstance(delta, TextDelta):
                self.said.text += delta.text
            elif isinstance(delta, CallDelta):
                self.said.call_ids.append(delta.call.id)
        self._has_sound = self._has_sound or bool(self.said.codes)
        return taken

    def _usage(self, counted: Mapping[str, float]) -> dict[str, float]:
        return dict(counted) | ({"output_audio_tokens": len(self.said.codes)} if self.said.codes else {})


def _merged(deltas: Sequence[Delta]) -> list[Delta]:
    """Deltas with neighbours of a kind as one: a piece of spelled-out text is read byte by byte."""
    merged: list[Delta] = []
    for delta in deltas:
        last = merged[-1] if merged else None
        if isinstance(delta, TextDelta) and isinstance(last, TextDelta):
            merged[-1] = TextDelta(last.text + delta.text)
        elif isinstance(delta, TokensDelta) and isinstance(last, TokensDelta):
            merged[-1] = TokensDelta(last.tokens + delta.tokens)
        else:
            merged.append(delta)
    return merged


def _choices(chunk: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    choices = chunk.get("choices")
    return [one for one in choices if isinstance(one, dict)] if isinstance(choices, list) else []
