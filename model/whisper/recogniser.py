"""`WhisperRecogniser`: the Recogniser on Whisper, and its loader."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from agentaudio.errors import BackendError, OptionError, did_you_mean
from agentaudio.model.parts import Recognition
from agentaudio.model.recognisers.apart import Apart, CheckStop, check_length
from agentaudio.model.whisper.checkpoint import Checkpoint
from agentaudio.model.whisper.hints import Hints
from agentaudio.model.whisper.listening import Listening, Transcript
from agentaudio.model.whisper.streaming import GrowingSound
from agentaudio.sound.audio import Audio
from agentaudio.weights.ledger import ledger
from agentaudio.weights.store import folder as weights_folder

LONGEST_AUDIO_S = 3600.0
MOST_HINTS = 8
PREFIX = "whisper-"
"""Of the names of Whisper's weights in the ledger."""


class WhisperRecogniser:
    """Whisper in int8 on the CPU, behind Silero's voice detector. See Recogniser.

    Sound without speech gives "". Longer sound than a window of Whisper is cut in pauses. The
    language of a short or unclear sound is None, unless it was given.

    folder: a model in CTranslate2 format
    threads: CPU threads, which work on one sound together; sounds that come at the same time are taken in turns
    beam: hypotheses kept by the decoder; 1 is fastest
    language: BCP-47 code of the language spoken where a call names none; None detects it
    expect: language of a sound that is too short or unclear to detect it, by default English

    The weights are loaded on first use. Raises MissingExtra without the extra `embedded`, BackendError for a
    folder that holds no such model, OptionError for options out of range.
    """

    max_audio_s = LONGEST_AUDIO_S

    def __init__(
        self, folder: Path, *, threads: int = 2, beam: int = 5, language: str | None = None, expect: str = "en"
    ) -> None:
        for name, value, most in (("threads", threads, 64), ("beam", beam, 16)):
            if not 1 <= value <= most:
                raise OptionError(f"{name} is {value}; give a whole number from 1 to {most}")
        self._checkpoint = Checkpoint(folder, threads=threads)
        self._language = language and self._known(language)
        self._expected = self._known(expect)
        self._beam = beam
        self._apart = Apart(threads)
        self._lock = threading.Lock()
        self._hints: OrderedDict[tuple[str, ...], Hints] = OrderedDict()

    @property
    def languages(self) -> tuple[str, ...]:
        return self._checkpoint.languages

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        listening = self._listening(language)
        check_length(audio.duration, self.max_audio_s)
        hints = tuple(hint)
        found = await self._apart.run(lambda check_stop: listening.transcribe(audio, self._hints_of(hints), check_stop))
        return _recognition(found)

    async def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        """See Recogniser. What two recognitions of the growing sound agreed on stays in the ones that follow, until
        the last, which is that of the whole. Sound that arrives meanwhile is recognised together."""
        growing, hints = GrowingSound(self._listening(language)), tuple(hint)
        upcoming: asyncio.Future[Audio] = asyncio.ensure_future(_next(sound))
        work: asyncio.Future[Transcript] | None = None
        try:
            while True:
                waiting: list[asyncio.Future[Any]] = [upcoming] if work is None else [upcoming, work]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if work is not None and work.done():
                    partial, work = growing.shown(work.result()), None
                    if partial is not None:
                        yield _recognition(partial, final=False)
                if upcoming.done():
                    try:
                        growing.push(upcoming.result())
                    except StopAsyncIteration:
                        break
                    check_length(growing.duration or 1.0, self.max_audio_s)
                    upcoming = asyncio.ensure_future(_next(sound))
                if work is None and growing.is_due():
                    work = asyncio.ensure_future(
                        self._apart.run(lambda check_stop: growing.recognise(self._hints_of(hints), check_stop))
                    )
            if work is not None:
                await work
            check_length(growing.duration, self.max_audio_s)
            whole = await self._apart.run(lambda check_stop: growing.finish(self._hints_of(hints), check_stop))
            yield _recognition(whole)
        finally:
            for task in (upcoming, work):
                if task is not None and not task.done():
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

    async def warm_up(self, hint: Sequence[str] = ()) -> None:
        """Load the weights, and index the sentences of the hint."""
        hints = tuple(hint)

        def load_both(check_stop: CheckStop) -> None:
            self._checkpoint.load()
            self._hints_of(hints)

        await self._apart.run(load_both)

    async def aclose(self) -> None:
        self._apart.close()
        await asyncio.to_thread(self._checkpoint.close)

    def _listening(self, language: str | None) -> Listening:
        code = self._known(language) if language else self._language
        return Listening(self._checkpoint, language=code, expected=self._expected, beam=self._beam)

    def _known(self, language: str) -> str:
        """The code among `languages` of a BCP-47 tag, whose region and script do not matter."""
        code = language.replace("_", "-").partition("-")[0].lower()
        if code not in self.languages:
            if self.languages == ("en",):
                raise OptionError(f"this Whisper model recognises English only; for {language!r} load another size")
            raise OptionError(
                f"Whisper does not recognise the language {language!r}; give a BCP-47 code such as en or zh"
            )
        return code

    def _hints_of(self, sentences: tuple[str, ...]) -> Hints | None:
        if not sentences:
            return None
        with self._lock:
            hints = self._hints.pop(sentences, None) or Hints(sentences)
            self._hints[sentences] = hints
            while len(self._hints) > MOST_HINTS:
                self._hints.popitem(last=False)
            return hints


async def _next(sound: AsyncIterator[Audio]) -> Audio:
    return await anext(sound)


def _recognition(found: Transcript, *, final: bool = True) -> Recognition:
    return Recognition(found.text, found.confidence, found.language, final)


def load(
    argument: str | None, *, threads: int = 2, beam: int = 5, language: str | None = None, expect: str = "en"
) -> WhisperRecogniser:
    """The entry point `whisper`.

    argument: a size, such as `base` (the default), `tiny.en` or `small`, or a folder in CTranslate2 format

    Raises WeightsMissing when the weights of that size are not on this machine.
    """
    size = argument or "base"
    if PREFIX + size in ledger():  # first: a folder of that name may be in the working folder by chance
        folder = weights_folder(PREFIX + size)
    elif Path(size).is_dir():
        folder = Path(size)
    elif os.sep in size:
        raise BackendError(f"there is no folder {size}; give one in CTranslate2 format, or a size such as base")
    else:
        sizes = [name.removeprefix(PREFIX) for name in ledger() if name.startswith(PREFIX)]
        raise BackendError(f"there is no Whisper {size!r}: {did_you_mean(size, sizes)}; or give a folder")
    return WhisperRecogniser(folder, threads=threads, beam=beam, language=language, expect=expect)
