"""`SphinxPool`: PocketSphinx in worker processes, for callers in threads."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import math
import queue
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentaudio.errors import AudioError, MissingExtra, OptionError
from agentaudio.model.embedded.hearing.language_model import DomainModel, Phonemes, compile_domain
from agentaudio.model.embedded.hearing.sphinx import SAMPLE_RATE_HZ, HeardWord
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import gain_to
from agentaudio.sound.vad import VoiceActivity
from agentaudio.workers.worker import Worker

LONGEST_AUDIO_S = 60.0
SPEECH_RMS, LOUDEST_PEAK = 0.07, 0.95
ROOM_NOISE_RMS = 2e-4
"""Level of the noise that is added: the acoustic model was trained on recordings in rooms, and digital silence makes
it err. At 5e-4 formant synthesis has a quarter fewer word errors, but natural voices have more."""

MOST_DOMAINS = 8
DOMAIN_WEIGHT = 0.5
"""Weight of the domain in the mixture of language models; 0.2 to 0.8 are as good on the development requests."""

_WORKER_MODULE = "agentaudio.model.embedded.hearing.sphinx_worker"
_CONFIDENCE_SLOPE, _CONFIDENCE_OFFSET = 5.2, -1.8  # logistic regression of correct words on the mean posterior


@dataclass(frozen=True, slots=True)
class SphinxWords:
    """What was recognised.

    text: lower-case words; empty when no speech was found
    confidence: 0 to 1, the expected share of correct words
    words: the words with times and posteriors; times count from 0.2 s before the first speech
    """

    text: str
    confidence: float
    words: tuple[HeardWord, ...] = ()


class SphinxPool:
    """PocketSphinx 5 with its US English models. Several threads may share one.

    phonemes: returns the IPA of words that the dictionary lacks (`Espeak.phonemes`); without it such
        words are never recognised, and a warning is logged
    domain_weight: weight of the language model of the sentences; with 1 only the sentences can be recognised, four
        times as fast
    processes: number of sounds recognised at the same time, each in a process of 150 MB; another process starts
        only when the others are busy

    Raises MissingExtra without the extra `embedded`; AudioError for more than LONGEST_AUDIO_S seconds.
    """

    def __init__(
        self,
        phonemes: Phonemes | None = None,
        *,
        activity: VoiceActivity | None = None,
        domain_weight: float = DOMAIN_WEIGHT,
        processes: int = 2,
    ) -> None:
        if not 0 < domain_weight <= 1:
            raise OptionError(f"domain_weight is {domain_weight}; give a number above 0 and up to 1")
        self._phonemes = phonemes
        self._domain_weight = domain_weight
        self._activity = activity or VoiceActivity()
        self._lock = threading.Lock()
        self._domains: OrderedDict[str, DomainModel | None] = OrderedDict()
        self._workers = [Worker(_WORKER_MODULE) for _ in range(max(1, processes))]
        # Last in, first out: work goes to a process that is already running.
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        for worker in reversed(self._workers):
            self._idle.put(worker)

    def recognise(self, audio: Audio, sentences: Sequence[str] = ()) -> SphinxWords:
        """The words in a sound.

        sentences: examples of what may be said; empty for unrestricted speech

        Raises AudioError for a sound that is too long.
        """
        if audio.duration > LONGEST_AUDIO_S:
            raise AudioError(
                f"a sound of {audio.duration:.0f} s is too long to recognise; the limit is "
                f"{LONGEST_AUDIO_S:.0f} s, cut it into shorter ones"
            )
        _require_pocketsphinx()
        speech = self._activity.trim(audio)
        if not len(speech):
            return SphinxWords("", 0.0)
        words = self._decode(_levelled(speech).to_pcm16(), self._domain(sentences))
        return SphinxWords(" ".join(word.word for word in words), _confidence(words), tuple(words))

    def prepare(self, sentences: Sequence[str] = ()) -> None:
        """Load the models and compile these sentences now, so that the first recognition is fast."""
        _require_pocketsphinx()
        self._decode(Audio.silence(0.2, SAMPLE_RATE_HZ).to_pcm16(), self._domain(sentences))

    @property
    def pids(self) -> list[int]:
        """Process ids of the running workers."""
        return [pid for worker in self._workers if (pid := worker.pid) is not None]

    def close(self) -> None:
        """End the processes; may be called more than once."""
        for worker in self._workers:
            worker.close()

    def _decode(self, pcm: bytes, domain: DomainModel | None) -> list[HeardWord]:
        request: dict[str, Any] = {"domain": domain.key if domain else ""}
        with self._worker() as worker:
            answer, _ = worker.ask(request, pcm)
            if "unknown" in answer and domain is not None:
                model = {"arpa": domain.arpa, "pronunciations": dict(domain.pronunciations)}
                answer, _ = worker.ask({**request, **model, "weight": self._domain_weight}, pcm)
        return [HeardWord(*word) for word in answer["words"]]

    def _domain(self, sentences: Sequence[str]) -> DomainModel | None:
        if not sentences:
            return None
        digest = hashlib.sha256("\n".join(sentences).encode("utf-8", "replace")).hexdigest()
        with self._lock:
            if digest not in self._domains:
                self._domains[digest] = compile_domain(sentences, self._phonemes)
            self._domains.move_to_end(digest)
            while len(self._domains) > MOST_DOMAINS:
                self._domains.popitem(last=False)
            return self._domains[digest]

    @contextlib.contextmanager
    def _worker(self) -> Iterator[Worker]:
        worker = self._idle.get()
        try:
            yield worker
        finally:
            self._idle.put(worker)


def _require_pocketsphinx() -> None:
    if importlib.util.find_spec("pocketsphinx") is None:
        raise MissingExtra("recognising speech", "embedded")


def _confidence(words: Sequence[HeardWord]) -> float:
    """The word accuracy that this mean posterior had on the development requests."""
    if not words:
        return 0.0
    mean = sum(word.posterior for word in words) / len(words)
    return 1 / (1 + math.exp(-(_CONFIDENCE_SLOPE * mean + _CONFIDENCE_OFFSET)))


def _levelled(speech: Audio) -> Audio:
    samples = speech.resample(SAMPLE_RATE_HZ).samples
    if not samples.any():
        return Audio(samples, SAMPLE_RATE_HZ)
    gain = gain_to(SPEECH_RMS, samples, highest_peak=LOUDEST_PEAK)
    room = ROOM_NOISE_RMS * np.random.default_rng(0).standard_normal(len(samples), np.float32)
    return Audio(samples * np.float32(gain) + room, SAMPLE_RATE_HZ)
