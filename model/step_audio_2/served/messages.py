"""Conversations as the messages of a chat request, in the dialect of each kind of server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from agentaudio.conversation import AudioPart, Conversation, Message, SpeechPart, TextPart
from agentaudio.model.step_audio_2.language.dialect import Translation
from agentaudio.model.step_audio_2.language.messages import START
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder, own_codes
from agentaudio.model.step_audio_2.network.features import PIECE_SAMPLES, SAMPLE_RATE
from agentaudio.model.step_audio_2.network.resample import resample
from agentaudio.model.step_audio_2.tokens import escape
from agentaudio.sound.audio import Audio
from agentaudio.sound.encode import encode, encode_exactly

ServerKind = Literal["vllm", "stepfun", "vllm-omni"]


@dataclass(frozen=True, slots=True)
class ServerDialect:
    """How a kind of server takes conversations and gives answers.

    user, result: the roles of the user and of a tool's result
    speech: how spoken answers of the past are sent: with the ids that were generated, else as text `parts` that hold
        their speech codes; as `tts_content`; or as their words alone
    plain: text stays text on the server, whatever it spells; otherwise see `escape`
    exact: sound is sent in 32-bit floats, so that the server hears what a model here would hear
    urls: sound is sent as a data URL
    calls_tools: whether it can be given tools
    must_call: whether it can be made to call one
    makes_sound: whether it can make the sound itself, in one voice
    """

    user: str
    result: str
    speech: Literal["parts", "tts_content", "words"]
    plain: bool = False
    exact: bool = False
    urls: bool = False
    calls_tools: bool = True
    must_call: bool = False
    makes_sound: bool = False


SERVER_DIALECTS: dict[ServerKind, ServerDialect] = {
    "vllm": ServerDialect("user", "tool", "parts", plain=True, exact=True, must_call=True),
    "stepfun": ServerDialect("human", "input", "tts_content"),
    "vllm-omni": ServerDialect("user", "tool", "words", urls=True, calls_tools=False, makes_sound=True),
}
"""vllm: an unmodified vLLM with agentaudio's plug-in; stepfun: StepFun's own build of vLLM."""


class Messages:
    """Makes the messages of conversations for one kind of server.

    answers: knows the ids of answers, see `PromptBuilder.remember`
    Sound is cut into pieces of at most 25 s.
    """

    def __init__(self, dialect: ServerDialect, answers: PromptBuilder) -> None:
        self._dialect, self._answers = dialect, answers

    def of(self, conversation: Conversation, translation: Translation, *, speak: bool) -> list[dict[str, Any]]:
        """The messages of a conversation; where `speak`, the last one begins a spoken answer."""
        sent = [one for message in conversation for one in self._sent(message, translation)]
        if speak:
            sent.append({"role": "assistant", "content": START})
        return sent

    def _sent(self, message: Message, translation: Translation) -> Iterator[dict[str, Any]]:
        dialect = self._dialect
        if message.role == "tool":
            for output in message.tool_outputs:
                texts = [self._text(text) for text in translation.result(output)]
                yield {"role": dialect.result, "tool_call_id": output.call_id, "content": texts}
        elif message.role == "assistant":
            yield self._assistant(message, translation)
        elif message.role == "user":
            yield {"role": dialect.user, "content": [part for one in message.parts for part in self._parts(one)]}
        else:
            yield {"role": message.role, "content": self._words(message.text)}

    def _parts(self, part: object) -> Iterator[dict[str, Any]]:
        if isinstance(part, AudioPart):
            for piece in wav_pieces(part.audio, exact=self._dialect.exact):
                data = base64.b64encode(piece).decode("ascii")
                if self._dialect.urls:
                    yield {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{data}"}}
                else:
                    yield {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
        elif isinstance(part, TextPart | SpeechPart):
            yield self._text(part.text)

    def _assistant(self, message: Message, translation: Translation) -> dict[str, Any]:
        sent: dict[str, Any] = {"role": "assistant", "content": None}
        if self._dialect.speech == "parts":
            sent["content"] = [self._said(part) for part in message.parts if isinstance(part, TextPart | SpeechPart)]
            if (ids := self._answers.generated(message)) is not None:
                sent["token_ids"] = list(ids)
        else:
            codes: list[int] = []
            spoken: list[str] = []
            written: list[str] = []
            for part in message.parts:
                if isinstance(part, SpeechPart) and self._dialect.speech == "tts_content" and (own := own_codes(part)):
                    codes += own
                    spoken.append(part.text)
                elif isinstance(part, TextPart | SpeechPart):
                    written.append(part.text)
            sent["content"] = self._words(" ".join(written)) or None
            if codes:
                audio = "".join(f"<audio_{code}>" for code in codes)
                sent["tts_content"] = {"tts_text": self._words(" ".join(spoken)), "tts_audio": audio}
        if calls := [translation.to_native(call) for call in message.tool_calls]:
            sent["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": call.name,
                        "arguments": json.dumps(dict(call.arguments), ensure_ascii=False, default=str),
                    },
                }
                for call in calls
            ]
        elif sent["content"] is None and "tts_content" not in sent:
            sent["content"] = ""
        return sent

    def _said(self, part: TextPart | SpeechPart) -> dict[str, Any]:
        codes = own_codes(part) if isinstance(part, SpeechPart) else ()
        return self._text(part.text) | ({"codes": list(codes)} if codes else {})

    def _text(self, text: str) -> dict[str, Any]:
        return {"type": "text", "text": self._words(text)}

    def _words(self, text: str) -> str:
        return text if self._dialect.plain else escape(text)


def wav_pieces(audio: Audio, *, exact: bool) -> Iterator[bytes]:
    """The sound as the model's encoder takes it: 16 kHz, as WAV files of at most 25 s each.

    exact: in 32-bit floats; otherwise in 16 bits
    """
    samples = resample(audio.samples, audio.sample_rate, SAMPLE_RATE)
    for start in range(0, len(samples), PIECE_SAMPLES):
        piece = samples[start : start + PIECE_SAMPLES]
        yield encode_exactly(piece, SAMPLE_RATE) if exact else encode(piece, SAMPLE_RATE, ".wav")
