"""`WhisperRecogniser`: the Recogniser on Whisper, and its loader."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from agentaudio.errors import AudioError, BackendError, OptionError
from agentaudio.model.parts import Recognition
from agentaudio.model.whisper.checkpoint import Checkpoint
from agentaudio.model.whisper.features import SAMPLE_RATE_HZ
from agentaudio.model.whisper.windows import hear
from agentaudio.sound.audio import Audio
from agentaudio.sound.vad import VoiceActivity

Result = TypeVar("Result")

LONGEST_AUDIO_S = 30.0


class _Stopped(Exception):
    """The task that wanted the result was cancelled."""


class WhisperRecogniser:
    """Whisper in int8 on the CPU, with Silero's voice detector before it.

    folder: a model in CTranslate2 format
    threads: CPU threads; as many sounds are recognised at the same time, each by one thread
    beam: hypotheses kept by the decoder; 1 is fastest, 5 makes a few errors less
    language: BCP-47 code of the language spoken where a call names none; None detects it

    Loading waits for the first use. Raises OptionError for options out of range.
    """

    max_audio_s = LONGEST_AUDIO_S

    def __init__(self, folder: Path, *, threads: int = 2, beam: int = 1, language: str | None = None) -> None:
        for name, value, most in (("threads", threads, 64), ("beam", beam, 16)):
            if not 1 <= value <= most:
                raise OptionError(f"{name} is {value}; give a whole number from 1 to {most}")
        self._folder, self._threads, self._beam, self._language = folder, threads, beam, language
        self._activity = VoiceActivity()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="whisper")
        self._loading = threading.Lock()
        self._checkpoint: Checkpoint | None = None
        self._closed = False

    @property
    def languages(self) -> tuple[str, ...]:
        return self._loaded().languages

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        if not len(audio):
            raise AudioError("the sound holds no samples; record it again")
        if audio.duration > self.max_audio_s:
            raise AudioError(
                f"a sound of {audio.duration:.0f} s is too long to recognise; the limit is "
                f"{self.max_audio_s:.0f} s, cut it into shorter ones"
            )
        return await self._apart(lambda check_stop: self._recognise(audio, language, tuple(hint), check_stop))

    async def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        pieces = [piece async for piece in sound]
        yield await self.recognise(Audio.concat(pieces), language=language, hint=hint)

    async def warm_up(self, hint: Sequence[str] = ()) -> None:
        await self._apart(lambda check_stop: self._loaded())

    async def aclose(self) -> None:
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._checkpoint = None

    def _recognise(
        self, audio: Audio, language: str | None, hint: tuple[str, ...], check_stop: Callable[[], None]
    ) -> Recognition:
        speech = self._activity.trim(audio)
        if not len(speech):
            return Recognition("")
        samples = speech.resample(SAMPLE_RATE_HZ).samples
        words = hear(
            self._loaded(), samples, language=language or self._language, beam=self._beam, check_stop=check_stop
        )
        return Recognition(words.decoded.text, None, words.language)

    def _loaded(self) -> Checkpoint:
        with self._loading:
            if self._checkpoint is None:
                self._checkpoint = Checkpoint(self._folder, threads=self._threads)
            return self._checkpoint

    async def _apart(self, work: Callable[[Callable[[], None]], Result]) -> Result:
        """Run `work` in a thread of the recogniser; its argument raises once the awaiting task was cancelled."""
        if self._closed:
            raise BackendError("this recogniser was closed; load it again")
        stop = threading.Event()

        def check_stop() -> None:
            if stop.is_set():
                raise _Stopped

        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work, check_stop)
        finally:
            stop.set()


def load(argument: str | None, *, threads: int = 2, beam: int = 1, language: str | None = None) -> WhisperRecogniser:
    """The entry point `whisper`.

    argument: a folder in CTranslate2 format
    """
    return WhisperRecogniser(Path(argument or "base"), threads=threads, beam=beam, language=language)
