"""`PastTurns`: what later requests may refer to. Every caller has a place of its own, and sees no other."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from agentaudio.conversation import Message, Part, SpeechPart, ToolCall, ToolOutput
from agentaudio.server.auth import Caller
from agentaudio.server.settings import ServerSettings
from agentaudio.voice_library.voice import Voice

CALLERS = 1_000
WORDS = 1_000
"""Sounds of a caller whose words are remembered."""


@dataclass(frozen=True)
class PastTurn:
    """What the agent said and did in a turn.

    messages: without their sound
    asked: the voice that the request asked for; None is the agent's own
    voice: in force afterwards, which a tool may have changed
    """

    messages: tuple[Message, ...]
    asked: Voice | None
    voice: Voice | None

    def voice_after(self, asked: Voice | None) -> Voice | None:
        """The voice of the next turn: the one in force, unless the client asks for another than before."""
        return self.voice if asked == self.asked else asked


@dataclass
class _Kept:
    turns: OrderedDict[str, tuple[float, PastTurn]]
    words: OrderedDict[str, tuple[float, str]]


class PastTurns:
    """The latest turns of each caller, by the ids of their audio and of their calls, and the words of sounds.

    A client sends its whole conversation with each request, but of the agent's turns only their audio id or the calls
    that it has run. What the agent's own tools found, and the words that were heard in the user's sounds, are here.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._callers: OrderedDict[str, _Kept] = OrderedDict()

    @property
    def expires_at(self) -> int:
        """When a turn that is kept now expires, in seconds since 1970."""
        return int(time.time() + self._settings.sounds_kept_s)

    def keep(self, caller: Caller, ids: Iterable[str], turn: PastTurn) -> None:
        kept = self._of(caller)
        turn = replace(turn, messages=tuple(_light(message) for message in turn.messages))
        for one in ids:
            kept.turns[one] = time.monotonic() + self._settings.sounds_kept_s, turn
        while len(kept.turns) > self._settings.sounds_kept:
            kept.turns.popitem(last=False)

    def find(self, caller: Caller, wanted: str) -> PastTurn | None:
        """The turn with this audio or call id; None when there is none, or no longer."""
        expires, turn = self._of(caller).turns.get(wanted, (0.0, None))
        return turn if time.monotonic() < expires else None

    def keep_words(self, caller: Caller, digest: str, words: str) -> None:
        """Remember what was heard in a sound. digest: of its bytes"""
        kept = self._of(caller).words
        kept[digest] = time.monotonic() + self._settings.sounds_kept_s, words
        while len(kept) > WORDS:
            kept.popitem(last=False)

    def words(self, caller: Caller, digest: str) -> str | None:
        expires, words = self._of(caller).words.get(digest, (0.0, None))
        return words if time.monotonic() < expires else None

    def _of(self, caller: Caller) -> _Kept:
        kept = self._callers.setdefault(caller.id, _Kept(OrderedDict(), OrderedDict()))
        self._callers.move_to_end(caller.id)
        while len(self._callers) > CALLERS:
            self._callers.popitem(last=False)
        return kept


def renamed(messages: Iterable[Message], names: Mapping[str, str]) -> tuple[Message, ...]:
    """The messages with other ids of calls. names: the new id for an old one"""

    def part(one: Part) -> Part:
        if isinstance(one, ToolCall) and one.id in names:
            return replace(one, id=names[one.id])
        if isinstance(one, ToolOutput) and one.call_id in names:
            return replace(one, call_id=names[one.call_id])
        return one

    return tuple(replace(message, parts=tuple(map(part, message.parts)), turn=0) for message in messages)


def _light(message: Message) -> Message:
    parts = tuple(replace(part, audio=None) if isinstance(part, SpeechPart) else part for part in message.parts)
    return replace(message, parts=parts)
