"""Carries one answer from the threads that make it to the event loop that awaits it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable

from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, End, ReferenceVoice, TextDelta, TokensDelta
from agentaudio.model.step_audio_2.decoding.generation import Generation
from agentaudio.model.step_audio_2.language.answer import AnswerDelta, Said
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder
from agentaudio.model.step_audio_2.token2wav.speaking import Speaking, VoiceMaker

_Item = tuple[Delta, int] | Exception | None


class Delivery:
    """Runs one generation in a thread, makes its sound in another, and yields the deltas of both.

    begin: makes the generation; called in its thread
    history: learns which deltas were consumed
    decoder: makes sound of speech tokens; None for an answer without sound
    voice, seed: of the sound
    as_model_error: turns a failure into the exception that `deltas` raises
    """

    def __init__(
        self,
        begin: Callable[[], Generation],
        history: History,
        *,
        decoder: VoiceMaker | None,
        voice: ReferenceVoice | None,
        seed: int,
        as_model_error: Callable[[Exception], Exception],
    ) -> None:
        self._begin = begin
        self._history = history
        self._decoder = decoder
        self._voice = voice
        self._seed = seed
        self._as_model_error = as_model_error
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[_Item] = asyncio.Queue()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        self._reason: Exception | None = None
        self._generation: Generation | None = None
        self._speaking: Speaking | None = None

    def stop(self, reason: Exception | None = None) -> None:
        """Stop after the pass that is running, from any thread; `deltas` then raises `reason`, if there is one."""
        self._reason = self._reason or reason
        self._stopping.set()
        if self._generation is not None:
            self._generation.stop()
        speaking = self._speaking
        if speaking is not None:
            speaking.stop()

    def join(self) -> None:
        """Wait for the threads to end, after `stop`."""
        self._ended.wait()

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """The deltas of the answer; to be called once.

        Closing the generator stops the threads and waits for them, unless the closing is itself cancelled.

        Raises what the threads raise, by way of `as_model_error`.
        """
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
                    # Without its sound the rest of the answer is useless.
                    lambda failure: self.stop(self._as_model_error(failure)),
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
            self._hand(self._as_model_error(failure))
        finally:
            if self._speaking is not None:
                self._speaking.stop()
                self._speaking.join()
                # It refers back to this object and to the weights.
                self._speaking = None
            self._hand(None)
            self._ended.set()

    def _emit(self, delta: AnswerDelta, count: int) -> None:
        self._hand((delta, count))
        if self._speaking is not None and isinstance(delta, TokensDelta):
            self._speaking.say(delta.tokens.ids)

    def _hand(self, item: _Item) -> None:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
        except RuntimeError:
            # The event loop was closed, so the deltas are no longer awaited.
            self.stop()


class History:
    """Stores the ids of one answer in the prompt builder, as far as its deltas were consumed.

    lock: held while the prompt builder is used
    """

    def __init__(self, prompts: PromptBuilder, lock: threading.Lock) -> None:
        self._prompts = prompts
        self._lock = lock
        self._said = Said()
        self._count = 0
        self._stored = False

    def take(self, delta: Delta, count: int, generation: Generation) -> None:
        """Note a delta that was consumed. count: generated ids up to and including it"""
        if isinstance(delta, AudioDelta):
            return
        if isinstance(delta, CallDelta):
            self._said.call_ids.append(delta.call.id)
        elif isinstance(delta, End):
            if generation.whole:
                self._store(generation, count)
            self._stored = True
        elif not self._said.call_ids:
            self._count = count
        if isinstance(delta, TextDelta):
            self._said.text += delta.text
        elif isinstance(delta, TokensDelta):
            self._said.codes += delta.tokens.ids

    def interrupt(self, generation: Generation) -> None:
        """Store an answer that was broken off. One with calls is not stored: the conversation drops its calls."""
        if not self._stored and self._said.text.strip() and not self._said.call_ids:
            self._store(generation, self._count)
        self._stored = True

    def _store(self, generation: Generation, count: int) -> None:
        said = self._said
        with self._lock:
            self._prompts.remember(
                generation.prompt,
                generation.generated[:count],
                text=said.text,
                codes=said.codes,
                call_ids=said.call_ids,
            )
