"""Timbre prompts that are made once per voice, and kept in memory and beside the voice."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agentaudio.errors import AudioError, OptionError, VoiceError
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt
from agentaudio.sound.audio import Audio

log = logging.getLogger(__name__)

MOST_PROMPTS = 256
MOST_BYTES = 64 << 20
"""About 130 prompts of 30 s, or 800 of 5 s."""

Signature = tuple[int, int, int]
Place = Callable[[ReferenceVoice], Path | None]


class Maker(Protocol):
    """What a cache needs of a `PromptMaker`."""

    @property
    def fingerprint(self) -> str:
        """What a kept prompt must have been made by."""

    def make(self, clip: Audio, *, transcript: str = "", voice_id: str = "") -> TimbrePrompt:
        """The timbre prompt of a clip."""


@dataclass(frozen=True, slots=True)
class _Kept:
    prompt: TimbrePrompt
    path: Path | None
    signature: Signature | None  # of the file when the prompt was read or written; None without one


class PromptCache:
    """Timbre prompts by clip: a bounded memory over files over a maker. Thread-safe.

    maker: makes what is not there
    place: the folder that keeps `<clip hash>.timbre.safetensors`, or a function that tells the file of
        a voice, None for a voice that has none (a voice library has names and rules of its own); None
        keeps prompts in memory only
    most_prompts, most_bytes: what memory holds; the least recently used go first
    dropped: told of each prompt that leaves memory, so that what was made of it can go too

    A file that is cut short, changed, of another clip or made by other networks is not used but made
    again, and one that changed or went since it was read is not trusted to memory either: when a voice
    is revoked, its file goes, and whoever uses the cache next clears it from memory.
    """

    def __init__(
        self,
        maker: Maker,
        place: Path | Place | None = None,
        *,
        most_prompts: int = MOST_PROMPTS,
        most_bytes: int = MOST_BYTES,
        dropped: Callable[[TimbrePrompt], None] | None = None,
    ) -> None:
        if most_prompts < 1 or most_bytes < 1:
            raise OptionError(f"a cache of {most_prompts} prompts and {most_bytes} bytes holds nothing; give 1 or more")
        self._maker, self._place, self._dropped = maker, place, dropped
        self._most_prompts, self._most_bytes = most_prompts, most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._making: dict[str, Future[_Kept]] = {}

    def get(self, voice: ReferenceVoice) -> TimbrePrompt:
        """The prompt of a voice: from memory, else from its file, else made now and kept.

        However many threads ask at once, it is made once; the others wait for it.
        Raises what `PromptMaker.make` raises; a failure is not remembered.
        """
        clip = voice.clip
        key = clip.sha256
        path = self._path(voice, key)
        with self._lock:
            self._drop_orphans()
            kept = self._kept.get(key)
            if kept and kept.signature == _signature(path):
                self._kept.move_to_end(key)
                return _named(kept.prompt, voice)
            if kept:
                self._drop(key)
            future = self._making.get(key)
            mine = future is None
            if future is None:
                future = self._making[key] = Future()
        if mine:
            self._fulfil(future, key, path, clip, voice)
        return _named(future.result().prompt, voice)

    def forget(self, voice: ReferenceVoice) -> None:
        """Drop the prompt of a voice from memory, and delete its file where there is one.

        Raises VoiceError when the file cannot be deleted.
        """
        key = voice.clip.sha256
        with self._lock:
            self._drop(key)
        path = self._path(voice, key)
        if path is not None:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise VoiceError(f"cannot delete the timbre prompt {path}: {error.strerror}; delete it") from None

    def __len__(self) -> int:
        """How many prompts memory holds."""
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """What the prompts in memory take."""
        return self._bytes

    def _fulfil(self, future: Future[_Kept], key: str, path: Path | None, clip: Audio, voice: ReferenceVoice) -> None:
        try:
            kept = self._read(path, key) or self._made(path, clip, voice)
        except BaseException as error:
            with self._lock:
                del self._making[key]
            future.set_exception(error)
        else:
            with self._lock:
                self._keep(key, kept)
                del self._making[key]
            future.set_result(kept)

    def _read(self, path: Path | None, key: str) -> _Kept | None:
        """What the file holds, when that can be believed and is what would be made."""
        signature = _signature(path)
        if path is None or signature is None:
            return None
        try:
            prompt = TimbrePrompt.load(path)
        except VoiceError as error:
            log.warning("%s", error)
            return None
        if prompt.clip_hash != key:
            log.warning("the timbre prompt %s is of another clip, and is made again", path)
            return None
        return _Kept(prompt, path, signature) if prompt.made_by == self._maker.fingerprint else None

    def _made(self, path: Path | None, clip: Audio, voice: ReferenceVoice) -> _Kept:
        prompt = self._maker.make(clip, transcript=voice.transcript, voice_id=voice.id)
        for warning in prompt.warnings:
            log.warning("voice %r: %s", voice.id, warning)
        if path is not None:
            if self._path(voice, path.name.partition(".")[0]) is None:
                raise VoiceError(f"voice {voice.id!r} was taken back while it was prepared; choose another one")
            try:
                prompt.save(path)
            except AudioError as error:  # a library may be read-only; memory serves as well
                log.info("the timbre prompt of voice %r is kept in memory only: %s", voice.id, error)
        return _Kept(prompt, path, _signature(path))

    def _path(self, voice: ReferenceVoice, key: str) -> Path | None:
        if callable(self._place):
            return self._place(voice)
        return None if self._place is None else self._place / f"{key}.timbre.safetensors"

    def _keep(self, key: str, kept: _Kept) -> None:
        self._drop(key)
        self._kept[key] = kept
        self._bytes += kept.prompt.nbytes
        while len(self._kept) > self._most_prompts or self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop_orphans(self) -> None:
        gone = [key for key, kept in self._kept.items() if kept.signature and _signature(kept.path) is None]
        for key in gone:
            self._drop(key)

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept:
            self._bytes -= kept.prompt.nbytes
            if self._dropped is not None:
                self._dropped(kept.prompt)


def _named(prompt: TimbrePrompt, voice: ReferenceVoice) -> TimbrePrompt:
    """The prompt as this voice's: voices may share a clip, and a transcript may be corrected later."""
    if (prompt.voice_id, prompt.transcript) == (voice.id, voice.transcript):
        return prompt
    return dataclasses.replace(prompt, voice_id=voice.id, transcript=voice.transcript)


def _signature(path: Path | None) -> Signature | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
