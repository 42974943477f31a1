"""Fit the constants of agentaudio/model/whisper/judgement.py: speech or noise, and the confidence.

    python benchmarks/recognition_calibration.py [--limit 10] [--json figures.json]

Speech or noise: the evidence of Whisper base for made sounds without speech (tests/support/noises.py, seeds 0
to 7), against words spoken by stock styles of Kokoro, at 3 to 60 dB above noise. Confidence: the share of
correct words of the development requests, against the score. Both are logistic regressions.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import jiwer
import numpy as np
from judge import words
from numpy.typing import NDArray
from recognition import clips
from report import publish
from support.noises import noises

from agentaudio.model.recognisers.pieces import pieces
from agentaudio.model.registry import load_synthesiser
from agentaudio.model.whisper.checkpoint import Checkpoint, Decoded
from agentaudio.model.whisper.features import SAMPLE_RATE_HZ
from agentaudio.model.whisper.hints import Hints
from agentaudio.model.whisper.judgement import ENOUGH_CLEAR_S, LOWEST_SCORE, Evidence
from agentaudio.model.whisper.windows import hear
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import from_dbfs
from agentaudio.sound.silero import FRAME
from agentaudio.sound.vad import VoiceActivity, stretches
from agentaudio.weights.store import folder

SEEDS = 8
SPOKEN = (
    "you", "thank you", "yes", "no", "stop", "okay", "go on", "hello", "sure", "wait", "what", "why", "maybe",
    "tomorrow", "two", "seven", "eleven", "pause", "help", "again",
)  # fmt: skip
STYLES = ("af_heart", "af_bella", "af_nicole", "am_michael", "am_puck", "bf_emma")
SNR_DB = (60, 25, 15, 8, 3)
BEAM = 5


class Evidently:
    """Whisper base behind the voice detector, as the recogniser uses it, without a decision."""

    def __init__(self) -> None:
        self._checkpoint, self._activity = Checkpoint(folder("whisper-base")), VoiceActivity()

    def of(self, audio: Audio, hints: Hints | None = None) -> tuple[Evidence, Decoded] | None:
        """Evidence and text of the first piece of a sound; None where the voice detector finds no speech."""
        probabilities = self._activity.probabilities(audio)
        found = pieces(audio.samples, stretches(probabilities, audio.duration))
        if not found:
            return None
        piece = found[0]
        decoded = hear(
            self._checkpoint, audio.slice(piece.start, piece.end).samples, language="en", expected="en", speech_s=9.9,
            beam=BEAM, hints=hints, check_stop=lambda: None,
        ).decoded  # fmt: skip
        frame_s = FRAME / SAMPLE_RATE_HZ
        return Evidence.of(probabilities[int(piece.start / frame_s) : int(piece.end / frame_s) + 1], decoded), decoded


def spoken_words(limit: int | None) -> Iterator[Audio]:
    """Short words in noise of random colour and level, half a second of which stands before and after."""
    random = np.random.default_rng(5)
    for spoken in asyncio.run(_speak_all(SPOKEN[:limit])):
        samples = spoken.resample(SAMPLE_RATE_HZ).samples
        room = random.standard_normal(len(samples) + SAMPLE_RATE_HZ)
        spectrum = np.fft.rfft(room) * np.arange(1, len(room) // 2 + 2) ** -float(random.choice((0.0, 0.5, 1.0)))
        room = np.fft.irfft(spectrum, len(room))
        room *= from_dbfs(-int(random.choice(SNR_DB))) * np.std(samples) / np.std(room)
        room[SAMPLE_RATE_HZ // 2 : SAMPLE_RATE_HZ // 2 + len(samples)] += samples
        level = from_dbfs(random.uniform(-45, -10)) / np.abs(room).max()
        yield Audio((room * level).astype(np.float32), SAMPLE_RATE_HZ)


async def _speak_all(texts: Sequence[str]) -> list[Audio]:
    """Each text in each style."""

    async def pieces_of(text: str) -> AsyncIterator[str]:
        yield text

    found = []
    for style in STYLES:
        synthesiser = load_synthesiser(f"kokoro:{style}")
        state = await synthesiser.prepare(None)
        for text in texts:
            speech = synthesiser.speak(pieces_of(text), state, language="en")
            found.append(Audio.concat([sound async for sound in speech]))
        await synthesiser.aclose()
    return found


def logistic(features: NDArray[np.float64], right: NDArray[np.float64], weight: NDArray[np.float64]) -> list[float]:
    """Offset and coefficients of a logistic regression, by Newton's method, with an L2 penalty on scaled features.

    features: (n, k); right: (n,) share of right answers; weight: (n,)
    """
    mean, scale = features.mean(0), features.std(0) + 1e-9
    rows = np.c_[np.ones(len(features)), (features - mean) / scale]
    penalty, values = np.diag([1e-3] + [1.0] * features.shape[1]), np.zeros(features.shape[1] + 1)
    for _ in range(100):
        share = 1 / (1 + np.exp(-rows @ values))
        slope = rows.T @ (weight * (share - right)) + penalty @ values
        values -= np.linalg.solve(rows.T @ (rows * (weight * share * (1 - share))[:, None]) + penalty, slope)
    own = values[1:] / scale
    return [round(float(one), 2) for one in (values[0] - own @ mean, *own)]


def fit_speech(ear: Evidently, limit: int | None) -> dict[str, Any]:
    made = [sound for seed in range(SEEDS) for sound in list(noises(seed).values())[:limit]]
    false = [found[0] for sound in made if (found := ear.of(sound))]
    true = [found[0] for sound in spoken_words(limit) if (found := ear.of(sound))]
    rows = np.array([[min(one.clear_s, ENOUGH_CLEAR_S), one.clearest, one.no_speech, max(one.score, LOWEST_SCORE)]
                     for one in false + true])  # fmt: skip
    right = np.array([0.0] * len(false) + [1.0] * len(true))
    weight = np.where(right > 0, 0.5 / len(true), 0.5 / max(1, len(false))) * len(right)
    names = ("offset", "clear_s", "clearest", "no_speech", "score")
    fitted = logistic(rows, right, weight)
    decided = fitted[0] + rows @ np.array(fitted[1:]) > 0
    return {
        "sounds_without_speech": len(made),
        "of_these_taken_for_speech_by_the_detector": len(false),
        "words": len(true),
        "noise_taken_for_speech": int((decided & (right == 0)).sum()),
        "words_taken_for_noise": int((~decided & (right == 1)).sum()),
        **dict(zip(names, fitted, strict=True)),
    }


def fit_confidence(ear: Evidently, limit: int | None) -> dict[str, Any]:
    scores, shares, lengths = [], [], []
    for clip in clips("mixed", "dev", limit, None):
        found = ear.of(clip.audio(), Hints(clip.hint))
        heard = words(found[1].text).split() if found else []
        if found and heard:
            scores.append(max(found[0].score, LOWEST_SCORE))
            shares.append(jiwer.process_words(words(clip.said), " ".join(heard)).hits / len(heard))
            lengths.append(len(heard))
    columns: Sequence[NDArray[np.float64]] = [np.array(one, float) for one in (scores, shares, lengths)]
    offset, slope = logistic(columns[0][:, None], columns[1], columns[2])
    return {"requests": len(scores), "offset": offset, "score": slope}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--limit", type=int, help="use only so many words, kinds of noise and requests")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    ear = Evidently()
    figures = {"speech": fit_speech(ear, options.limit), "confidence": fit_confidence(ear, options.limit)}
    publish("calibration of whisper:base", figures, options.json)


if __name__ == "__main__":
    main()
