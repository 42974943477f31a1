"""The request, as clients send it. Fields that are not here are ignored, as they change nothing for this agent."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agentaudio.model.speech_lm import GenerateOptions, SpeechLM
from agentaudio.server.bodies import has_lone_surrogate
from agentaudio.server.errors import ApiError
from agentaudio.speaker import LONGEST_WISH

AudioFormat = Literal["wav", "mp3", "flac", "opus", "aac", "pcm16", "pcm"]
_NAME = Field(max_length=200)
MOST_TOOLS = 256


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore")


class TextContent(_Form):
    type: Literal["text", "input_text", "output_text"]
    text: str


class InputAudio(_Form):
    """format: of the file, whose content decides; "pcm16" for 24 kHz samples without a header"""

    data: str
    format: Annotated[str | None, Field(max_length=20)] = None


class AudioContent(_Form):
    type: Literal["input_audio"]
    input_audio: InputAudio


class Url(_Form):
    url: str


class AudioUrlContent(_Form):
    type: Literal["audio_url"]
    audio_url: Url


class RefusalContent(_Form):
    type: Literal["refusal"]
    refusal: str


UserContent = Annotated[TextContent | AudioContent | AudioUrlContent, Field(discriminator="type")]
AssistantContent = Annotated[TextContent | RefusalContent, Field(discriminator="type")]


class SystemMessage(_Form):
    role: Literal["system", "developer"]
    content: str | list[TextContent]


class UserMessage(_Form):
    role: Literal["user"]
    content: str | list[UserContent]


class AudioId(_Form):
    id: Annotated[str, _NAME]


class CalledFunction(_Form):
    name: Annotated[str, _NAME]
    arguments: str


class CalledTool(_Form):
    id: Annotated[str, _NAME]
    type: Literal["function"] = "function"
    function: CalledFunction


class AssistantMessage(_Form):
    role: Literal["assistant"]
    content: str | list[AssistantContent] | None = None
    audio: AudioId | None = None
    tool_calls: list[CalledTool] | None = None


class ToolMessage(_Form):
    role: Literal["tool"]
    tool_call_id: Annotated[str, _NAME]
    content: str | list[TextContent]


SentMessage = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class Function(_Form):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class FunctionTool(_Form):
    type: Literal["function"]
    function: Function


class NamedFunction(_Form):
    name: Annotated[str, _NAME]


class NamedTool(_Form):
    type: Literal["function"]
    function: NamedFunction


class VoiceId(_Form):
    id: Annotated[str, _NAME]


class AudioAnswer(_Form):
    voice: Annotated[str, Field(max_length=LONGEST_WISH)] | VoiceId | None = None
    format: AudioFormat | None = None


class StreamOptions(_Form):
    include_usage: bool | None = None


class ResponseFormat(_Form):
    type: str


class ChatRequest(_Form):
    """A request for a chat completion."""

    messages: Annotated[list[SentMessage], Field(min_length=1)]
    model: str | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    audio: AudioAnswer | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=100)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    n: int | None = None
    logprobs: bool | None = None
    response_format: ResponseFormat | None = None

    @model_validator(mode="after")
    def _refuse_what_changes_the_answer(self) -> ChatRequest:
        """Raises ValueError for what would silently give another answer than asked for."""
        if self.n not in (None, 1):
            raise ValueError("n must be 1: a spoken turn has one answer")
        if self.logprobs:
            raise ValueError("logprobs are not available")
        if has_lone_surrogate("".join([self.stop] if isinstance(self.stop, str) else self.stop or ())):
            raise ValueError("stop holds half a character (a lone surrogate)")
        if self.response_format is not None and self.response_format.type != "text":
            raise ValueError("response_format must be text; describe the form in the messages instead")
        return self

    @property
    def must_call(self) -> str | Literal[True] | None:
        """What `tool_choice` has the model call; see GenerateOptions."""
        choice = self.tool_choice
        return choice.function.name if isinstance(choice, NamedTool) else True if choice == "required" else None

    @property
    def speaks(self) -> bool:
        return "audio" in (self.modalities or ())

    @property
    def format(self) -> AudioFormat:
        """Of the answer's sound."""
        chosen = self.audio.format if self.audio is not None else None
        return chosen or ("pcm16" if self.stream else "wav")

    def options(self, model: SpeechLM, base: GenerateOptions) -> GenerateOptions:
        """How to generate. What the model does not support is left out: clients send it as a matter of course.

        base: the agent's options, which hold for what the client leaves out

        Raises ApiError for sound of a model that makes none.
        """
        if self.speaks and model.capabilities.voices == "none":
            raise ApiError(
                400, 'this model makes no sound; leave "audio" out', code="unsupported_value", param="modalities"
            )
        wanted = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "repetition_penalty": self.repetition_penalty,
            "max_tokens": self.max_completion_tokens or self.max_tokens,
            "seed": self.seed,
            "stop": (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
            "must_call": self.must_call,
        }
        taken = {name: value for name, value in wanted.items() if name in model.capabilities.options and value}
        if self.temperature == 0 and "temperature" in model.capabilities.options:
            taken["temperature"] = 0.0
        return replace(base, speak=self.speaks, **taken)  # type: ignore[arg-type]
