"""`Espeak`: formant synthesis by eSpeak NG, in a process of its own."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from agentaudio.errors import MissingExtra, OptionError
from agentaudio.sound.audio import Audio
from agentaudio.text.phrases import pieces
from agentaudio.workers.messages import Message
from agentaudio.workers.worker import Worker

SLOWEST_WPM, FASTEST_WPM = 80, 400
DEFAULT_WPM = 165
LONGEST_REQUEST = 400
"""Characters in one request to the worker; longer texts take several requests."""

_KLATT_PITCH = ((0, 68), (15, 73), (30, 82), (50, 99), (65, 116), (80, 137), (99, 169))
"""Pitch settings of the variant klatt4, and the measured median F0 of each in Hz. Of the variants tried,
klatt4 came nearest to recorded people after timbre transfer while the recogniser still understood it."""

_ANSWER_TIMEOUT_S = 30.0
_WORKER_MODULE = "agentaudio.model.embedded.speaking.espeak_worker"


class Espeak:
    """eSpeak NG (formant synthesis), American English, 22,050 Hz.

    Thread-safe: one worker process serves one request at a time. It starts with the first request,
    is replaced when it dies, and ends with `close` or with this process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None

    def speak(self, text: str, *, rate_wpm: int = DEFAULT_WPM, pitch_hz: float | None = None) -> Audio:
        """The text as sound, 22,050 Hz; empty Audio when there is nothing to say.

        rate_wpm: words per minute, SLOWEST_WPM to FASTEST_WPM
        pitch_hz: wanted median of the fundamental frequency; None is the voice's own

        Raises OptionError for another rate, MissingExtra without the extra `espeak`, BackendError
        when the worker fails twice.
        """
        if not SLOWEST_WPM <= rate_wpm <= FASTEST_WPM:
            raise OptionError(f"{rate_wpm} words per minute cannot be spoken; give {SLOWEST_WPM} to {FASTEST_WPM}")
        voice, pitch = base_voice(pitch_hz)
        parts = []
        for piece in pieces(_audible(text), LONGEST_REQUEST):
            request = {"text": piece, "voice": voice, "rate": rate_wpm, "pitch": pitch, "range": 50}
            header, pcm = self._ask(request)
            if pcm:
                parts.append(Audio.from_pcm16(bytes(pcm), header["sample_rate"]))
        return Audio.concat(parts) if parts else Audio.silence(0.0, 22_050)

    def phonemes(self, words: Sequence[str]) -> list[list[str]]:
        """The pronunciation of each word: IPA phonemes, with stress marks. Raises what `speak` raises."""
        if not words:
            return []
        header, _ = self._ask({"words": [_audible(word) for word in words], "voice": "en-us"})
        return [spelled.split() for spelled in header["phonemes"]]

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is none."""
        return self._worker.pid if self._worker else None

    def close(self) -> None:
        """End the worker; it may be called twice, and a later request starts another."""
        with self._lock:
            if self._worker is not None:
                self._worker.close()

    def _ask(self, request: dict[str, Any]) -> Message:
        with self._lock:
            if self._worker is None:
                self._worker = Worker(_WORKER_MODULE, *_library_and_data(), timeout_s=_ANSWER_TIMEOUT_S)
        return self._worker.ask(request)


def base_voice(pitch_hz: float | None) -> tuple[str, int]:
    """The eSpeak voice, and its pitch setting (0 to 99) with the median F0 nearest to `pitch_hz`."""
    if pitch_hz is None:
        return "en-us", 50
    settings, medians = zip(*_KLATT_PITCH, strict=True)
    return "en-us+klatt4", round(float(np.interp(pitch_hz, medians, settings)))


def _audible(text: str) -> str:
    """The text without tags, control characters and lone surrogates, which eSpeak would spell or stop at."""
    text = re.sub(r"</?[A-Za-z][^<>]{0,300}>", " ", text.encode("utf-8", "ignore").decode())
    printable = (" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join("".join(printable).split())


def _library_and_data() -> tuple[str, str]:
    try:
        import espeakng_loader
    except ImportError:
        raise MissingExtra("speaking with eSpeak NG", "espeak") from None
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
