"""`GrowingSound`: recognition of a sound while it arrives, with a beginning that stays."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import takewhile

import numpy as np

from agentaudio.model.recognisers.apart import CheckStop
from agentaudio.model.whisper.features import SAMPLE_RATE_HZ
from agentaudio.model.whisper.hints import Hints
from agentaudio.model.whisper.listening import Heard, Listening, Transcript, joined
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream
from agentaudio.text.languages import has_cjk

PARTIAL_EVERY_S = 1.0
"""Sound that must arrive between two recognitions."""
LARGEST_SHARE = 0.5
"""Share of the time that recognising may take; slower machines recognise less often."""
SILENCE_KEPT_S = 1.0
"""Sound before the first speech that is kept, for the voice detector."""


class GrowingSound:
    """The sound of one utterance as it arrives. `push` may be called while a thread is in `recognise`.

    The pieces of long speech that are complete are recognised once, and their sound is dropped. The last
    piece is recognised anew, unless only silence has arrived since.
    """

    def __init__(self, listening: Listening) -> None:
        self._listening = listening
        self._to_16k = PcmStream(SAMPLE_RATE_HZ)
        self._agreement = Agreement()
        self._lock = threading.Lock()
        self._samples = np.zeros(0, np.float32)
        self._dropped = 0  # samples before self._samples
        self._settled: list[Heard] = []
        self._last: tuple[tuple[int, int], list[Heard]] = (0, 0), []
        self._recognised = 0  # samples that had arrived at the last recognition
        self._cost_s = 0.0
        self._shown = ""

    @property
    def duration(self) -> float:
        """Seconds that have arrived."""
        return (self._dropped + len(self._samples)) / SAMPLE_RATE_HZ

    def push(self, audio: Audio) -> None:
        """Take the next piece of the sound, of any rate."""
        self._append(self._to_16k.push(audio))

    def _append(self, audio: Audio) -> None:
        with self._lock:
            self._samples = np.concatenate([self._samples, audio.samples])

    def is_due(self) -> bool:
        """Whether enough sound has arrived to recognise it again."""
        new_s = self.duration - self._recognised / SAMPLE_RATE_HZ
        return new_s >= max(PARTIAL_EVERY_S, self._cost_s / LARGEST_SHARE)

    def recognise(self, hints: Hints | None, check_stop: CheckStop) -> Transcript:
        """The words so far. check_stop: called before each step; what it raises ends the work"""
        started = time.monotonic()
        with self._lock:
            sound, first = Audio(self._samples, SAMPLE_RATE_HZ), self._dropped
        self._recognised = first + len(sound)
        cut, probabilities = self._listening.cut(sound, check_stop)
        heard: list[Heard] = []
        for piece in cut:
            place = first + round(piece.start * SAMPLE_RATE_HZ), first + round(piece.end * SAMPLE_RATE_HZ)
            if place == self._last[0]:
                heard = self._last[1]
            else:
                heard = self._listening.hear(sound.samples, piece, probabilities, self._settled, hints, check_stop)
            if piece is not cut[-1]:
                # Together with its sound, so that nothing is heard twice when a later step is stopped.
                self._settled += heard
                self._drop(place[1])
            else:
                self._last = place, heard
        begin = cut[-1].start if cut else sound.duration
        self._drop(first + round((begin - SILENCE_KEPT_S) * SAMPLE_RATE_HZ))
        self._cost_s = time.monotonic() - started
        return joined(self._settled + (heard if cut else []))

    def finish(self, hints: Hints | None, check_stop: CheckStop) -> Transcript:
        """The words of the whole sound; nothing can be pushed afterwards."""
        self._append(self._to_16k.finish())
        return self.recognise(hints, check_stop)

    def shown(self, found: Transcript) -> Transcript | None:
        """A partial result as readers see it; None when it brings nothing new."""
        text = self._agreement.push(found.text)
        if text == self._shown:
            return None
        self._shown = text
        return replace(found, text=text)

    def _drop(self, until: int) -> None:
        """Drop the sound before an instant, in samples since the beginning."""
        with self._lock:
            samples = max(0, until - self._dropped)
            self._samples = self._samples[samples:]
            self._dropped += samples


class Agreement:
    """Keeps the words in which two successive recognitions agree, so that a reader sees them change once at most.

    Source: Liu, Spanakis and Niehues 2020, "Low-latency sequence-to-sequence speech recognition and
    translation by partial hypothesis selection" (local agreement).
    """

    def __init__(self) -> None:
        self._agreed: list[str] = []
        self._last: list[str] = []

    def push(self, text: str) -> str:
        """Take the next recognition of the whole; return it, with the words that were agreed on before in front."""
        words = list(text) if has_cjk(text) else [f" {word}" for word in text.split()]
        shown = self._agreed + words[len(self._agreed) :]
        pairs = zip(self._last, words, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: _plain(pair[0]) == _plain(pair[1]), pairs))
        # The last word may still be growing.
        same = min(same, len(words) - 1)
        if same > len(self._agreed):
            self._agreed = shown[:same]
        self._last = words
        return "".join(shown).strip()


def _plain(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())
