"""`OpenAIAudio`: GPT audio models and compatible servers, which hear and speak in one request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import SecretStr

from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.openai.answer import SAMPLE_RATE_HZ
from agentaudio.model.openai.chat import OPENAI, connect
from agentaudio.model.openai.completion import OPTIONS, Completions
from agentaudio.model.openai.dialect import DIALECTS, Dialect, DialectName
from agentaudio.model.openai.messages import chat_messages
from agentaudio.model.openai.progress import PROGRESS_TIMEOUT_S
from agentaudio.model.options import FromEnv
from agentaudio.model.presets import Presets
from agentaudio.model.speech_lm import AudioDelta, Capabilities, Delta, End, GenerateOptions, ReferenceVoice, TextDelta


class OpenAIAudio:
    """A SpeechLM behind Chat Completions with audio, such as gpt-audio.

    completions: the model on its server
    voice: the name of a preset voice of the server; None for the dialect's
    dialect: of the server
    speaks: False for a model that hears and answers in text only
    presets: samples of the server's voices; the one nearest to a retrieved voice speaks for it

    Without `presets` it speaks in one voice only; wrap it in `Revoiced` for retrieved voices. Sound is sent as
    sound in each request, since the model has no memory of its own.
    """

    def __init__(
        self,
        completions: Completions,
        *,
        name: str,
        voice: str | None = None,
        dialect: Dialect = DIALECTS["openai"],
        speaks: bool = True,
        calls_tools: bool = True,
        max_audio_s: float | None = None,
        presets: Presets | None = None,
    ) -> None:
        self.name = name
        self._presets = presets
        self._completions, self._speaks = completions, speaks
        self._voice, self._dialect = voice or dialect.voice, dialect
        self.capabilities = Capabilities(
            hears=True, voices=("any" if presets else "fixed") if speaks else "none",
            imitates="preset" if presets and speaks else None, calls_tools=calls_tools,
            sample_rate_hz=SAMPLE_RATE_HZ, max_audio_s=max_audio_s or dialect.max_audio_s, options=OPTIONS,
        )  # fmt: skip

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        """Stream the answer of the server; see SpeechLM. Words without sound are an error."""
        speak = self._speaks and options.speak
        preset = self._voice
        if speak and voice is not None and self._presets is not None:
            preset = (await self._presets.nearest(voice)).name
        spoken = {"modalities": ["text", "audio"], "audio": {"voice": preset, "format": self._dialect.format}}
        extra = spoken if speak else {"modalities": ["text"]}
        answer = self._completions.answer(
            chat_messages(conversation, self._dialect.sound), tools=tools, options=options, extra=extra
        )
        wrote, sounded = False, False
        async with contextlib.aclosing(answer) as deltas:
            async for delta in deltas:
                wrote = wrote or isinstance(delta, TextDelta)
                sounded = sounded or isinstance(delta, AudioDelta)
                if isinstance(delta, End) and speak and wrote and not sounded:
                    raise BackendError(f"{self.name} wrote an answer without sound; set speaks=False or use a cascade")
                yield delta

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Does nothing: a request would cost."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._completions.aclose()


def load(
    argument: str | None,
    *,
    base_url: Annotated[str, FromEnv("OPENAI_BASE_URL")] = OPENAI,
    api_key: Annotated[SecretStr | None, FromEnv("OPENAI_API_KEY")] = None,
    dialect: DialectName = "openai",
    voice: str | None = None,
    presets: Path | None = None,
    speaks: bool = True,
    calls_tools: bool = True,
    max_audio_s: float | None = None,
    progress_timeout_s: float = PROGRESS_TIMEOUT_S,
) -> OpenAIAudio:
    """The entry point `openai` of speech models. argument: the model's name on the server, such as gpt-audio.

    base_url: of the server, up to /v1
    api_key: local servers need none
    dialect: `dashscope` for Qwen-Omni at Alibaba Cloud, which needs its base_url
    voice: the name of a preset voice; none for alloy, or Cherry at DashScope
    presets: folder with a sample of each preset, as NAME.wav; the one nearest to a retrieved voice speaks for it
    speaks: False for a model that hears and answers in text only
    calls_tools: False for a model that cannot call tools
    max_audio_s: longest user sound, in seconds; none for 300, or 180 at DashScope
    progress_timeout_s: longest wait for words, sound or calls

    Raises OptionError without a model's name, or for a dialect without its server.
    """
    spoken = DIALECTS[dialect]
    if spoken.addresses and base_url == OPENAI:
        raise OptionError(f"dialect {dialect!r} needs base_url, by the key's region: {' or '.join(spoken.addresses)}")
    name, completions = connect("speech model", argument, base_url, api_key, progress_timeout_s, spoken)
    return OpenAIAudio(
        completions, name=name, voice=voice, dialect=spoken, speaks=speaks, calls_tools=calls_tools,
        max_audio_s=max_audio_s, presets=Presets.from_folder(presets) if presets else None,
    )  # fmt: skip
