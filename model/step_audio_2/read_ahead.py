"""Reads a prompt into the prefix cache, so that an answer to its continuation begins sooner."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from agentaudio.errors import MissingExtra
from agentaudio.model.step_audio_2.decoding.prefix_cache import PrefixCache
from agentaudio.model.step_audio_2.decoding.runtime import Runtime
from agentaudio.model.step_audio_2.language.segments import Prompt

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error


class Reading:
    """One reading, in a thread of its own.

    prompt: makes it; called in the thread. One that does not fit into the context is not read.
    as_model_error: turns a failure into the exception that `run` raises
    """

    def __init__(
        self,
        prompt: Callable[[], Prompt],
        weights: Runtime,
        kept: PrefixCache,
        as_model_error: Callable[[Exception], Exception],
    ) -> None:
        self._prompt, self._weights, self._kept = prompt, weights, kept
        self._as_model_error = as_model_error
        self._stopping, self._ended = threading.Event(), threading.Event()

    def stop(self, reason: Exception | None = None) -> None:
        """Stop after the pass that is running, from any thread."""
        self._stopping.set()
        self._weights.interrupt()

    def join(self) -> None:
        """Wait for the thread to end, after `stop`."""
        self._ended.wait()

    async def run(self) -> None:
        """Read; to be called once. Cancelling it stops the reading, without waiting for its thread."""
        loop = asyncio.get_running_loop()
        read: asyncio.Future[None] = loop.create_future()

        def settle(failure: Exception | None) -> None:
            if read.cancelled():
                return
            if failure is None:
                read.set_result(None)
            else:
                read.set_exception(failure)

        def work() -> None:
            failure: Exception | None = None
            try:
                self._read()
            except Exception as error:
                failure = self._as_model_error(error)
            finally:
                self._ended.set()
            try:
                loop.call_soon_threadsafe(settle, failure)
            except RuntimeError:
                return  # the event loop was closed, so nobody waits

        threading.Thread(target=work, name="step-audio-2", daemon=True).start()
        try:
            await read
        finally:
            self.stop()

    @torch.inference_mode()
    def _read(self) -> None:
        prompt = self._prompt()
        if len(prompt.ids) >= self._weights.context:
            return
        with self._weights.seat(self._wanted):
            if not self._wanted():
                return
            states = self._kept.take(prompt)
            self._weights.read(prompt, states, self._wanted)
            self._kept.put(states)

    def _wanted(self) -> bool:
        return not self._stopping.is_set()
