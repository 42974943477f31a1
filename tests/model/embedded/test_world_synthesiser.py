"""The embedded synthesiser: voices are prepared once, and a text is spoken while it arrives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from support.sounds import tone

from agentaudio.errors import ConsentError, VoiceError
from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.model.embedded.speaking.synthesiser import EmbeddedSynthesiser
from agentaudio.model.parts import Synthesiser
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.timbre import OwnTimbre, TimbreTransfer, WorldTimbre
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

pytest.importorskip("pyworld", reason="the extra embedded is not installed")
pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")

TEXT = "The Great Wall is a series of fortifications, built by several dynasties. It is long."


@pytest.fixture
async def synthesiser() -> AsyncIterator[EmbeddedSynthesiser]:
    made = EmbeddedSynthesiser()
    yield made
    await made.aclose()


async def arriving(text: str, read: list[str]) -> AsyncGenerator[str, None]:
    for word in text.split(" "):
        read.append(word)
        yield word + " "


async def sounds(synthesiser: Synthesiser[TimbreTransfer], text: str, voice: ReferenceVoice | None) -> list[Audio]:
    state = await synthesiser.prepare(voice)
    return [sound async for sound in synthesiser.speak(arriving(text, []), state) if len(sound)]


async def test_sound_starts_with_the_first_phrase(synthesiser: EmbeddedSynthesiser) -> None:
    read: list[str] = []
    async with contextlib.aclosing(synthesiser.speak(arriving(TEXT, read), OwnTimbre())) as speech:
        first = await anext(speech)
    assert first.duration > 1 and first.peak > 0.05
    assert " ".join(read) == "The Great Wall is a series of fortifications, built by"


@pytest.mark.parametrize("voice", [None, ClipVoice(demo_voices().get("angus").clip)], ids=["own", "angus"])
async def test_all_sound_has_one_rate(synthesiser: EmbeddedSynthesiser, voice: ClipVoice | None) -> None:
    made = await sounds(synthesiser, TEXT, voice)
    assert len(made) >= 3
    assert {sound.sample_rate for sound in made} == {synthesiser.sample_rate_hz}
    assert 4 < sum(sound.duration for sound in made) < 10


@pytest.mark.parametrize("text", ["", " \n ", "..."])
async def test_empty_text_gives_no_sound(synthesiser: EmbeddedSynthesiser, text: str) -> None:
    assert sum(sound.duration for sound in await sounds(synthesiser, text, None)) < 0.5


async def test_a_voice_is_prepared_once_and_refused_when_it_was_revoked(
    synthesiser: EmbeddedSynthesiser, library: VoiceLibrary
) -> None:
    clip = demo_voices().get("angus").clip
    library.add(
        clip, id="angus", name="Angus", description="", licence="CC0-1.0", consent=library.card("ruby").consent
    )  # fmt: skip
    voice = library.get("angus")
    state = await synthesiser.prepare(voice)
    assert isinstance(state, WorldTimbre) and state.nbytes > 10_000
    assert await synthesiser.prepare(library.get("angus")) is state
    assert list(library.prompts) == []
    library.revoke("angus")
    with pytest.raises(ConsentError, match="'angus' may not be spoken in: it was revoked"):
        await synthesiser.prepare(voice)
    with pytest.raises(VoiceError, match="the reference is silent"):
        await synthesiser.prepare(ClipVoice(Audio.silence(3, 16_000)))


async def test_closing_stops_before_the_next_phrase() -> None:
    class Counting(Espeak):
        spoken = 0

        def speak(self, text: str, *, rate_wpm: int = 165, pitch_hz: float | None = None) -> Audio:
            self.spoken += 1
            return tone(duration_s=0.2)

    espeak = Counting()
    speech = EmbeddedSynthesiser(espeak).speak(arriving(TEXT, []), OwnTimbre())
    async for _ in speech:
        break
    await speech.aclose()
    await asyncio.sleep(0.05)
    assert espeak.spoken == 1


async def test_utterances_at_the_same_time_do_not_mix(synthesiser: EmbeddedSynthesiser) -> None:
    texts = ["One is a short text.", TEXT]
    alone = [Audio.concat(await sounds(synthesiser, text, None)) for text in texts]
    together = await asyncio.gather(*(sounds(synthesiser, text, None) for text in texts))
    for sound, others in zip(alone, together, strict=True):  # eSpeak repeats itself to a few samples
        assert Audio.concat(others).duration == pytest.approx(sound.duration, abs=0.05)
