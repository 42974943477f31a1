"""`Listening`: from sound to text, one piece of speech after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.recognisers.apart import CheckStop
from agentaudio.model.recognisers.pieces import Piece, pieces
from agentaudio.model.whisper.checkpoint import Checkpoint
from agentaudio.model.whisper.features import SAMPLE_RATE_HZ
from agentaudio.model.whisper.hints import Hints
from agentaudio.model.whisper.judgement import Evidence, confidence, is_speech, speech_seconds
from agentaudio.model.whisper.windows import hear
from agentaudio.sound.audio import Audio
from agentaudio.sound.silero import FRAME
from agentaudio.sound.vad import VoiceActivity, stretches
from agentaudio.text.languages import has_cjk


@dataclass(frozen=True, slots=True)
class Transcript:
    """text: empty without speech; confidence, language: as in Recognition"""

    text: str
    confidence: float | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in one piece. certain: whether the language is"""

    text: str
    confidence: float
    language: str
    certain: bool


class Listening:
    """Recognises sounds of one speaker. Several threads may share it.

    language: BCP-47 code; None detects it in each sound
    expected: the language of sounds that are too short or unclear to tell
    """

    def __init__(self, checkpoint: Checkpoint, *, language: str | None, expected: str, beam: int) -> None:
        self._checkpoint, self._beam = checkpoint, beam
        self._language, self._expected = language, expected
        self._activity = VoiceActivity()

    def transcribe(self, audio: Audio, hints: Hints | None, check_stop: CheckStop) -> Transcript:
        """The words of a whole sound. check_stop: called before each step; what it raises ends the work"""
        sound = audio.resample(SAMPLE_RATE_HZ)
        heard: list[Heard] = []
        cut, probabilities = self.cut(sound, check_stop)
        for piece in cut:
            heard += self.hear(sound.samples, piece, probabilities, heard, hints, check_stop)
        return joined(heard)

    def cut(self, sound: Audio, check_stop: CheckStop) -> tuple[list[Piece], NDArray[np.float32]]:
        """The pieces of speech in a 16 kHz sound, and the probability of speech in each frame of 32 ms."""
        probabilities = self._activity.probabilities(sound, check_stop)
        return pieces(sound.samples, stretches(probabilities, sound.duration)), probabilities

    def hear(
        self,
        samples: NDArray[np.float32],
        piece: Piece,
        probabilities: NDArray[np.float32],
        before: Sequence[Heard],
        hints: Hints | None,
        check_stop: CheckStop,
    ) -> list[Heard]:
        """The words of one piece: one Heard, or none where nobody speaks.

        before: what was heard in the pieces before it
        """
        certain = [one.language for one in before if one.certain]
        frames = probabilities[int(piece.start * SAMPLE_RATE_HZ / FRAME) : int(piece.end * SAMPLE_RATE_HZ / FRAME) + 1]
        words = hear(
            self._checkpoint,
            samples[round(piece.start * SAMPLE_RATE_HZ) : round(piece.end * SAMPLE_RATE_HZ)],
            language=self._language or next(iter(certain), None),
            expected=self._expected,
            speech_s=speech_seconds(frames),
            beam=self._beam,
            hints=hints,
            check_stop=check_stop,
        )
        evidence = Evidence.of(frames, words.decoded)
        if not any(c.isalnum() for c in words.decoded.text) or not is_speech(evidence):
            return []
        return [Heard(words.decoded.text, confidence(evidence), words.language, words.certain)]


def joined(heard: Sequence[Heard]) -> Transcript:
    """The transcript of the pieces of one sound. Its language is that of its first piece of certain language."""
    if not heard:
        return Transcript("")
    # Chinese and Japanese are written without blanks.
    text = "".join(one.text if has_cjk(one.text) else f" {one.text}" for one in heard).strip()
    lengths = [len(one.text) for one in heard]
    sure = sum(one.confidence * length for one, length in zip(heard, lengths, strict=True)) / sum(lengths)
    return Transcript(text, sure, next((one.language for one in heard if one.certain), None))
