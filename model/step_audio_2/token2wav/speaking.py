"""Makes the sound of an answer from its speech tokens while they arrive."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agentaudio.model.speech_lm import AudioDelta, ReferenceVoice
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE
from agentaudio.model.step_audio_2.token2wav.pacing import hold_s
from agentaudio.sound.audio import Audio


class Utterance(Protocol):
    """One utterance whose tokens are still arriving: a `SpeechStream`, or one on a service."""

    @property
    def ahead(self) -> int:
        """Tokens after a chunk that must have arrived before it is made."""

    def feed(self, tokens: ArrayLike) -> NDArray[np.float32]:
        """Take the next tokens. Returns the sound that is now ready: (n,) float32, 24 kHz."""

    def finish(self) -> NDArray[np.float32]:
        """The rest of the sound."""

    def close(self) -> None:
        """Give up what is not made yet. May be called twice, from any thread."""


class VoiceMaker(Protocol):
    """What makes sound of speech tokens, in this process (`SpeechDecoder`) or on a service (`RemoteDecoder`)."""

    @property
    def sample_rate_hz(self) -> int: ...

    def prepare(self, voice: ReferenceVoice | None = None) -> Any:
        """What is needed to speak in a voice; None is the default voice. Raises ConsentError and VoiceError."""

    def stream(self, voice: ReferenceVoice | None = None, *, seed: int = 0) -> Utterance:
        """Begin to speak tokens that are yet to be generated."""

    def warm_up(self) -> None:
        """Do now what the first answer would otherwise wait for."""

    def close(self) -> None:
        """Release connections. May be called twice."""


class Speaking:
    """Makes the sound of one answer in a thread of its own, so that the text does not wait for it.

    The first piece of sound is held back as long as the measured rate of the tokens needs; see `hold_s`.

    stream: makes the stream; called at once, as preparing a new voice takes long
    hand: called in the thread with each piece of sound
    failed: called in the thread with the exception that ended it
    ended: called in the thread when no more sound comes
    """

    def __init__(
        self,
        stream: Callable[[], Utterance],
        hand: Callable[[AudioDelta], None],
        failed: Callable[[Exception], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._stream, self._hand, self._failed, self._ended = stream, hand, failed, ended
        self._utterance: Utterance | None = None
        self._tokens: queue.SimpleQueue[Sequence[int] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._arrivals: list[tuple[float, int]] = []
        self._held: list[Audio] = []
        self._release_s: float | None = None
        self._thread = threading.Thread(target=self._work, name="step-audio-2-voice", daemon=True)
        self._thread.start()

    def say(self, tokens: Sequence[int]) -> None:
        """Add the next tokens."""
        self._arrivals.append((time.monotonic(), len(tokens)))
        self._tokens.put(tokens)

    def end(self) -> None:
        """No more tokens come."""
        self._tokens.put(None)

    def finish(self) -> None:
        """Wait until all sound was handed over, or making it has failed."""
        self.end()
        self._thread.join()

    def stop(self) -> None:
        """Stop. The piece that is being computed is not handed over."""
        self._stopping.set()
        self._tokens.put(None)
        if self._utterance is not None:
            self._utterance.close()

    def join(self) -> None:
        """Wait for the thread to end, after `stop`."""
        self._thread.join()

    def _work(self) -> None:
        try:
            stream = self._utterance = self._stream()
            # `stop` either finds the stream or is seen here.
            if self._stopping.is_set():
                stream.close()
            spoke = False
            for tokens in iter(self._waiting, None):
                spoke = True
                # One by one, so that each chunk is handed over before the next is computed.
                for token in tokens:
                    begin = time.monotonic()
                    samples = stream.feed(token)
                    if len(samples) and self._release_s is None:
                        now = time.monotonic()
                        self._release_s = now + hold_s(self._rate(), now - begin, stream.ahead)
                    self._give(samples)
            if spoke and not self._stopping.is_set():
                self._release_s = 0.0
                self._give(stream.finish())
        except Exception as failure:
            if not self._stopping.is_set():
                self._failed(failure)
        finally:
            self._ended()

    def _rate(self) -> float:
        """Tokens per second, from the first that arrived to the last; 0 if they came at once."""
        (first_s, at_first), (last_s, _) = self._arrivals[0], self._arrivals[-1]
        later = sum(count for _, count in self._arrivals) - at_first
        return later / (last_s - first_s) if last_s > first_s else 0.0

    def _waiting(self) -> list[int] | None:
        """All tokens that have arrived, waiting for at least one; None at the end."""
        tokens = self._next()
        if tokens is None or self._stopping.is_set():
            return None
        ready = list(tokens)
        while not self._tokens.empty():
            more = self._tokens.get()
            if more is None:
                self._tokens.put(None)
                break
            ready += more
        return ready

    def _next(self) -> Sequence[int] | None:
        """The next tokens. Sound that is held back is handed over at its time meanwhile."""
        while self._held and self._release_s is not None:
            try:
                return self._tokens.get(timeout=max(0.0, self._release_s - time.monotonic()))
            except queue.Empty:
                self._give(())
        return self._tokens.get()

    def _give(self, samples: ArrayLike) -> None:
        """Hand over what was held back and `samples`, or hold them back too."""
        sound = Audio(np.asarray(samples, np.float32), SAMPLE_RATE)
        if len(sound):
            self._held.append(sound)
        if self._release_s is None or time.monotonic() < self._release_s:
            return
        held, self._held = self._held, []
        for piece in held:
            if not self._stopping.is_set():
                self._hand(AudioDelta(piece))
