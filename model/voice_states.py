"""`VoiceStates`: what one maker made of reference clips, kept in memory and, where a voice permits it, in files."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from agentaudio.errors import ConsentError, OptionError, VoiceError
from agentaudio.model.speech_lm import ReferenceVoice, VoicePermit

log = logging.getLogger(__name__)

MOST_STATES = 256
MOST_BYTES = 64 << 20


class VoiceState(Protocol):
    """What a maker made of a clip in order to speak in its voice: a timbre prompt, a style, a cache. Immutable."""

    @property
    def nbytes(self) -> int:
        """The memory that it takes, in bytes."""


State = TypeVar("State", bound=VoiceState)
Made = TypeVar("Made", bound=VoiceState, covariant=True)


class StateMaker(Protocol[Made]):
    """Makes voice states of clips. Thread-safe.

    model: names the maker in file names: letters, digits, '.', '_' and '-'
    version: differs whenever the same clip gives another state, spelled in the same letters
    """

    @property
    def model(self) -> str: ...

    @property
    def version(self) -> str: ...

    def make(self, voice: ReferenceVoice) -> Made:
        """The state of the voice's clip; voices with the same clip share it.

        Raises VoiceError for a clip that cannot be used.
        """


class StateFormat(Protocol[State]):
    """How a maker's states are written to files.

    suffix: of the files, with its dot
    """

    @property
    def suffix(self) -> str: ...

    def write(self, state: State, path: Path) -> None:
        """Write a file in one step; missing folders are made. Raises VoiceError when it cannot be written."""

    def read(self, path: Path, *, clip_sha256: str, version: str) -> State:
        """Read a file. Raises VoiceError when it is damaged, or of another clip or version."""


FileSignature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Entry(Generic[State]):
    """A state in memory. signature: of its file when that was read or written; None without a file."""

    state: State
    permit: VoicePermit
    path: Path | None
    signature: FileSignature | None

    @property
    def orphaned(self) -> bool:
        """Whether its file was deleted, or, without a file, its voice may not be used any more."""
        if self.signature is not None:
            return _signature(self.path) is None
        try:
            return self.permit.refusal() is not None
        except VoiceError:  # the library is gone
            return True


class VoiceStates(Generic[State]):
    """The states that one maker made, by clip: a bounded memory, backed by files. Thread-safe.

    maker: makes the states that are neither in memory nor in a file
    files: how states are written to files; None keeps them in memory only
    most_states, most_bytes: bounds of the memory; the least recently used states leave it first
    dropped: called with each state that leaves the memory, so that what depends on it can be freed

    Every `get` asks the voice's permit first, so that a revoked voice is refused although its state
    is in memory, and drops the states whose voices were revoked since. A file that is damaged, of
    another clip, or made by another version of the maker is made again. A file that was changed or
    deleted invalidates the state in memory.

    Raises OptionError for a memory of less than one state or byte.
    """

    def __init__(
        self,
        maker: StateMaker[State],
        files: StateFormat[State] | None = None,
        *,
        most_states: int = MOST_STATES,
        most_bytes: int = MOST_BYTES,
        dropped: Callable[[State], None] | None = None,
    ) -> None:
        if most_states < 1 or most_bytes < 1:
            raise OptionError(f"a memory of {most_states} states and {most_bytes} bytes is empty; give 1 or more")
        self._maker, self._files, self._dropped = maker, files, dropped
        self._most_states, self._most_bytes = most_states, most_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry[State]] = OrderedDict()
        self._bytes = 0
        self._making: dict[str, Future[_Entry[State]]] = {}

    def get(self, voice: ReferenceVoice) -> State:
        """The state of a voice's clip: from memory, else from its file, else made and kept.

        When several threads ask for one clip, it is made once and the others wait. An error reaches
        all of them and is not remembered.

        Raises ConsentError when the voice may not be used, and what the maker's `make` raises.
        """
        permit = voice.permit
        refuse_without_permission(voice)
        key = voice.clip.sha256
        path = self._path(permit)
        with self._lock:
            self._drop_orphans()
            entry = self._entries.get(key)
            if entry and entry.signature == _signature(path):
                self._entries.move_to_end(key)
                return entry.state
            if entry:
                self._drop(key)
            future = self._making.get(key)
            mine = future is None
            if future is None:
                future = self._making[key] = Future()
        if mine:
            self._fulfil(future, key, path, voice)
        try:
            return future.result().state
        except ConsentError:
            if mine:
                raise
        # Another voice with this clip was revoked while its thread made the state; this voice has its own permit.
        return self.get(voice)

    def __len__(self) -> int:
        """The number of states in memory."""
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        """The memory that they take, in bytes."""
        return self._bytes

    def _fulfil(self, future: Future[_Entry[State]], key: str, path: Path | None, voice: ReferenceVoice) -> None:
        try:
            entry = self._read(path, key, voice.permit) or self._make(path, voice)
        except BaseException as error:
            with self._lock:
                del self._making[key]
            future.set_exception(error)
        else:
            with self._lock:
                self._keep(key, entry)
                del self._making[key]
            future.set_result(entry)

    def _path(self, permit: VoicePermit) -> Path | None:
        if self._files is None:
            return None
        return permit.state_path(self._maker.model, self._maker.version, self._files.suffix)

    def _read(self, path: Path | None, key: str, permit: VoicePermit) -> _Entry[State] | None:
        signature = _signature(path)
        if self._files is None or path is None or signature is None:
            return None
        try:
            state = self._files.read(path, clip_sha256=key, version=self._maker.version)
        except VoiceError as error:
            log.warning("%s; it is made again", error)
            return None
        return _Entry(state, permit, path, signature)

    def _make(self, path: Path | None, voice: ReferenceVoice) -> _Entry[State]:
        state, permit = self._maker.make(voice), voice.permit
        refuse_without_permission(voice)
        if self._files is not None and path is not None:
            try:
                self._files.write(state, path)
            except VoiceError as error:  # the folder may be read-only
                log.info("what %s made of voice %r is kept in memory only: %s", self._maker.model, voice.id, error)
            try:
                # A revocation deletes the files that it finds. Asking again after writing leaves no gap.
                refuse_without_permission(voice)
            except VoiceError:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
                raise
        return _Entry(state, permit, path, _signature(path))

    def _keep(self, key: str, entry: _Entry[State]) -> None:
        self._drop(key)
        self._entries[key] = entry
        self._bytes += entry.state.nbytes
        while len(self._entries) > self._most_states or self._bytes > self._most_bytes:
            self._drop(next(iter(self._entries)))

    def _drop_orphans(self) -> None:
        for key in [key for key, entry in self._entries.items() if entry.orphaned]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry:
            self._bytes -= entry.state.nbytes
            if self._dropped is not None:
                self._dropped(entry.state)


def refuse_without_permission(voice: ReferenceVoice) -> None:
    """Raises ConsentError when a voice may not be used, and VoiceError when its card cannot be read."""
    refusal = voice.permit.refusal()
    if refusal is not None:
        raise ConsentError(f"voice {voice.id!r} may not be spoken in: {refusal}; choose another voice")


def _signature(path: Path | None) -> FileSignature | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
