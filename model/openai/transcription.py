"""`OpenAITranscriber`: an audio transcription endpoint as the recogniser of a cascade."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Annotated

from pydantic import SecretStr

from agentaudio.errors import AudioError, BackendError, OptionError
from agentaudio.model.openai.chat import OPENAI
from agentaudio.model.openai.messages import INPUT_RATE_HZ
from agentaudio.model.openai.service import Service
from agentaudio.model.options import FromEnv
from agentaudio.model.parts import Recognition
from agentaudio.sound.audio import Audio

MAX_AUDIO_S = 780.0
"""25 MB, OpenAI's limit of a file, hold 13.6 minutes of 16 kHz WAV."""

HINT_CHARS = 600
"""Longest prompt; Whisper reads about 200 tokens of one."""


_SPACES = str.maketrans("\r\n\t\ufffd", "   \0")
"""Makes text of several lines printable, and bytes that are not UTF-8 not."""


class OpenAITranscriber:
    """A Recogniser (see agentaudio.model.parts) behind `/audio/transcriptions`: OpenAI, vLLM and others.

    model: such as gpt-4o-mini-transcribe or whisper-1
    use_hint: send the first sentences of the hint as the prompt. Whisper spells names by it; a model that
        follows instructions may answer it instead.
    """

    languages: tuple[str, ...] = ()

    def __init__(
        self, service: Service, model: str, *, max_audio_s: float = MAX_AUDIO_S, use_hint: bool = False
    ) -> None:
        self._service, self._model, self._use_hint = service, model, use_hint
        self.max_audio_s = max_audio_s

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        """Send the sound as a WAV file; see Recogniser. The confidence is unknown."""
        if not len(audio):
            raise AudioError("the sound holds no samples; record it again")
        if audio.duration > self.max_audio_s:
            raise AudioError(
                f"a sound of {audio.duration:.0f} s is too long to transcribe; the limit is {self.max_audio_s:.0f} s "
                "(max_audio_s), cut it into shorter ones"
            )
        fields = {"model": self._model, "response_format": "json"}
        if language is not None:
            fields["language"] = language.partition("-")[0].lower()
        if self._use_hint and (prompt := _prompt(hint)):
            fields["prompt"] = prompt
        wav = await asyncio.to_thread(lambda: audio.resample(INPUT_RATE_HZ).to_bytes("wav"))
        body = await self._service.post_form("audio/transcriptions", fields, {"file": ("speech.wav", wav, "audio/wav")})
        return self._read(body.decode("utf-8", "replace"), language)

    async def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        """Recognise a sound when it has ended: the endpoint takes whole files."""
        yield await self.recognise(Audio.concat([piece async for piece in sound]), language=language, hint=hint)

    async def warm_up(self, hint: Sequence[str] = ()) -> None:
        """Does nothing: a request would cost."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()

    def _read(self, body: str, language: str | None) -> Recognition:
        """The answer: JSON, or the plain text that some servers send whatever was asked for."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = {"text": body}
            if body.lstrip().startswith("<") or not body.translate(_SPACES).isprintable():
                shown = self._service.without_key(body)[:100]
                raise BackendError(
                    f"the server sent something else than a transcript: {shown!r}; check base_url"
                ) from None
        text = found.get("text") if isinstance(found, dict) else None
        if not isinstance(text, str):
            raise BackendError(f"the server sent no transcript: {self._service.without_key(body)[:200]}")
        detected = found.get("language")
        # OpenAI's Whisper names languages in English, such as "english"; a code has two or three letters.
        code = detected if isinstance(detected, str) and 2 <= len(detected) <= 3 else None
        return Recognition(text.strip(), None, code or language)


def load(
    argument: str | None,
    *,
    base_url: Annotated[str, FromEnv("OPENAI_BASE_URL")] = OPENAI,
    api_key: Annotated[SecretStr | None, FromEnv("OPENAI_API_KEY")] = None,
    max_audio_s: float = MAX_AUDIO_S,
    use_hint: bool = False,
) -> OpenAITranscriber:
    """The entry point `openai` of recognisers. argument: the model's name; None is gpt-4o-mini-transcribe.

    base_url: of the server, up to /v1
    api_key: local servers need none
    max_audio_s: longest sound, in seconds
    use_hint: send what users may say as the prompt
    """
    model = argument or "gpt-4o-mini-transcribe"
    service = Service(f"openai:{model}", base_url, api_key.get_secret_value() if api_key else None)
    if max_audio_s <= 0:
        raise OptionError(f"max_audio_s is {max_audio_s}; give a number above 0")
    return OpenAITranscriber(service, model, max_audio_s=max_audio_s, use_hint=use_hint)


def _prompt(hint: Sequence[str]) -> str:
    prompt = ""
    for sentence in hint:
        if len(prompt) + len(sentence) + 1 > HINT_CHARS:
            break
        prompt += f"{sentence} "
    return prompt.strip()
