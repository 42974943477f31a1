"""The models of agentaudio as a provider of inspect-ai: `agentaudio/NAME`, such as `agentaudio/embedded`.

inspect-ai finds it by the entry point group `inspect_ai`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    ContentAudio,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    modelapi,
)
from inspect_ai.tool import ToolCall as InspectCall
from inspect_ai.tool import ToolChoice, ToolInfo

from agentaudio.conversation import AudioPart, Conversation, Part, SpeechPart, TextPart, ToolCall, ToolOutput, ToolSpec
from agentaudio.deltas import checked
from agentaudio.errors import AudioError, EvaluationError
from agentaudio.evaluation.item import BrokenClip, SoundNotKept
from agentaudio.limits import Limits
from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.parts import Speaks
from agentaudio.model.registry import load_model
from agentaudio.model.speech_lm import AudioDelta, CallDelta, End, GenerateOptions, Heard, SpeechLM, TextDelta
from agentaudio.model.transcribe import transcribe
from agentaudio.sound.audio import Audio

LONGEST_S = 3_600.0
"""Longest sound that is read, where the model takes as much."""

_STOPS: dict[str, StopReason] = {"stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls"}


@dataclass(slots=True)
class _Generated:
    heard: str | None = None
    text: str = ""
    sound: list[Audio] = field(default_factory=list)
    calls: list[CallDelta] = field(default_factory=list)
    end: End = field(default_factory=End)


@modelapi(name="agentaudio")
class SpokenModel(ModelAPI):
    """A speech model behind inspect-ai's interface for models.

    model_name: as for `load_model`, such as `embedded`; a colon is allowed in it
    transcribes: write down the words of the sound, in the way that suits the model, instead of answering it
    clones: speak the text of the last message in the voice of its sound, instead of answering it
    sounds: folder for spoken answers, as WAV files named by their digest; None lets the model answer in text only
    speech_model: a model that is already loaded, which is not closed here
    options: of the model

    Messages may hold sound as a path or a data URL, in any format that `Audio.load` reads. Settings that the model does
    not take are left out, and the output's metadata lists them under "ignored".

    Raises what `load_model` raises.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),
        *,
        transcribes: bool = False,
        clones: bool = False,
        sounds: str | None = None,
        speech_model: SpeechLM | None = None,
        parallel: int = 4,
        **options: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._owns = speech_model is None
        self._model = speech_model or load_model(model_name, **options)
        self._transcribes, self._clones, self._parallel = transcribes, clones, parallel
        self._sounds = Path(sounds) if sounds else None

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """See ModelAPI.

        Raises BrokenClip for a sound that cannot be read, SoundNotKept for a spoken answer that cannot be written, and
        what the model raises.
        """
        conversation = await _conversation(input, self._model.capabilities.max_audio_s)
        if self._transcribes:
            return ModelOutput.from_content(self.model_name, await self._transcript(conversation))
        if self._clones:
            return await self._output(await _cloned(self._model, conversation), ())
        options, ignored = _options(config, self._model)
        able = self._model.capabilities
        options = replace(options, speak=self._sounds is not None and able.voices != "none")
        specs = _specs(tools) if able.calls_tools and tool_choice != "none" else []
        made = await _generate(self._model, conversation, specs, options)
        return await self._output(made, ignored)

    async def count_text_tokens(self, text: str) -> int:
        """About four characters a token. inspect-ai's own count would fetch a tokeniser."""
        return len(text) // 4 + 1

    def max_connections(self) -> int:
        """Answers that are generated at the same time."""
        return self._parallel

    async def aclose(self) -> None:
        """Release the model, if it was loaded here."""
        if self._owns:
            await self._model.aclose()

    async def _transcript(self, conversation: Conversation) -> str:
        user = conversation.last_user
        sounds = [part.audio for part in user.parts if isinstance(part, AudioPart)] if user else []
        if len(sounds) != 1:
            raise EvaluationError(f"{len(sounds)} sounds to transcribe; give one in each question")
        return await transcribe(self._model, sounds[0])

    async def _output(self, made: _Generated, ignored: Sequence[str]) -> ModelOutput:
        content: list[ContentText | ContentAudio] = [ContentText(text=made.text)]
        if self._sounds is not None and made.sound:
            content.append(ContentAudio(audio=str(await _saved(made.sound, self._sounds)), format="wav"))
        calls = [
            InspectCall(
                id=one.call.id, function=one.call.name, arguments=dict(one.call.arguments), parse_error=one.problem
            )
            for one in made.calls
        ]
        message = ChatMessageAssistant(
            content=list(content), tool_calls=calls or None, model=self.model_name, source="generate"
        )
        reason: StopReason = "tool_calls" if calls else _STOPS[made.end.reason]
        usage = {name: int(made.end.usage.get(name, 0)) for name in ("input_tokens", "output_tokens")}
        return ModelOutput(
            model=self.model_name,
            choices=[ChatCompletionChoice(message=message, stop_reason=reason)],
            usage=ModelUsage(**usage, total_tokens=sum(usage.values())),
            metadata={"heard": made.heard, "ignored": list(ignored)},
        )


async def _generate(
    model: SpeechLM, conversation: Conversation, tools: Sequence[ToolSpec], options: GenerateOptions
) -> _Generated:
    made = _Generated()
    deltas = checked(
        model,
        model.generate(conversation, tools=tools, options=options),
        options,
        limits=Limits(),
        used_ids=conversation.call_ids,
    )
    async with contextlib.aclosing(deltas) as stream:
        async for delta in stream:
            match delta:
                case Heard(text=text, final=True):
                    made.heard = text
                case TextDelta(text=text):
                    made.text += text
                case AudioDelta(audio=audio):
                    made.sound.append(audio)
                case CallDelta():
                    made.calls.append(delta)
                case End():
                    made.end = delta
    return made


async def _cloned(model: SpeechLM, conversation: Conversation) -> _Generated:
    user = conversation.last_user
    clips = [part.audio for part in user.parts if isinstance(part, AudioPart)] if user else []
    if user is None or len(clips) != 1:
        raise EvaluationError(f"{len(clips)} clips to imitate; give one in each question")
    if not isinstance(model, Speaks) or model.capabilities.voices != "any":
        raise EvaluationError(f"model {model.name!r} cannot speak a given text in a given voice; choose another model")
    voice = ClipVoice(clips[0])
    await model.prepare(voice)
    made = _Generated(text=user.text)
    async with contextlib.aclosing(model.say(user.text, voice=voice)) as sounds:
        async for audio in sounds:
            made.sound.append(audio)
    return made


async def _saved(sound: Sequence[Audio], folder: Path) -> Path:
    audio = Audio.concat(sound)
    path = folder / f"{audio.sha256[:24]}.wav"
    if not path.exists():
        try:
            await asyncio.to_thread(audio.save, path)
        except AudioError as error:
            raise SoundNotKept(f"{error}; what was finished before is kept: run the same command again") from None
    return path


async def _conversation(messages: Sequence[ChatMessage], longest_s: float) -> Conversation:
    conversation = Conversation()
    for message in messages:
        if isinstance(message, ChatMessageTool):
            name, call_id = message.function or "", message.tool_call_id or ""
            conversation.add("tool", ToolOutput(call_id, name, message.text, is_error=message.error is not None))
            continue
        parts: list[Part] = []
        contents = [ContentText(text=message.content)] if isinstance(message.content, str) else message.content
        for content in contents:
            if isinstance(content, ContentText):
                if content.text:
                    parts.append(TextPart(content.text))
            elif isinstance(content, ContentAudio):
                audio = await _read(content.audio, longest_s)
                parts.append(SpeechPart("", audio) if message.role == "assistant" else AudioPart(audio))
            else:
                raise EvaluationError(f"a message holds {content.type}; speech models take text and sound")
        if isinstance(message, ChatMessageAssistant):
            parts = _spoken(parts)
            parts += [ToolCall(one.id, one.function, one.arguments) for one in message.tool_calls or ()]
        if parts:
            conversation.add(message.role, *parts)
    return conversation


def _spoken(parts: Sequence[Part]) -> list[Part]:
    """Words and sound of one answer as the one SpeechPart that they are."""
    sound = next((part.audio for part in parts if isinstance(part, SpeechPart)), None)
    text = " ".join(part.text for part in parts if isinstance(part, TextPart))
    return [SpeechPart(text, sound)] if sound is not None else [TextPart(text)] if text else []


async def _read(source: str, longest_s: float) -> Audio:
    place: bytes | Path = Path(source)
    if source.startswith("data:"):
        try:
            place = base64.b64decode(source.partition(",")[2], validate=True)
        except binascii.Error:
            raise BrokenClip("the sound of a message is not base64; send a data URL of a sound file") from None
    try:
        return await Audio.aload(place, max_duration_s=min(longest_s, LONGEST_S), setting="of the model")
    except AudioError as error:
        raise BrokenClip(str(error)) from None


def _specs(tools: Sequence[ToolInfo]) -> list[ToolSpec]:
    return [
        ToolSpec(one.name, one.description, json.loads(one.parameters.model_dump_json(exclude_none=True)))
        for one in tools
    ]


def _options(config: GenerateConfig, model: SpeechLM) -> tuple[GenerateOptions, list[str]]:
    """The settings that the model takes, and the names of the others."""
    wanted: dict[str, Any] = {
        "temperature": config.temperature,
        "top_p": config.top_p,
        "max_tokens": config.max_tokens,
        "seed": config.seed,
        "repetition_penalty": (config.extra_body or {}).get("repetition_penalty"),
        "stop": tuple(config.stop_seqs or ()) or None,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    taken = {name: value for name, value in given.items() if name in model.capabilities.options}
    return GenerateOptions(**taken), sorted(given.keys() - taken.keys())
