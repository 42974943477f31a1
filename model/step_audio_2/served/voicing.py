"""`Voicing`: the sound of one answer, made in a thread, for an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from agentaudio.errors import AgentAudioError, BackendError
from agentaudio.model.speech_lm import AudioDelta, ReferenceVoice
from agentaudio.model.step_audio_2.token2wav.speaking import Speaking, VoiceMaker

ENDS_WITHIN_S = 2.0
"""A chunk that is being made takes less."""


class Voicing:
    """Takes speech codes and hands over their sound. To be made in the event loop.

    hand: called in the loop with each piece of sound, and with the exception that ended it
    """

    def __init__(
        self,
        maker: VoiceMaker,
        voice: ReferenceVoice | None,
        seed: int,
        hand: Callable[[AudioDelta | Exception], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._hand = hand
        self._over = asyncio.Event()
        self._speaking = Speaking(
            lambda: maker.stream(voice, seed=seed),
            self._pass,
            lambda failure: self._pass(_typed(failure)),
            lambda: self._call(self._over.set),
        )

    def say(self, codes: tuple[int, ...]) -> None:
        """Add the next codes."""
        self._speaking.say(codes)

    async def finish(self) -> None:
        """Wait until all sound was handed over, or making it has failed."""
        self._speaking.end()
        await self._over.wait()

    async def close(self) -> None:
        """Stop, and wait for the thread to end; one that still waits for a service ends later, by itself."""
        self._speaking.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDS_WITHIN_S):
                await self._over.wait()

    def _pass(self, item: AudioDelta | Exception) -> None:
        self._call(lambda: self._hand(item))

    def _call(self, work: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            return  # the event loop was closed, so nobody waits


def _typed(failure: Exception) -> Exception:
    if isinstance(failure, AgentAudioError):
        return failure
    typed = BackendError(f"the speech decoder failed: {failure!r}; see `agentaudio doctor`")
    typed.__cause__ = failure
    return typed
