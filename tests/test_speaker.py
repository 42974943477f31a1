"""`Speaker`: finding a voice, and speaking given words in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

import numpy as np
import pytest
from support.sounds import tone

from agentaudio.agent import Agent
from agentaudio.errors import BackendError, ConsentError, OptionError, VoiceError, VoiceNotFound
from agentaudio.model.parts import SynthesiserVoices
from agentaudio.model.registry import load_model
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.phrase_sound import AUDIBLE
from agentaudio.playhead import Playhead
from agentaudio.sound.audio import Audio
from agentaudio.speaker import OPENAI_VOICES, Speaker, Wanted
from agentaudio.text.words import word_count
from agentaudio.utterance import Trouble
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

TEXT = "The tower stands in Paris, where it was built long ago. It is made of iron and a lot of rivets. Come and see."

Script = Callable[[str, "str | None", int], Audio]
"""What a phrase sounds like: of the phrase, the voice, and how often it was asked for."""


class Mouth:
    """A synthesiser whose sounds are a function; it keeps the phrases that it was asked for."""

    sample_rate_hz = 16_000
    languages: tuple[str, ...] = ()

    def __init__(self, script: Script | None = None, voices: SynthesiserVoices = "clones") -> None:
        self.voices = voices
        self.asked: list[tuple[str, str | None]] = []
        self.open = 0
        self._script = script or (lambda phrase, voice, times: tone(duration_s=0.2 * word_count(phrase)))

    async def prepare(self, voice: ReferenceVoice | None) -> str | None:
        return None if voice is None else voice.id

    async def speak(
        self, text: AsyncIterator[str], state: str | None, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        phrase = "".join([piece async for piece in text])
        self.asked.append((phrase, state))
        self.open += 1
        try:
            sound = self._script(phrase, state, self.asked.count((phrase, state)))
            for piece in sound.chunks(50):
                await asyncio.sleep(0)
                yield piece
        finally:
            self.open -= 1

    async def warm_up(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


async def spoken(speaker: Speaker, text: str | AsyncIterator[str], **options: object) -> Audio:
    return Audio.concat([sound async for sound in speaker.speak(text, **options)])  # type: ignore[arg-type]


async def letters(text: str) -> AsyncGenerator[str, None]:
    for letter in text:
        yield letter


# Finding


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("walter", "walter"),
        ("Ruby", "ruby"),
        ("  ZED ", "robot"),
        ({"id": "ruby"}, "ruby"),
        ("a calm old man", "walter"),
        ("somebody young and cheerful", "ruby"),
        ("narrator", "walter"),
        ("sprite", "ruby"),
        (None, None),
        ("", None),
        ("default", None),
        *((name, None) for name in OPENAI_VOICES if name != "onyx"),
        ("onyx", "robot"),
    ],
)
async def test_a_voice_is_found_by_id_name_or_words(library: VoiceLibrary, wanted: Wanted, found: str | None) -> None:
    names = {"narrator": "walter", "sprite": "a cheerful young woman", "onyx": "robot"}
    voice = await Speaker(Mouth(), library, names=names).find(wanted)
    assert (voice.id if voice else None) == found


async def test_a_voice_is_found_by_a_clip() -> None:
    sound = demo_voices().get("angus").clip
    voice = await Speaker(Mouth(), "demo").find(Audio(0.5 * sound.samples[8_000:], sound.sample_rate))
    assert voice is not None and voice.id == "angus"


async def test_the_default_voice_is_the_agents() -> None:
    agent = Agent(Scripted(["Hello."]), voices="demo", voice="angus")
    speaker = Speaker.of(agent.setup)
    assert {await speaker.find(wanted) for wanted in (None, "default", "alloy")} == {agent.voice}


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        ("a xylophone made of cheese", VoiceNotFound, "no voice fits"),
        ({"id": "Walter"}, VoiceNotFound, "no voice has the id 'Walter'"),
        ({"id": "nobody"}, VoiceNotFound, "nobody"),
        ({"name": "walter"}, OptionError, "needs its id"),
        ({"id": 3}, OptionError, "needs its id"),
        ("secret", ConsentError, "no consent"),
        ("Iris", ConsentError, "no consent"),
        ("calm " * 300, VoiceError, "at most 1000"),
        (7, OptionError, "not int"),
    ],
)
async def test_what_cannot_be_found_is_refused(
    library: VoiceLibrary, wanted: Wanted, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await Speaker(Mouth(), library).find(wanted)


async def test_a_revoked_name_does_not_find_another_voice(library: VoiceLibrary) -> None:
    library.revoke("walter")
    for wanted in ("walter", "Walter"):
        with pytest.raises(VoiceNotFound, match="revoked"):
            await Speaker(Mouth(), library).find(wanted)


async def test_without_a_library_only_the_default_voice_is_found() -> None:
    speaker = Speaker(Mouth())
    assert await speaker.find("alloy") is None
    with pytest.raises(VoiceNotFound, match="no voice library"):
        await speaker.find("a calm man")


# Speaking


async def test_the_same_phrases_are_spoken_however_the_text_arrives(library: VoiceLibrary) -> None:
    whole, pieces = Mouth(), Mouth()
    voice = library.get("walter")
    sound = await spoken(Speaker(whole), TEXT, voice=voice)
    assert sound == await spoken(Speaker(pieces), letters(TEXT), voice=voice)
    assert whole.asked == pieces.asked and {state for _, state in whole.asked} == {"walter"}
    assert " ".join(phrase for phrase, _ in whole.asked) == TEXT
    assert all(word_count(phrase) >= 4 for phrase, _ in whole.asked[:-1])


async def test_text_is_read_aloud_in_its_language() -> None:
    mouth = Mouth()
    await spoken(Speaker(mouth), "**Note:** it costs $5, and weighs 3 kg. 🎉", language="en")
    assert " ".join(phrase for phrase, _ in mouth.asked) == "Note: it costs five dollars, and weighs three kilograms."
    mouth = Mouth()
    await spoken(Speaker(mouth), "今天是3月5日，气温20度，请带好外套。")
    assert not any(letter.isdigit() for phrase, _ in mouth.asked for letter in phrase)


@pytest.mark.parametrize(("rate", "share"), [(0.5, 2.0), (1.0, 1.0), (2.0, 0.5)])
async def test_the_rate_changes_the_length(rate: float, share: float) -> None:
    usual = await spoken(Speaker(Mouth()), TEXT)
    assert (await spoken(Speaker(Mouth()), TEXT, rate=rate)).duration == pytest.approx(share * usual.duration, abs=0.01)


async def test_silence_around_phrases_becomes_the_pause_of_their_marks() -> None:
    def padded(phrase: str, voice: str | None, times: int) -> Audio:
        return Audio.concat([Audio.silence(0.4, 16_000), tone(duration_s=1.0), Audio.silence(0.12, 16_000)])

    sound = await spoken(Speaker(Mouth(padded)), "The first sentence has six words. And the second one has also six.")
    loud = np.flatnonzero(np.abs(sound.samples) >= AUDIBLE)
    gaps = np.diff(loud)
    assert loud[0] / 16_000 <= 0.05
    assert gaps.max() / 16_000 == pytest.approx(0.3, abs=0.002) and (gaps > 100).sum() == 1


async def test_a_revoked_voice_stops_before_the_next_piece(library: VoiceLibrary) -> None:
    voice, mouth = library.get("walter"), Mouth()
    heard = 0.0
    with pytest.raises(ConsentError, match="revoked"):
        async with aclosing(Speaker(mouth).speak(TEXT, voice=voice)) as sounds:
            async for sound in sounds:
                heard += sound.duration
                await asyncio.to_thread(VoiceLibrary(library.folder).revoke, "walter")
    assert 0 < heard < 1 and len(mouth.asked) == 1 and mouth.open == 0


async def test_a_revoked_voice_is_not_prepared(library: VoiceLibrary) -> None:
    voice = library.get("walter")
    library.revoke("walter")
    for speak in (Speaker(Mouth()).prepare(voice), spoken(Speaker(Mouth()), "Hello there.", voice=voice)):
        with pytest.raises(ConsentError, match="revoked"):
            await speak


async def test_no_more_than_two_seconds_are_made_ahead_of_the_player() -> None:
    mouth, playhead = Mouth(), Playhead()
    made: list[float] = []

    async def make() -> None:
        async for sound in Speaker(mouth).speak(TEXT * 3, playhead=playhead):
            made.append(sound.duration)

    making = asyncio.create_task(make())
    for played in (0.0, 0.0, 0.9, 0.5, 3.3):
        playhead.played(played)
        for _ in range(300):
            await asyncio.sleep(0.0005)
            assert sum(made) <= max(played, 3.3 if played == 3.3 else 0.9 if played else 0.0) + 2.0
    assert sum(made) > 3.3 + 1.5 and not making.done()
    phrases = len(mouth.asked)
    assert phrases < len(TEXT * 3) / 40
    playhead.played(1_000)
    await making


async def test_closing_stops_the_synthesiser_at_once() -> None:
    mouth = Mouth()
    sounds = Speaker(mouth).speak(TEXT)
    await anext(sounds)
    assert mouth.open == 1
    await sounds.aclose()
    assert mouth.open == 0 and len(mouth.asked) == 1


# Broken sounds


def broken_at_first(bad: Audio, attempts: int) -> Script:
    def script(phrase: str, voice: str | None, times: int) -> Audio:
        fails = voice == "walter" and "iron" in phrase and times <= attempts
        return bad if fails else tone(duration_s=0.2 * word_count(phrase))

    return script


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (tone(duration_s=0.046), "too short"),
        (Audio.silence(2.0, 16_000), "silent"),
        (Audio.silence(0.0, 16_000), "silent"),
        (tone(duration_s=60.0), "longer than"),
    ],
)
@pytest.mark.parametrize(("attempts", "remedies"), [(1, ["again"]), (2, ["again", "own voice"])])
async def test_a_broken_phrase_is_said_again_and_then_in_the_own_voice(
    library: VoiceLibrary, bad: Audio, problem: str, attempts: int, remedies: list[str]
) -> None:
    troubles: list[Trouble] = []
    mouth = Mouth(broken_at_first(bad, attempts))
    sound = await spoken(Speaker(mouth), TEXT, voice=library.get("walter"), noticed=troubles.append)
    assert [trouble.remedy for trouble in troubles] == remedies
    assert all(problem in trouble.problem and "iron" in trouble.phrase for trouble in troubles)
    assert [state for phrase, state in mouth.asked if "iron" in phrase][-1] == (None if attempts == 2 else "walter")
    assert {state for phrase, state in mouth.asked if "iron" not in phrase} == {"walter"}
    if bad.duration < 3:
        assert sound == await spoken(Speaker(Mouth()), TEXT)


async def test_a_clip_that_cannot_be_prepared_is_spoken_in_the_own_voice(library: VoiceLibrary) -> None:
    class Choosy(Mouth):
        async def prepare(self, voice: ReferenceVoice | None) -> str | None:
            if voice is not None:
                raise MemoryError
            return None

    mouth, troubles = Choosy(), list[Trouble]()
    await spoken(Speaker(mouth), "Nice to meet you here.", voice=library.get("ruby"), noticed=troubles.append)
    assert mouth.asked == [("Nice to meet you here.", None)]
    assert [trouble.remedy for trouble in troubles] == ["again", "own voice"]


class Latin(Mouth):
    """Leaves out what is not ASCII."""

    def unspoken(self, text: str) -> tuple[str, ...]:
        return tuple(word for word in re.findall(r"[^\W_]+", text) if not word.isascii())


async def test_words_that_are_left_out_are_named() -> None:
    mouth, troubles = Latin(), list[Trouble]()
    text = "He said Привет to me today. Ещё раз спасибо вам большое всем. Then he left us all."
    await spoken(Speaker(mouth), text, noticed=troubles.append)
    assert [trouble.problem for trouble in troubles] == [
        "it cannot speak Привет", "it cannot speak Ещё, раз, спасибо, вам, большое, всем",
    ]  # fmt: skip
    assert {trouble.remedy for trouble in troubles} == {"left out"}
    assert [phrase for phrase, _ in mouth.asked] == ["He said Привет to me today.", "Then he left us all."]
    with pytest.raises(OptionError, match="no word"):
        await spoken(Speaker(Latin()), "Привет всем вам сегодня тут.")


async def test_words_that_nothing_can_speak_are_an_error() -> None:
    mouth = Mouth(lambda phrase, voice, times: Audio.silence(1.0, 16_000))
    with pytest.raises(BackendError, match="cannot speak 'Nothing to be heard at all.': it is silent"):
        await spoken(Speaker(mouth), "Nothing to be heard at all.")
    assert len(mouth.asked) == 3


@pytest.mark.parametrize("text", ["", "   ", "🎉 🎉", "!!!", "***"])
async def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="no word"):
        await spoken(Speaker(Mouth()), text)


# Sources


async def test_a_source_with_one_voice_says_so(library: VoiceLibrary) -> None:
    speaker = Speaker(Mouth(voices="fixed"), library)
    assert speaker.imitates is None
    for refused in (speaker.prepare(library.get("ruby")), spoken(speaker, "Hi there.", voice=library.get("ruby"))):
        with pytest.raises(OptionError, match="only in its own voice"):
            await refused
    assert (await spoken(speaker, "Hi there.")).duration > 0.3


@pytest.mark.parametrize(("voices", "imitates"), [("clones", "cloned"), ("moves", "moved"), ("presets", "preset")])
def test_how_a_voice_is_imitated_is_known(voices: SynthesiserVoices, imitates: str) -> None:
    assert Speaker(Mouth(voices=voices)).imitates == imitates


async def test_a_language_that_the_source_does_not_speak_is_refused() -> None:
    mouth = Mouth()
    mouth.languages = ("en", "zh")
    with pytest.raises(OptionError, match="does not speak 'fr'; it speaks: en, zh"):
        await spoken(Speaker(mouth), "Bonjour tout le monde.", language="fr")
    await spoken(Speaker(mouth), "Good morning to everybody.", language="en-GB")


def test_a_model_that_cannot_speak_given_words_is_refused() -> None:
    class Wordless:
        name = "wordless"
        capabilities = Scripted.capabilities
        generate, warm_up, aclose = Scripted.generate, Scripted.warm_up, Scripted.aclose

    with pytest.raises(OptionError, match="'wordless' cannot speak given words"):
        Speaker(cast(Any, Wordless()))


async def test_real_speech_comes_in_the_voice_of_the_library() -> None:
    pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")
    model = load_model("embedded-lite")
    try:
        speaker = Speaker(model, "demo")
        assert speaker.imitates == "moved"
        deep, high = [await spoken(speaker, TEXT, voice=await speaker.find(one)) for one in ("angus", "a little girl")]
        assert deep.sample_rate == high.sample_rate == speaker.sample_rate_hz
        assert 4 < deep.duration < 14 and deep != high
    finally:
        await model.aclose()
