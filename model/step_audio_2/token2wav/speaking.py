"""Makes the sound of an answer from its speech tokens while they arrive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from agentaudio.model.speech_lm import AudioDelta
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE
from agentaudio.model.step_audio_2.token2wav.stream import SpeechStream
from agentaudio.sound.audio import Audio


class Speaking:
    """Makes the sound of one answer in a thread of its own, so that the text does not wait for it.

    stream: makes the stream; called at once, as preparing a new voice takes long
    hand: called in the thread with each piece of sound
    failed: called in the thread with the exception that ended it
    """

    def __init__(
        self,
        stream: Callable[[], SpeechStream],
        hand: Callable[[AudioDelta], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._stream, self._hand, self._failed = stream, hand, failed
        self._tokens: queue.SimpleQueue[Sequence[int] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="step-audio-2-voice", daemon=True)
        self._thread.start()

    def say(self, tokens: Sequence[int]) -> None:
        """Add the next tokens."""
        self._tokens.put(tokens)

    def finish(self) -> None:
        """Wait until all sound was handed over, or making it has failed."""
        self._tokens.put(None)
        self._thread.join()

    def stop(self) -> None:
        """Stop. The piece that is being computed is not handed over."""
        self._stopping.set()
        self._tokens.put(None)

    def join(self) -> None:
        """Wait for the thread to end, after `stop`."""
        self._thread.join()

    def _work(self) -> None:
        try:
            stream = self._stream()
            spoke = False
            for tokens in iter(self._waiting, None):
                spoke = True
                # One by one, so that each chunk is handed over before the next is computed.
                for token in tokens:
                    self._give(stream.feed(token))
            if spoke and not self._stopping.is_set():
                self._give(stream.finish())
        except Exception as failure:
            if not self._stopping.is_set():
                self._failed(failure)

    def _waiting(self) -> list[int] | None:
        """All tokens that have arrived, waiting for at least one; None at the end."""
        tokens = self._tokens.get()
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

    def _give(self, samples: object) -> None:
        sound = Audio(samples, SAMPLE_RATE)  # type: ignore[arg-type]
        if len(sound) and not self._stopping.is_set():
            self._hand(AudioDelta(sound))
