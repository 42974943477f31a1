"""Text to speech: the `Synthesiser` protocol, and eSpeak NG in a process of its own."""

from __future__ import annotations

import contextlib
import html
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import unicodedata
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from agentaudio.audio import Audio
from agentaudio.errors import BackendError, MissingExtra, OptionError
from agentaudio.model.pocket import espeak_worker
from agentaudio.model.pocket.phrasing import pieces

SLOWEST_WPM, FASTEST_WPM = 80, 400
DEFAULT_WPM = 165
LONGEST_REQUEST = 400
"""Characters handed to the worker at once; longer texts go in several requests."""

_ANSWER_TIMEOUT_S = 30.0


class Synthesiser(Protocol):
    """Speaks in a voice of its own; `TimbreTransfer` lends it another."""

    def speak(self, text: str, *, rate_wpm: int = DEFAULT_WPM, pitch_hz: float | None = None) -> Audio:
        """The text as sound; empty Audio when there is nothing to say.

        rate_wpm: words a minute
        pitch_hz: wanted median of the fundamental frequency; None is the voice's own
        """

    def close(self) -> None:
        """Free what it holds; it may be called twice."""


class EspeakSynthesiser:
    """eSpeak NG (formant synthesis), American English, 22,050 Hz.

    One worker process and one lock: any number of threads may call it. A worker that died is
    replaced. It starts with the first request, and ends with `close` or with this process.

    Raises MissingExtra without the extra `espeak`; BackendError when the worker fails twice.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def speak(self, text: str, *, rate_wpm: int = DEFAULT_WPM, pitch_hz: float | None = None) -> Audio:
        if not SLOWEST_WPM <= rate_wpm <= FASTEST_WPM:
            raise OptionError(
                f"{rate_wpm} words a minute cannot be spoken; give {SLOWEST_WPM} to {FASTEST_WPM}"
            )
        voice, pitch = base_voice(pitch_hz)
        parts = []
        for piece in pieces(speakable(text), LONGEST_REQUEST):
            request = {"text": piece, "voice": voice, "rate": rate_wpm, "pitch": pitch, "range": 50}
            header, pcm = self._ask(request)
            if pcm:
                parts.append(Audio.from_pcm16(pcm, header["sample_rate"]))
        return Audio.concat(parts) if parts else Audio.silence(0.0, 22_050)

    def phonemes(self, words: Sequence[str]) -> list[list[str]]:
        """How each word is pronounced: IPA phonemes, with stress marks."""
        if not words:
            return []
        header, _ = self._ask({"words": [speakable(word) for word in words], "voice": "en-us"})
        return [spelled.split() for spelled in header["phonemes"]]

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        content = json.dumps(request).encode()
        with self._lock:
            for last_try in (False, True):
                worker = self._running()
                try:
                    header, pcm = _exchange(worker, content)
                    break
                except (EOFError, OSError):
                    self._stop()
                    if last_try:
                        raise BackendError(
                            f"the eSpeak process died twice on {request!r:.200}; leave out this text"
                        ) from None
        if "error" in header:
            raise BackendError(f"eSpeak NG failed: {header['error']}; reinstall agentaudio[espeak]")
        return header, pcm

    def _running(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():
            # After a fork the pipes belong to the parent: two writers would garble each other.
            self._worker, self._owner = None, os.getpid()
        if self._worker is None or self._worker.poll() is not None:
            self._stop()
            self._worker = _start()
            self._finalizer = weakref.finalize(self, _end, self._worker)
        return self._worker

    def _stop(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._worker = self._finalizer = None


def base_voice(pitch_hz: float | None) -> tuple[str, int]:
    """The eSpeak voice and pitch setting (0 to 99) whose median F0 comes nearest to `pitch_hz`."""
    if pitch_hz is None:
        return "en-us", 50
    return "en-us", int(min(99, max(0, 50 + (pitch_hz - 110) / 1.5)))


def speakable(text: str) -> str:
    """The text without what should not be read aloud: markup, links, control characters."""
    text = html.unescape(text.encode("utf-8", "ignore").decode())
    text = re.sub(r"</?[A-Za-z][^<>]{0,300}>", " ", text)
    text = re.sub(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,500}\)", r"\1", text)
    text = re.sub(r"https?://\S+", " ", text)
    text = re.sub(r"(?m)^\s{0,3}(#{1,6}\s+|[-*+]\s+|>\s*)", "", text)
    text = re.sub(r"[*_`~|]{1,3}(?=\S)|(?<=\S)[*_`~|]{1,3}", "", text)
    text = re.sub(r"\n\s*\n", ". ", text) if not re.search(r"[.!?:]\s*\n\s*\n", text) else text
    clean = (" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join("".join(clean).split())


def _start() -> subprocess.Popen[bytes]:
    spec = importlib.util.find_spec("espeakng_loader")
    if spec is None or not spec.origin:
        raise MissingExtra("speaking with eSpeak NG", "espeak")
    import espeakng_loader

    command = [
        sys.executable,
        "-I",
        "-S",
        str(Path(espeak_worker.__file__).resolve()),
        espeakng_loader.get_library_path(),
        espeakng_loader.get_data_path(),
    ]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise BackendError(f"cannot start the eSpeak process ({error}); check {sys.executable}") from None


def _exchange(worker: subprocess.Popen[bytes], content: bytes) -> tuple[dict[str, Any], bytes]:
    assert worker.stdin is not None and worker.stdout is not None
    watchdog = threading.Timer(_ANSWER_TIMEOUT_S, worker.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        espeak_worker.write_frame(worker.stdin, content)  # type: ignore[arg-type]
        worker.stdin.flush()
        header = json.loads(espeak_worker.read_frame(worker.stdout))  # type: ignore[arg-type]
        return header, espeak_worker.read_frame(worker.stdout)  # type: ignore[arg-type]
    finally:
        watchdog.cancel()


def _end(worker: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if worker.stdin is not None:
            worker.stdin.close()
    try:
        worker.wait(timeout=1)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    if worker.stdout is not None:
        worker.stdout.close()
