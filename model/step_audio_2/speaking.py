"""The sound of an answer: its speech tokens spoken in a voice while they arrive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from agentaudio.audio import Audio
from agentaudio.errors import BackendError
from agentaudio.model.speech_lm import AudioDelta, ReferenceVoice
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE
from agentaudio.model.step_audio_2.token2wav.prompt_cache import PromptCache
from agentaudio.model.step_audio_2.token2wav.prompt_maker import PromptMaker
from agentaudio.model.step_audio_2.token2wav.stream import SpeechStream
from agentaudio.model.step_audio_2.token2wav.synthesis import Token2Wav

FILES = ("flow.yaml", "flow.pt", "hift.pt", "campplus.onnx", "speech_tokenizer_v2_25hz.onnx")


@dataclass(frozen=True, slots=True)
class OwnVoice:
    """The voice of a model that was not given another."""

    clip: Audio
    transcript: str = ""
    id: str = "step-audio-2"


def shipped_voice() -> OwnVoice:
    """A plain American woman, synthetic: see assets/NOTICE."""
    clip = Audio.load(files("agentaudio.model.step_audio_2").joinpath("assets/own_voice.flac").read_bytes())
    words = "Hello, it is good to hear you. Ask me anything you like, and I will look it up and tell you what I found, "
    return OwnVoice(clip, words + "in a few plain words.")


class SpeechDecoder:
    """Token2Wav and the timbre prompts of its voices, loaded on first use. For any number of threads.

    folder: the `token2wav` folder of a checkpoint
    device, dtype, steps: see Token2Wav.load
    own_voice: where none is asked for

    Raises BackendError when one of the folder's files is missing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        steps: int = 10,
        own_voice: OwnVoice | None = None,
    ) -> None:
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise BackendError(f"{folder / missing[0]} is missing; download it again, or remove the folder to go mute")
        self._folder, self._device, self._steps = folder, device, steps
        self._own_voice = shipped_voice() if own_voice is None else own_voice
        self._loading = threading.Lock()

    @cached_property
    def _loaded(self) -> Token2Wav:
        return Token2Wav.load(self._folder, device=self._device, steps=self._steps)

    @property
    def token2wav(self) -> Token2Wav:
        with self._loading:
            return self._loaded

    @cached_property
    def prompts(self) -> PromptCache:
        """Of the voices; a voice of a library has them kept beside it, in its `prompt_path`."""
        return PromptCache(PromptMaker.load(self._folder), lambda voice: getattr(voice, "prompt_path", None))

    def stream(self, voice: ReferenceVoice | None, seed: int | None = None) -> SpeechStream:
        """Begin to speak in a voice. Raises what PromptCache.get and Token2Wav.stream raise."""
        prompt = self.prompts.get(self._own_voice if voice is None else voice)
        return self.token2wav.stream(prompt, seed=0 if seed is None else abs(seed))


class Speaking:
    """Speaks one answer, in a thread of its own, so that its words do not wait for its sound.

    stream: makes the stream; called at once, as that takes the longest when the voice is new
    hand: takes the sound piece by piece, in that thread
    """

    def __init__(self, stream: Callable[[], SpeechStream], hand: Callable[[AudioDelta], None]) -> None:
        self._stream, self._hand = stream, hand
        self._tokens: queue.SimpleQueue[Sequence[int] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="step-audio-2-voice", daemon=True)
        self._thread.start()

    def say(self, tokens: Sequence[int]) -> None:
        """The tokens that come next."""
        self._tokens.put(tokens)

    def finish(self) -> None:
        """Wait until all of it was handed over. Raises what failed."""
        self._tokens.put(None)
        self._thread.join()
        if self._failure is not None and not self._stopping.is_set():
            raise self._failure

    def stop(self) -> None:
        """Say no more; the piece that is being worked on is not handed over."""
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
                self._give(stream.feed(tokens))
            if spoke and not self._stopping.is_set():
                self._give(stream.finish())
        except Exception as failure:
            self._failure = failure

    def _waiting(self) -> list[int] | None:
        """All tokens that are there, at least one; None at the end."""
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
