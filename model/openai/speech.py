"""`OpenAISpeech`: a speech endpoint as the synthesiser of a cascade."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Annotated

from pydantic import SecretStr

from agentaudio.errors import BackendError, OptionError
from agentaudio.model.openai.chat import OPENAI
from agentaudio.model.openai.service import Service
from agentaudio.model.options import FromEnv
from agentaudio.model.parts import SynthesiserVoices
from agentaudio.model.presets import Presets, PresetVoice
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream
from agentaudio.text.phrases import SpokenPhrases

SAMPLE_RATE_HZ = 24_000
"""Of the endpoint's `pcm`: 16 bits, little-endian, mono."""

SHORTEST_WORD_S = 0.08
"""Fast speech takes about 0.15 s for a word; less than this is a failure that looks like an answer."""


LONGEST_PHRASE_S = 120.0
"""Of the sound of one phrase, when it comes as a file."""


class OpenAISpeech:
    """A Synthesiser (see agentaudio.model.parts) behind `/audio/speech`: OpenAI, vLLM-Omni, Kokoro servers and others.

    It speaks in voices of its own. Text is sent phrase by phrase, and the sound is passed on
    as it arrives. A phrase that comes back silent or impossibly short is asked for once more.

    voice: the name of the server's voice
    instructions: how to speak, for models that take that
    presets: samples of the server's voices; the one nearest to a reference speaks for it
    """

    languages: tuple[str, ...] = ()

    def __init__(
        self,
        service: Service,
        model: str,
        *,
        voice: str = "alloy",
        speed: float = 1.0,
        instructions: str | None = None,
        sample_rate_hz: int = SAMPLE_RATE_HZ,
        presets: Presets | None = None,
    ) -> None:
        self._service, self._voice, self._presets = service, voice, presets
        self.voices: SynthesiserVoices = "fixed" if presets is None else "presets"
        self._fields = {"model": model, "response_format": "pcm", "speed": speed}
        if instructions:
            self._fields["instructions"] = instructions
        self.sample_rate_hz = sample_rate_hz

    async def prepare(self, voice: ReferenceVoice | None) -> PresetVoice:
        """The preset nearest to the reference; without samples of the presets, the one voice."""
        if voice is None or self._presets is None:
            return PresetVoice(self._voice)
        return await self._presets.nearest(voice)

    async def speak(
        self, text: AsyncIterator[str], state: PresetVoice, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        """Speak a text while it arrives; see Synthesiser.

        Without a language the server reads numbers and signs, which depend on it; Markdown is left out all the same.
        """
        phrases = SpokenPhrases(language)
        async for piece in text:
            for phrase in phrases.push(piece):
                async with contextlib.aclosing(self._phrase(phrase, state)) as sounds:
                    async for sound in sounds:
                        yield sound
        for phrase in phrases.finish():
            async with contextlib.aclosing(self._phrase(phrase, state)) as sounds:
                async for sound in sounds:
                    yield sound

    async def warm_up(self) -> None:
        """Does nothing: a request would cost."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()

    async def _phrase(self, phrase: str, state: PresetVoice) -> AsyncGenerator[Audio, None]:
        """The sound of a phrase: held back until it is long and loud enough to be speech."""
        if not any(character.isalnum() for character in phrase):
            return
        least_s = SHORTEST_WORD_S * len(phrase.split())
        for last_try in (False, True):
            held: list[Audio] = []
            good = False
            async with contextlib.aclosing(self._sound(phrase, state)) as sounds:
                async for sound in sounds:
                    if good:
                        yield sound
                        continue
                    held.append(sound)
                    whole = Audio.concat(held)
                    if whole.duration >= least_s and not whole.is_silent:
                        good = True
                        yield whole
            if good:
                return
            if last_try:
                made = sum(sound.duration for sound in held)
                raise BackendError(
                    f"{self._service.name} returned {made:.2f} s of sound for {phrase[:40]!r}, which is "
                    f"{'silent' if made >= least_s else 'too short to be speech'}; check the model and the voice"
                )

    async def _sound(self, phrase: str, state: PresetVoice) -> AsyncGenerator[Audio, None]:
        """What the server sends, at `sample_rate_hz`: raw samples, or a sound file where it does not know `pcm`."""
        stream = PcmStream(self.sample_rate_hz, from_hz=SAMPLE_RATE_HZ)
        body = self._fields | {"input": phrase, "voice": state.name}
        start = bytearray()
        is_file: bool | None = None
        async with contextlib.aclosing(self._service.content("audio/speech", body)) as pieces:
            async for piece in pieces:
                if is_file is not False:
                    start += piece
                    if len(start) < 4:
                        continue
                    is_file = _is_file(start) if is_file is None else is_file
                    if is_file:
                        continue
                    piece = bytes(start)
                if len(sound := stream.push(piece)):
                    yield sound
        if is_file:
            whole = await Audio.aload(bytes(start), max_duration_s=LONGEST_PHRASE_S, setting="LONGEST_PHRASE_S")
            yield whole.resample(self.sample_rate_hz)
        elif is_file is False:
            yield stream.finish()


def load(
    argument: str | None,
    *,
    base_url: Annotated[str, FromEnv("OPENAI_BASE_URL")] = OPENAI,
    api_key: Annotated[SecretStr | None, FromEnv("OPENAI_API_KEY")] = None,
    voice: str = "alloy",
    speed: float = 1.0,
    instructions: str | None = None,
    presets: Path | None = None,
) -> OpenAISpeech:
    """The entry point `openai` of synthesisers. argument: the model's name; None is gpt-4o-mini-tts.

    base_url: of the server, up to /v1
    api_key: local servers need none
    voice: the name of the server's voice
    speed: 0.25 to 4
    instructions: how to speak, for models that take that
    presets: folder with a sample of each voice, as NAME.wav; the one nearest to a reference speaks for it
    """
    if not 0.25 <= speed <= 4:
        raise OptionError(f"speed is {speed}; give a number from 0.25 to 4")
    model = argument or "gpt-4o-mini-tts"
    service = Service(f"openai:{model}", base_url, api_key.get_secret_value() if api_key else None)
    return OpenAISpeech(
        service, model, voice=voice, speed=speed, instructions=instructions,
        presets=Presets.from_folder(presets) if presets else None,
    )  # fmt: skip


def _is_file(start: bytes | bytearray) -> bool:
    """Whether bytes begin a WAV, MP3, Ogg or FLAC file instead of raw samples."""
    mp3 = start.startswith(b"ID3") or (start[0] == 0xFF and start[1] in (0xFB, 0xF3, 0xF2))
    return mp3 or start.startswith((b"RIFF", b"OggS", b"fLaC"))
