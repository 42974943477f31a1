"""`Records`: what a store asks of a database. `TurnRow` and `SessionRow`: what is kept there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agentaudio.storage.hold import Hold


@dataclass(frozen=True, slots=True)
class TurnRow:
    """A turn, as it is stored.

    number: in its session, from 1
    at: when it ended, UTC, ISO 8601
    stop, model, voice, voices, error, usage, timings, used: as in TurnEnd
    messages: JSON list, in the format of agentaudio.wire
    sounds: names of the sound files that the messages name
    """

    number: int
    at: str
    stop: str
    model: str
    messages: str
    sounds: tuple[str, ...] = ()
    voice: str | None = None
    voices: tuple[str, ...] = ()
    error: str | None = None
    usage: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    used: Mapping[str, float] = field(default_factory=dict)

    def counts(self) -> str:
        """The JSON list of usage, timings and, where it is known, what the session has used."""
        return json.dumps([dict(self.usage), dict(self.timings), *([dict(self.used)] if self.used else [])])


@dataclass(frozen=True, slots=True)
class Correction:
    """New messages of a turn that is stored already, as in TurnRow.

    messages: None removes the turn
    stop: None leaves it as it is
    """

    number: int
    messages: str | None
    sounds: tuple[str, ...] = ()
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session, as it is listed.

    speaker: whom it belongs to; None when nobody was named
    begun, changed: when its first turn ended, and when it was last written; UTC, ISO 8601
    model, voice: of its last turn
    """

    id: str
    speaker: str | None
    begun: str
    changed: str
    turns: int
    model: str
    voice: str | None


class Records(Protocol):
    """A database of sessions. Its methods block; those that read and those that write are called from two threads.

    All raise StorageError when the database cannot be reached, read or written, or has another format. A write is
    done wholly or not at all.
    """

    place: str
    """What error messages call it."""

    def hold(self, id: str) -> Hold:
        """Reserve a session for this process. Raises SessionInUse while it is reserved."""

    def session(self, id: str) -> SessionRow | None:
        """The session of that id."""

    def sessions(self) -> list[SessionRow]:
        """All sessions, the latest change first."""

    def turns(self, id: str, last: int | None = None) -> list[TurnRow]:
        """The turns of a session in order; the last ones when `last` is given."""

    def write(
        self, id: str, speaker: str | None, turns: Sequence[TurnRow | Correction], sounds: Mapping[str, bytes]
    ) -> None:
        """Store turns; a TurnRow replaces one of that number, a Correction of an erased turn does nothing.

        sounds: content of sound files, by name
        """

    def settle(self) -> None:
        """Let what was written survive a power cut, if `write` did not."""

    def sound(self, name: str) -> bytes | None:
        """The content of a sound file; None when there is none."""

    def erase(self, id: str) -> bool:
        """Delete a session with its sound. Returns whether there was one."""

    def erase_speaker(self, speaker: str) -> int:
        """Delete the sessions of a speaker. Returns how many."""

    def erase_voice(self, voice: str) -> int:
        """Delete the turns in which this voice was heard. Returns how many."""

    def erase_before(self, at: str) -> int:
        """Delete the turns that ended before this time. Returns how many."""

    def voices(self) -> list[str]:
        """Ids of the voices that were heard in stored turns."""

    def tidy(self) -> None:
        """Delete what killed processes left; called once, before the first use."""

    def close(self) -> None:
        """Close the connections."""
