"""`SynthesiserContract`: the behaviour that a cascade needs of every synthesiser, as tests for pytest."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from agentaudio.errors import AgentAudioError, AudioError, ConsentError, VoiceError
from agentaudio.model.parts import Synthesiser, SynthesiserVoices
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import demo_voices

STOPS_WITHIN_S = 3.0
"""An utterance that was closed has stopped all its work after this time, on a busy machine too."""

LONGEST_BLOCK_S = 1.0
"""The event loop runs again after this time; on a busy machine that includes waiting for a processor."""

SENTENCES = ("Mars is the fourth planet of the Sun. ", "It has two small moons. ", "Both of them were found late. ")

Scene = Callable[[Synthesiser[Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference voice with a permit that tests can change.

    refused: why it may not be used; None permits it
    """

    id: str
    clip: Audio
    transcript: str = ""
    refused: str | None = None

    @property
    def permit(self) -> Reference:
        return self

    def refusal(self) -> str | None:
        return self.refused

    def state_path(self, model: str, version: str, suffix: str) -> Path | None:
        return None


class SynthesiserContract:
    """Subclass it in a test module, name the class `Test...`, and implement `synthesiser`.

    Each test adapts to what the synthesiser says of its voices. Tests run in an event loop of their own and need no
    pytest plugin.

    longest_scene_s: time of one test
    """

    longest_scene_s = 120.0

    def synthesiser(self) -> AbstractAsyncContextManager[Synthesiser[Any]]:
        """The synthesiser under test, for one test. An async context manager that closes it at its end."""
        raise NotImplementedError("implement synthesiser(), which gives the synthesiser under test")

    def busy(self, synthesiser: Synthesiser[Any]) -> bool:
        """Whether any work of an utterance goes on; overwrite it where that can be told."""
        return False

    def test_it_says_what_it_can_do(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            assert synthesiser.voices in get_args(SynthesiserVoices)
            assert 8_000 <= synthesiser.sample_rate_hz <= 48_000
            assert all(code.islower() and 2 <= len(code) <= 3 for code in synthesiser.languages)

        self._play(scene)

    def test_a_text_is_spoken_at_its_rate_and_level(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            state = await synthesiser.prepare(None)
            assert state.nbytes >= 0
            sounds = await _sounds(synthesiser.speak(given(*SENTENCES), state))
            assert {sound.sample_rate for sound in sounds} == {synthesiser.sample_rate_hz}
            speech = Audio.concat(sounds)
            assert speech.duration > 0.5 and not speech.is_silent
            assert np.isfinite(speech.samples).all() and speech.peak <= 1.0

        self._play(scene)

    def test_sound_starts_before_the_text_has_ended(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            heard = asyncio.Event()

            async def text() -> AsyncGenerator[str, None]:
                for sentence in SENTENCES:
                    yield sentence
                await heard.wait()
                yield "That is all there is. "

            async for sound in synthesiser.speak(text(), await synthesiser.prepare(None)):
                if len(sound):
                    heard.set()
            assert heard.is_set()

        self._play(scene)

    def test_nothing_to_say_is_no_sound(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            state = await synthesiser.prepare(None)
            for text in ("", " \n ", "..."):
                assert all(sound.is_silent for sound in await _sounds(synthesiser.speak(given(text), state)))

        self._play(scene)

    def test_all_of_unicode_is_spoken_or_refused(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            state = await synthesiser.prepare(None)
            for text in (
                "Grüße, naïve café.",
                "Say e\u0301 and “quotes” — 🙂!",
                "a\x00b\u202ec d",
                "x" * 100,
                "你好。",
            ):
                with contextlib.suppress(AgentAudioError):
                    await _sounds(synthesiser.speak(given(text), state))
            assert await _sounds(synthesiser.speak(given(SENTENCES[0]), state))

        self._play(scene)

    def test_closing_an_utterance_in_the_middle_stops_all_work(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            read = 0

            async def text() -> AsyncGenerator[str, None]:
                nonlocal read
                for sentence in SENTENCES * 20:
                    read += 1
                    yield sentence

            async with contextlib.aclosing(synthesiser.speak(text(), await synthesiser.prepare(None))) as speech:
                async for sound in speech:
                    if len(sound):
                        break
            before, begun = read, time.monotonic()
            while self.busy(synthesiser):
                assert time.monotonic() - begun < STOPS_WITHIN_S, "work goes on although the utterance was closed"
                await asyncio.sleep(0.01)
            assert read == before < 60

        self._play(scene)

    def test_a_cancelled_utterance_is_followed_by_a_good_one(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            state = await synthesiser.prepare(None)
            task = asyncio.create_task(_sounds(synthesiser.speak(given(*SENTENCES * 20), state)))
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await _sounds(synthesiser.speak(given(SENTENCES[0]), state))

        self._play(scene)

    def test_two_utterances_at_once_are_both_spoken(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            state = await synthesiser.prepare(None)
            speeches = [_sounds(synthesiser.speak(given(*SENTENCES), state)) for _ in range(2)]
            for sounds in await asyncio.gather(*speeches):
                assert Audio.concat(sounds).duration > 0.5

        self._play(scene)

    def test_the_event_loop_goes_on(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            await synthesiser.warm_up()  # importing libraries may hold Python's lock
            longest = 0.0

            async def tick() -> None:
                nonlocal longest
                while True:
                    begun = time.monotonic()
                    await asyncio.sleep(0.005)
                    longest = max(longest, time.monotonic() - begun)

            ticking = asyncio.create_task(tick())
            state = await synthesiser.prepare(None if synthesiser.voices == "fixed" else reference())
            await _sounds(synthesiser.speak(given(*SENTENCES), state))
            ticking.cancel()
            assert longest < LONGEST_BLOCK_S

        self._play(scene)

    def test_a_voice_is_prepared_once_and_spoken_in(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            state = await synthesiser.prepare(reference())
            sounds = await _sounds(synthesiser.speak(given(SENTENCES[0]), state))
            assert Audio.concat(sounds).duration > 0.5
            first = await _seconds(synthesiser.prepare(reference("another-id")))
            assert first < 1.0, "a clip that was prepared already is prepared again"

        self._play(scene)

    def test_a_voice_without_permission_is_refused(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            if synthesiser.voices == "fixed":
                return
            refused = Reference("secret", reference().clip, refused="its consent was withdrawn")
            for _ in range(2):
                error = await _error(synthesiser.prepare(refused))
                assert isinstance(error, ConsentError) and "consent" in str(error)
                await synthesiser.prepare(reference())  # the same clip with permission, whose state is in memory

        self._play(scene)

    def test_a_clip_that_cannot_be_used_is_refused_in_one_line(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            if synthesiser.voices == "fixed":
                return
            error = await _error(synthesiser.prepare(Reference("quiet", Audio.silence(3.0, 16_000))))
            assert isinstance(error, VoiceError | AudioError) and "\n" not in str(error)

        self._play(scene)

    def test_an_error_of_the_text_reaches_the_caller(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            async def text() -> AsyncGenerator[str, None]:
                yield SENTENCES[0]
                raise VoiceError("the text broke off")

            state = await synthesiser.prepare(None)
            assert isinstance(await _error(_sounds(synthesiser.speak(text(), state))), VoiceError)

        self._play(scene)

    def test_a_synthesiser_is_closed_twice_without_harm(self) -> None:
        async def scene(synthesiser: Synthesiser[Any]) -> None:
            await synthesiser.aclose()
            await synthesiser.aclose()

        self._play(scene)

    def _play(self, scene: Scene) -> None:
        async def run() -> None:
            async with self.synthesiser() as synthesiser, asyncio.timeout(self.longest_scene_s):
                await scene(synthesiser)

        asyncio.run(run())


def reference(id: str = "gina") -> Reference:
    """A reference voice of the demo library, whose state is kept in memory only."""
    return Reference(id, demo_voices().get("gina").clip)


async def given(*pieces: str) -> AsyncGenerator[str, None]:
    """A text that arrives in pieces."""
    for piece in pieces:
        yield piece


async def _sounds(speech: AsyncGenerator[Audio, None]) -> list[Audio]:
    async with contextlib.aclosing(speech):
        return [sound async for sound in speech]


async def _seconds(work: Awaitable[object]) -> float:
    begun = time.monotonic()
    await work
    return time.monotonic() - begun


async def _error(work: Awaitable[object]) -> AgentAudioError | None:
    try:
        await work
    except AgentAudioError as error:
        return error
    return None
