"""One answer on its way from the threads that make it to the event loop that waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable

from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, End, ReferenceVoice, TextDelta, TokensDelta
from agentaudio.model.step_audio_2.decoding.generation import Generation
from agentaudio.model.step_audio_2.language.answer import AnswerDelta, Said
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder
from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
from agentaudio.model.step_audio_2.token2wav.speaking import Speaking

_Item = tuple[Delta, int] | Exception | None


class Delivery:
    """Runs one generation in a thread, speaks what it says in another, and hands over what comes.

    begin: makes the generation; called in its thread
    decoder: speaks; None for an answer without sound
    failed: what a failure is raised as
    """

    def __init__(
        self,
        begin: Callable[[], Generation],
        history: History,
        *,
        decoder: SpeechDecoder | None,
        voice: ReferenceVoice | None,
        seed: int,
        failed: Callable[[Exception], Exception],
    ) -> None:
        self._begin, self._history, self._failed = begin, history, failed
        self._decoder, self._voice, self._seed = decoder, voice, seed
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[_Item] = asyncio.Queue()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        self._reason: Exception | None = None
        self._generation: Generation | None = None
        self._speaking: Speaking | None = None

    def stop(self, reason: Exception | None = None) -> None:
        """Work no further than the present token, then raise the reason from `deltas`. For any thread."""
        self._reason = self._reason or reason
        self._stopping.set()
        if self._generation is not None:
            self._generation.stop()
        speaking = self._speaking
        if speaking is not None:
            speaking.stop()

    def join(self) -> None:
        """Wait until the threads have ended, after `stop`."""
        self._ended.wait()

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Begin; once. When this is closed, the threads have ended, unless the closing itself is cancelled."""
        self._ended.clear()
        thread = threading.Thread(target=self._work, name="step-audio-2", daemon=True)
        thread.start()
        working = True
        try:
            while working:
                item = await self._queue.get()
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    working = False
                else:
                    assert self._generation is not None
                    self._history.take(*item, self._generation)
                    yield item[0]
        finally:
            self.stop()
            if self._generation is not None:
                self._history.interrupt(self._generation)
            while working:
                working = await self._queue.get() is not None
            thread.join()

    def _work(self) -> None:
        try:
            if self._decoder is not None:
                decoder = self._decoder
                self._speaking = Speaking(
                    lambda: decoder.stream(self._voice, seed=self._seed),
                    lambda delta: self._hand((delta, 0)),
                    # An answer that cannot be heard is not worth finishing.
                    lambda failure: self.stop(self._failed(failure)),
                )
            self._generation = self._begin()
            end = None if self._stopping.is_set() else self._generation.run(self._emit)
            if end is None:
                self._hand(self._reason)
            else:
                if self._speaking is not None:
                    self._speaking.finish()
                self._hand(self._reason or (end, len(self._generation.generated)))
        except Exception as failure:
            self._hand(self._failed(failure))
        finally:
            if self._speaking is not None:
                self._speaking.stop()
                self._speaking.join()
                self._speaking = None  # it refers back to this, and to the weights
            self._hand(None)
            self._ended.set()

    def _emit(self, delta: AnswerDelta, count: int) -> None:
        self._hand((delta, count))
        if self._speaking is not None and isinstance(delta, TokensDelta):
            self._speaking.say(delta.tokens.ids)

    def _hand(self, item: _Item) -> None:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
        except RuntimeError:  # the loop is gone, and with it whoever listened
            self.stop()


class History:
    """Tells the prompt builder which ids an answer was made of, as far as it was handed over."""

    def __init__(self, prompts: PromptBuilder, lock: threading.Lock) -> None:
        self._prompts, self._lock = prompts, lock
        self._said = Said()
        self._count = 0
        self._told = False

    def take(self, delta: Delta, count: int, generation: Generation) -> None:
        """A delta that was handed over, and the number of ids up to it."""
        if isinstance(delta, AudioDelta):
            return
        if isinstance(delta, CallDelta):
            self._said.call_ids.append(delta.call.id)
        elif isinstance(delta, End):
            if generation.whole:
                self._tell(generation, count)
            self._told = True
        elif not self._said.call_ids:
            self._count = count
        if isinstance(delta, TextDelta):
            self._said.text += delta.text
        elif isinstance(delta, TokensDelta):
            self._said.codes += delta.tokens.ids

    def interrupt(self, generation: Generation) -> None:
        """An answer that is broken off stays in the conversation without its calls."""
        if not self._told and self._said.text.strip() and not self._said.call_ids:
            self._tell(generation, self._count)
        self._told = True

    def _tell(self, generation: Generation, count: int) -> None:
        said = self._said
        with self._lock:
            self._prompts.remember(
                generation.prompt,
                generation.generated[:count],
                text=said.text,
                codes=said.codes,
                call_ids=said.call_ids,
            )
