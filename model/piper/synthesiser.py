"""`PiperSynthesiser`: a voice of Piper, phrase by phrase."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentaudio.errors import BackendError, MissingExtra, OptionError, did_you_mean
from agentaudio.model.parts import SynthesiserVoices
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.sound.audio import Audio
from agentaudio.text.phrases import SpokenPhrases, pieces
from agentaudio.text.spoken_form import spoken_form
from agentaudio.workers.worker import Worker

SLOWEST, FASTEST = 0.5, 2.0
LONGEST_REQUEST = 400
"""Characters in one request to the worker; a longer phrase takes several."""
LARGEST_CONFIG = 10_000_000
"""Bytes of the file VOICE.onnx.json."""
PHONEMES = ("espeak", "text")
"""How voices may spell; the package downloads models for the others."""

_ANSWER_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class PiperState:
    """What `speak` needs to speak in a voice: nothing, since there is one voice only."""

    nbytes = 0


class PiperSynthesiser:
    """A Synthesiser (see agentaudio.model.parts) in one voice of Piper. Reference voices are ignored.

    path: of VOICE.onnx, beside which VOICE.onnx.json lies
    speaker: name or number, for files that hold several speakers; None is the first
    speed: 1 is the voice's own; SLOWEST to FASTEST

    One worker process serves one phrase at a time. It starts with the first, is replaced when it dies, and ends
    with `aclose` or with this process.

    Raises OptionError for an unknown speaker or another speed, BackendError for files that are not such a voice.
    """

    voices: SynthesiserVoices = "fixed"

    def __init__(self, path: Path, *, speaker: str | None = None, speed: float = 1.0) -> None:
        if not SLOWEST <= speed <= FASTEST:
            raise OptionError(f"a speed of {speed:g} cannot be spoken; give {SLOWEST:g} to {FASTEST:g}")
        config = _config(path)
        self.sample_rate_hz = int(config["audio"]["sample_rate"])
        self.languages = (re.split("[-_]", str(config["espeak"]["voice"]))[0],)
        self._speaker, self._speed = _speaker_id(config, speaker), speed
        self._worker = Worker("agentaudio.model.piper.piper_worker", str(path.resolve()), timeout_s=_ANSWER_TIMEOUT_S)

    async def prepare(self, voice: ReferenceVoice | None) -> PiperState:
        """The one voice, whatever the reference is."""
        return PiperState()

    async def speak(
        self, text: AsyncIterator[str], state: PiperState, *, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        """Speak a text while it arrives, phrase by phrase; see Synthesiser. Raises BackendError when Piper fails."""
        phrases = SpokenPhrases(self.languages[0])
        async for piece in text:
            for phrase in phrases.push(piece):
                yield await asyncio.to_thread(self.say, phrase)
        for phrase in phrases.finish():
            yield await asyncio.to_thread(self.say, phrase)

    async def warm_up(self) -> None:
        """Start the worker, and speak once."""
        await asyncio.to_thread(self.say, "1")

    async def aclose(self) -> None:
        """End the worker."""
        await asyncio.to_thread(self._worker.close)

    def say(self, phrase: str) -> Audio:
        """The sound of one phrase; empty when there is nothing to say. It blocks: call it in a thread."""
        # Numbers become words here in English and Chinese; eSpeak NG reads those of other languages.
        spoken = spoken_form(phrase, self.languages[0])
        spoken = re.sub(r"[\[\]\x00-\x1f\x7f]+", " ", spoken)  # Piper reads [[...]] as phonemes
        parts = []
        for piece in pieces(spoken, LONGEST_REQUEST):
            if any(character.isalnum() for character in piece):
                request = {"text": piece, "speaker": self._speaker, "speed": self._speed}
                parts.append(Audio.from_pcm16(bytes(self._worker.ask(request)[1]), self.sample_rate_hz))
        return Audio.concat(parts) if parts else Audio.silence(0.0, self.sample_rate_hz)


def _config(path: Path) -> Mapping[str, Any]:
    """The checked content of VOICE.onnx.json."""
    if not path.is_file():
        raise BackendError(f"no file {path}; give a voice of Piper, as VOICE.onnx with VOICE.onnx.json beside it")
    beside = Path(f"{path}.json")
    try:
        if beside.stat().st_size > LARGEST_CONFIG:
            raise ValueError(f"it is larger than {LARGEST_CONFIG} bytes")
        config = json.loads(beside.read_text(encoding="utf-8"))
        rate, spelling = config["audio"]["sample_rate"], config.get("phoneme_type", "espeak")
        if not isinstance(rate, int) or not 8000 <= rate <= 48_000 or not isinstance(config["espeak"]["voice"], str):
            raise ValueError(f"a sample rate of {rate!r} or a voice whose name is not text")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackendError(
            f"{beside} does not describe a voice of Piper ({error!r}); download both files again"
        ) from None
    if spelling not in PHONEMES:
        raise BackendError(
            f"{beside}: voices that spell by {spelling!r} need downloads; take one that spells by eSpeak"
        )
    return config  # type: ignore[no-any-return]


def _speaker_id(config: Mapping[str, Any], speaker: str | None) -> int | None:
    """The number of a speaker, by name or number."""
    if speaker is None:
        return None
    known, count = config.get("speaker_id_map") or {}, int(config.get("num_speakers", 1))
    if speaker in known:
        return int(known[speaker])
    if speaker.isdecimal() and int(speaker) < count:
        return int(speaker)
    names = did_you_mean(speaker, known) if known else f"it has the numbers 0 to {count - 1}"
    raise OptionError(f"the voice has no speaker {speaker!r}; {names}")


def load(argument: str | None, *, speaker: str | None = None, speed: float = 1.0) -> PiperSynthesiser:
    """The entry point `piper`.

    argument: a voice of Piper, as VOICE.onnx, beside which VOICE.onnx.json lies
    speaker: name or number, for files that hold several speakers; None is the first
    speed: 1 is the voice's own; SLOWEST to FASTEST

    Raises OptionError without a file, MissingExtra without the extra `piper`, and what PiperSynthesiser raises.
    """
    if not argument:
        raise OptionError("synthesiser 'piper' needs a voice: write piper:VOICE.onnx")
    if find_spec("piper") is None:
        raise MissingExtra("speaking with Piper", "piper")
    return PiperSynthesiser(Path(argument).expanduser(), speaker=speaker, speed=speed)
