"""Speech to text: the `Recogniser` protocol, and PocketSphinx in processes of its own."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Protocol

import numpy as np

from agentaudio.audio import Audio
from agentaudio.errors import AudioError, MissingExtra
from agentaudio.model.pocket.language_model import DomainModel, Phonemes, compile_domain
from agentaudio.model.pocket.vad import VoiceActivity
from agentaudio.model.pocket.worker import Worker

SAMPLE_RATE_HZ = 16_000
LONGEST_AUDIO_S = 60.0
SPEECH_RMS = 0.07
LOUDEST_PEAK = 0.95
MOST_DOMAINS = 8

_WORKER_MODULE = "agentaudio.model.pocket.sphinx_worker"
_FILLERS = ("<", "[", "+")


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was heard.

    text: lower-case words; empty when nobody spoke
    confidence: 0 to 1, how far the two language models agree
    open_text: what the general language model alone made of it
    domain_text: what the examples alone made of it; empty without examples
    """

    text: str
    confidence: float
    open_text: str = ""
    domain_text: str = ""


class Recogniser(Protocol):
    """Turns speech into words."""

    def recognise(self, audio: Audio, sentences: Sequence[str] = ()) -> Recognition:
        """The words of a sound.

        sentences: examples of what may be said; empty means anything

        Raises AudioError for a sound that is too long.
        """

    def close(self) -> None:
        """Free what it holds; it may be called twice."""


class SphinxRecogniser:
    """PocketSphinx 5 with its US English models. Any number of threads may call it.

    phonemes: IPA of words that its dictionary lacks (`EspeakSynthesiser.phonemes`); without it
        such words are never recognised, and a warning says so

    Raises MissingExtra without the extra `pocket`; AudioError for more than LONGEST_AUDIO_S seconds.
    """

    def __init__(self, phonemes: Phonemes | None = None, *, activity: VoiceActivity | None = None) -> None:
        self._phonemes = phonemes
        self._activity = activity or VoiceActivity()
        self._lock = threading.Lock()
        self._domains: OrderedDict[str, DomainModel | None] = OrderedDict()
        self._open_worker = Worker(_WORKER_MODULE)
        self._domain_worker = Worker(_WORKER_MODULE)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="sphinx")

    def recognise(self, audio: Audio, sentences: Sequence[str] = ()) -> Recognition:
        if audio.duration > LONGEST_AUDIO_S:
            raise AudioError(
                f"a question of {audio.duration:.0f} s is too long to recognise; the limit is "
                f"{LONGEST_AUDIO_S:.0f} s, so cut it into shorter ones"
            )
        _require_pocketsphinx()
        speech = self._activity.trim(audio)
        if not len(speech):
            return Recognition("", 0.0)
        pcm = _levelled(speech).to_pcm16()
        domain = self._domain(sentences) if sentences else None
        if domain is None:
            text = _words(self._open_worker.ask({"key": ""}, pcm)[0])
            return Recognition(text, 0.5 if text else 0.0, open_text=text)
        opened = self._threads.submit(self._open_worker.ask, {"key": ""}, pcm)
        domain_text = _words(self._ask_domain(domain, pcm))
        open_text = _words(opened.result()[0])
        agreement = SequenceMatcher(None, open_text.split(), domain_text.split()).ratio()
        text = domain_text if agreement >= 0.4 else open_text
        return Recognition(text, agreement, open_text, domain_text)

    def prepare(self, sentences: Sequence[str] = ()) -> None:
        """Load the models and compile the domain now, so that the first question need not wait."""
        _require_pocketsphinx()
        pcm = Audio.silence(0.1, SAMPLE_RATE_HZ).to_pcm16()
        self._open_worker.ask({"key": ""}, pcm)
        if sentences and (domain := self._domain(sentences)):
            self._ask_domain(domain, pcm)

    def close(self) -> None:
        self._open_worker.close()
        self._domain_worker.close()

    def _domain(self, sentences: Sequence[str]) -> DomainModel | None:
        digest = hashlib.sha256("\n".join(sentences).encode("utf-8", "replace")).hexdigest()
        with self._lock:
            if digest not in self._domains:
                self._domains[digest] = compile_domain(sentences, self._phonemes)
            self._domains.move_to_end(digest)
            while len(self._domains) > MOST_DOMAINS:
                self._domains.popitem(last=False)
            return self._domains[digest]

    def _ask_domain(self, domain: DomainModel, pcm: bytes) -> dict[str, Any]:
        answer, _ = self._domain_worker.ask({"key": domain.key}, pcm)
        if "unknown" in answer:
            pronunciations = dict(domain.pronunciations)
            request = {
                "key": domain.key,
                "model": domain.arpa,
                "pronunciations": pronunciations,
                "settings": {},
            }
            self._domain_worker.ask(request)
            answer, _ = self._domain_worker.ask({"key": domain.key}, pcm)
        return answer


def _require_pocketsphinx() -> None:
    if importlib.util.find_spec("pocketsphinx") is None:
        raise MissingExtra("recognising speech", "pocket")


def _words(answer: dict[str, Any]) -> str:
    words = (word.partition("(")[0] for word, *_ in answer["words"] if not word.startswith(_FILLERS))
    return " ".join(words)


def _levelled(speech: Audio) -> Audio:
    samples = speech.resample(SAMPLE_RATE_HZ).samples
    rms = float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
    if rms == 0.0:
        return Audio(samples, SAMPLE_RATE_HZ)
    gain = min(SPEECH_RMS / rms, LOUDEST_PEAK / float(np.abs(samples).max()))
    return Audio(samples * np.float32(gain), SAMPLE_RATE_HZ)
