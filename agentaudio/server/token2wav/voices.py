"""Voices by the digest of their clip: each clip is sent once, and what is made of it is kept in memory alone."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt
from agentaudio.server.auth import Caller
from agentaudio.server.errors import ApiError
from agentaudio.sound.audio import Audio

MADE_TOGETHER = 2
"""Clips that are prepared at the same time."""
MOST_BYTES = 256 << 20
"""Of prompts; one of 30 s takes half a megabyte."""


class ServedVoices:
    """The timbre prompts of clips, each for the callers who have sent its clip. Thread-safe.

    voices: most voices of a caller; the one that was used least recently makes room
    """

    def __init__(self, decoder: SpeechDecoder, voices: int) -> None:
        self._decoder, self._most = decoder, voices
        self._lock = threading.Lock()
        self._prompts: dict[str, TimbrePrompt] = {}
        self._owned: dict[str, OrderedDict[str, None]] = {}
        self._used: OrderedDict[str, int] = OrderedDict()
        self._making: dict[str, asyncio.Future[TimbrePrompt]] = {}
        self._at_once = asyncio.Semaphore(MADE_TOGETHER)

    async def add(self, caller: Caller, clip: Audio) -> TimbrePrompt:
        """Make the prompt of a clip, or take the one that another caller's clip has made.

        Raises VoiceError for a clip without enough speech.
        """
        digest = clip.sha256
        with self._lock:
            known = self._prompts.get(digest)
        if known is None:
            known = await self._made(digest, clip)
        with self._lock:
            self._prompts[digest] = known
            own = self._owned.setdefault(caller.id, OrderedDict())
            own[digest] = None
            own.move_to_end(digest)
            self._touch(digest)
            while len(own) > self._most:
                own.popitem(last=False)
            self._free()
        return known

    @contextmanager
    def using(self, caller: Caller, digest: str | None) -> Iterator[TimbrePrompt]:
        """The prompt of a voice of `caller`, None for the default voice; it is kept until the block ends.

        Raises ApiError 404 for a voice that the caller has not sent, or that has made room for others.
        """
        if digest is None:
            yield self._decoder.prepare(None)
            return
        with self._lock:
            prompt = self._prompts.get(digest) if digest in self._owned.get(caller.id, ()) else None
            if prompt is None:
                raise unknown_voice()
            self._owned[caller.id].move_to_end(digest)
            self._touch(digest)
            self._used[digest] += 1
        try:
            yield prompt
        finally:
            with self._lock:
                self._used[digest] -= 1
                self._free()

    def has(self, caller: Caller, digest: str) -> bool:
        with self._lock:
            return digest in self._owned.get(caller.id, ()) and digest in self._prompts

    def remove(self, caller: Caller, digest: str) -> bool:
        """Drop a voice of `caller`. Returns whether there was one. An utterance that is being made goes on."""
        with self._lock:
            own = self._owned.get(caller.id)
            if own is None or digest not in own:
                return False
            del own[digest]
            if not own:
                del self._owned[caller.id]
            self._free()
            return True

    def counts(self) -> dict[str, Any]:
        """How many prompts are kept, and the memory that they take."""
        with self._lock:
            return {"voices": len(self._prompts), "bytes": sum(one.nbytes for one in self._prompts.values())}

    async def _made(self, digest: str, clip: Audio) -> TimbrePrompt:
        """Several who send the same clip at the same time wait for the first."""
        if (making := self._making.get(digest)) is not None:
            return await asyncio.shield(making)
        making = self._making[digest] = asyncio.get_running_loop().create_future()
        making.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else may be waiting
        try:
            async with self._at_once:
                prompt = await asyncio.to_thread(self._decoder.make_prompt, ClipVoice(clip, id=digest[:8]))
            making.set_result(prompt)
        except BaseException as error:
            making.set_exception(error if isinstance(error, Exception) else ApiError(503, "send the clip again"))
            raise
        finally:
            del self._making[digest]
        return prompt

    def _touch(self, digest: str) -> None:
        self._used.setdefault(digest, 0)
        self._used.move_to_end(digest)

    def _free(self) -> None:
        """Drop the prompts that nobody owns, and beyond MOST_BYTES the least recently used, unless they are in use."""
        owned = {digest for own in self._owned.values() for digest in own}
        kept = sum(prompt.nbytes for prompt in self._prompts.values())
        for digest in list(self._used):
            if self._used[digest] or (digest in owned and kept <= MOST_BYTES):
                continue
            prompt = self._prompts.pop(digest)
            del self._used[digest]
            kept -= prompt.nbytes
            self._decoder.forget(prompt)
            for own in self._owned.values():
                own.pop(digest, None)


def unknown_voice() -> ApiError:
    problem = "this voice is not stored here, or was dropped; send its clip with PUT /v1/token2wav/voices/{sha256}"
    return ApiError(404, problem, code="voice_not_found", param="voice")
