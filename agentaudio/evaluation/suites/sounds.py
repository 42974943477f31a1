"""`UserSounds`: what the user says in a suite, as sound. Synthesised speech is kept, so that runs are cheap."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.errors import AudioError, OptionError
from agentaudio.evaluation.suites.load import SuiteFile
from agentaudio.evaluation.suites.schema import Dialogue, UserTurn
from agentaudio.model.parts import Synthesiser
from agentaudio.model.registry import load_synthesiser
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import demo_voices
from agentaudio.voice_library.voice import Voice
from agentaudio.weights.store import cache_folder

SAMPLE_RATE_HZ = 16_000
FORMAT = 1
"""Part of the names of kept sounds; raise it when they must be made anew."""
AUDIBLE_DB = -38.0
"""Level against the loudest frame from which a frame of 10 ms is audible."""


def sounds_folder() -> Path:
    """Where synthesised turns are kept: beside fetched weights, see `cache_folder`."""
    return cache_folder().parent / "suites"


class UserSounds:
    """Gives the sound of each turn of a suite at 16 kHz.

    cache: folder of synthesised speech; None is `sounds_folder()`

    Speech of a synthesiser is made once for each text, voice and synthesiser. The synthesiser is loaded only when a
    sound is not there yet.
    """

    def __init__(self, suite: SuiteFile, cache: Path | None = None) -> None:
        self._suite = suite
        self._cache = sounds_folder() if cache is None else cache
        self._library = demo_voices()
        self._synthesiser: Synthesiser[Any] | None = None

    def check(self) -> None:
        """Raises VoiceNotFound for a voice that the demo library does not have, and AudioError for a broken file, also
        where an answer is to be `like` one.
        """
        for name in {name for names in self._suite.suite.speaking.voices.values() for name in names}:
            self._library.get(name)
        for dialogue in self._suite.suite.dialogues:
            for turn in dialogue.turns:
                self._voice(dialogue, turn)
                if turn.expect is not None and turn.expect.voice is not None and turn.expect.voice.like is not None:
                    self.clip(turn.expect.voice.like)

    async def user_input(self, dialogue: Dialogue, turn: UserTurn) -> str | Audio:
        """What a turn gives to the agent: its text when it is typed, else its sound.

        Raises AudioError for a file that is not sound, and what the synthesiser raises.
        """
        if turn.type is not None:
            return turn.type
        if turn.sound is not None:
            try:
                return (await asyncio.to_thread(Audio.load, self._suite.folder / turn.sound)).resample(SAMPLE_RATE_HZ)
            except AudioError as error:
                raise AudioError(f"dialogue {dialogue.id!r}: {error}") from None
        return await self._spoken(turn.say or "", self._voice(dialogue, turn), dialogue.language)

    def clip(self, name: str) -> Audio:
        """The sound that `like` names: of a demo voice, or a file. Raises AudioError, VoiceNotFound."""
        path = self._suite.folder / name
        return Audio.load(path) if path.suffix and path.is_file() else self._library.get(name).clip

    async def aclose(self) -> None:
        """Free the synthesiser."""
        if self._synthesiser is not None:
            await self._synthesiser.aclose()
            self._synthesiser = None

    def _voice(self, dialogue: Dialogue, turn: UserTurn) -> Voice | None:
        if turn.voice is not None:
            return self._library.get(turn.voice)
        if turn.say is None:
            return None
        names = self._suite.suite.speaking.voices.get(dialogue.language, [])
        if not names:
            return None
        # One voice for a dialogue, whichever dialogues stand around it.
        number = int.from_bytes(hashlib.sha256(dialogue.id.encode()).digest()[:4], "big")
        return self._library.get(names[number % len(names)])

    async def _spoken(self, text: str, voice: Voice | None, language: str) -> Audio:
        spec = self._suite.suite.speaking.synthesiser
        made_of = [FORMAT, spec, None if voice is None else voice.card.sha256, language, text]
        name = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]
        path = self._cache / f"{name}.flac"
        if path.is_file():
            return await asyncio.to_thread(Audio.load, path)
        if self._synthesiser is None:
            self._synthesiser = await asyncio.to_thread(load_synthesiser, spec)
        state = await self._synthesiser.prepare(voice)
        pieces = [piece async for piece in self._synthesiser.speak(_once(text), state, language=language)]
        if not pieces:
            raise OptionError(f"{spec} makes no sound of {text!r}; write it in other words")
        sound = Audio.concat(pieces).resample(SAMPLE_RATE_HZ)
        await asyncio.to_thread(sound.save, path)
        return await asyncio.to_thread(Audio.load, path)  # as later runs have it, in 16 bits


async def _once(text: str) -> AsyncIterator[str]:
    yield text


def audible_span(sound: Audio) -> tuple[float, float]:
    """Seconds of the first and behind the last audible sample; (0, 0) for silence."""
    frame = max(1, sound.sample_rate // 100)
    count = -(-len(sound) // frame)
    padded = np.pad(sound.samples, (0, count * frame - len(sound)))
    powers = np.mean(padded.reshape(count, frame) ** 2, axis=1) if count else np.zeros(0)
    found = np.flatnonzero(powers > max(float(powers.max(initial=0.0)) * 10 ** (AUDIBLE_DB / 10), 1e-10))
    if not len(found):
        return 0.0, 0.0
    return int(found[0]) * frame / sound.sample_rate, (int(found[-1]) + 1) * frame / sound.sample_rate
