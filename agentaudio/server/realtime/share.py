"""`Share`: what one response adds to the conversation, its calls on the server included, and how much was heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from agentaudio.conversation import Message, Part, SpeechPart, ToolCall, with_sound_aside
from agentaudio.playback import SpokenStep
from agentaudio.server.realtime import items
from agentaudio.sound.aside import SoundsAside
from agentaudio.sound.audio import Audio
from agentaudio.text.cutting import whole_words

Kept = list[tuple[int, tuple[Part, ...]]]
"""The messages of a turn: number of the generation that made each, 0 for results of tools, and its parts."""


@dataclass(eq=False, slots=True)
class Spoken:
    """A message of the assistant while it is made, and how much of it was heard.

    step: number of its generation in the turn, from 1; 0 for a notice, which is not part of the conversation
    speed: of its sound against that of the model
    words: all that it says; its item holds those that were heard
    pieces: its words and sound in order; None once it is old
    sent_s: seconds of sound that the client got
    heard_s: seconds of sound that were heard; None for all
    is_deleted: whether the client has deleted it
    cut: what was last made of a part, and for which seconds, so that the same question has the same answer
    """

    item: items.Message
    step: int
    speed: float = 1.0
    words: str = ""
    pieces: SpokenStep | None = field(default_factory=SpokenStep)
    sent_s: float = 0.0
    heard_s: float | None = None
    is_deleted: bool = False
    cut: tuple[SpeechPart, float | None, SpeechPart | None] | None = None

    def add(self, piece: str | Audio) -> None:
        """More words or sound, on their way to the client."""
        assert self.pieces is not None and self.item.said is not None
        self.pieces.add(piece)
        if isinstance(piece, str):
            self.words += piece
            self.item.said += piece

    def close(self, *, complete: bool) -> None:
        """Nothing more of it comes. complete: nothing of it is missing"""
        assert self.pieces is not None
        self.pieces.complete = complete

    def hear(self, seconds: float) -> float:
        """Note how much was heard: more than was sent counts as all of it. Returns the seconds that count.

        A message without sound is read, and stays whole.
        """
        if not self.item.sound:
            return 0.0
        self.heard_s = seconds = min(seconds, self.sent_s)
        found = self.kept()
        self.item.said = "" if found is None else found.text
        self.item.status = "completed" if found is not None and not found.interrupted else "incomplete"
        return seconds

    def kept(self, whole: SpeechPart | None = None) -> SpeechPart | None:
        """What the conversation keeps of it; None for nothing.

        whole: what the session's conversation holds of it, with its tokens; None before its turn has ended
        """
        whole = whole or SpeechPart(self.words)
        if self.is_deleted:
            return None
        if self.pieces is None:
            return self._old(whole)
        if self.heard_s is None and self.pieces.complete:
            return whole
        if self.cut is None or self.cut[0] is not whole or self.cut[1] != self.heard_s:
            self.cut = whole, self.heard_s, self._heard(self.pieces, whole)
        return self.cut[2]

    def _heard(self, pieces: SpokenStep, whole: SpeechPart) -> SpeechPart | None:
        found = pieces.heard(self.heard_s)
        if found is None:
            return None
        if not found.interrupted:
            return whole
        tokens = whole.tokens
        if tokens is not None and found.cut_s is not None:
            tokens = tokens.until(found.cut_s * self.speed)
        return replace(found, tokens=tokens)

    def set_aside(self, aside: SoundsAside, moved: Callable[[Part], Part]) -> None:
        """Put its sound into a file. moved: takes a part of the response to that with its sound there"""
        if self.pieces is not None:
            self.pieces.set_aside(aside)
        if self.cut is not None:
            whole, heard_s, part = self.cut
            self.cut = _speech(moved(whole)), heard_s, None if part is None else _speech(moved(part))

    def age(self, kept: SpeechPart) -> None:
        """Let go of its sound. kept: what is left of it"""
        self.pieces, self.heard_s, self.cut = None, None, None
        self.sent_s = self.sent_s if kept.cut_s is None else kept.cut_s

    def _old(self, whole: SpeechPart) -> SpeechPart | None:
        if self.heard_s is None or self.heard_s >= self.sent_s:
            return whole
        text = whole_words(whole.text, int(len(whole.text) * self.heard_s / self.sent_s))
        tokens = None if whole.tokens is None else whole.tokens.until(self.heard_s * self.speed)
        return SpeechPart(text, tokens=tokens, interrupted=True, cut_s=self.heard_s) if text else None


class Share:
    """The messages of one response. Until its turn has ended, they are known by its items alone.

    spoken: its messages, in order
    calls: its calls that the client runs, by the id of the item
    turn: its number in the conversation; 0 until it begins
    """

    def __init__(self) -> None:
        self.turn = 0
        self.spoken: list[Spoken] = []
        self.calls: dict[str, tuple[items.FunctionCall, ToolCall]] = {}
        self._kept: Kept | None = None
        self._deleted_calls: set[str] = set()

    @property
    def is_collected(self) -> bool:
        """Whether its turn has ended, so that all its messages are known."""
        return self._kept is not None

    @property
    def item_ids(self) -> set[str]:
        """The items that stand for parts of this share."""
        return {one.item.id for one in self.spoken} | set(self.calls)

    def collect(self, messages: Sequence[Message]) -> None:
        """Take the messages of the turn that has ended, without what the user said. A second time does nothing."""
        if self._kept is not None:
            return
        self._kept, step = [], 0
        for message in messages:
            if message.role == "assistant":
                step += 1
                self._kept.append((step, message.parts))
            elif message.role == "tool":
                self._kept.append((0, message.parts))

    def hear(self, item_id: str, seconds: float) -> float | None:
        """Keep what was heard of a message; what comes after it in the response was not heard then.

        Returns the seconds that count, or None when the item is not one of its messages.
        """
        at = next((at for at, one in enumerate(self.spoken) if one.item.id == item_id), None)
        if at is None:
            return None
        seconds = self.spoken[at].hear(seconds)
        if self.spoken[at].item.status == "incomplete":
            for later in self.spoken[at + 1 :]:
                later.hear(0.0)
        return seconds

    def hear_until(self, seconds: float) -> None:
        """Keep what was heard in the first seconds of the response's sound."""
        for one in self.spoken:
            one.hear(seconds)
            seconds = max(0.0, seconds - one.sent_s)

    def remove(self, item_id: str) -> None:
        """Forget an item, which the client has deleted. Its turn may still be speaking it."""
        for one in self.spoken:
            if one.item.id == item_id:
                one.is_deleted = True
        if (found := self.calls.pop(item_id, None)) is not None:
            self._deleted_calls.add(found[1].id)

    def set_aside(self, aside: SoundsAside) -> None:
        """Put the sound of a response that is not among the latest into a file."""
        if self._kept is None:
            return
        known: dict[int, Part] = {}

        def moved(part: Part) -> Part:
            return known.setdefault(id(part), with_sound_aside(part, aside))

        for one in self.spoken:
            one.set_aside(aside, moved)
        self._kept = [(step, tuple(moved(part) for part in parts)) for step, parts in self._kept]

    def age(self) -> None:
        """Let go of the sound of an old response."""
        if self._kept is None:
            return
        kept: Kept = []
        for step, parts in self._kept:
            shown = self._shown(step, parts)
            for one in self._of_step(step):
                one.age(next((part for part in shown if isinstance(part, SpeechPart)), SpeechPart("")))
            kept.append((step, tuple(replace(p, audio=None) if isinstance(p, SpeechPart) else p for p in shown)))
        self._kept = kept

    def messages(self) -> Iterable[tuple[Part, ...]]:
        """The parts of its messages, in order. Calls without an output are those that the client runs."""
        if self._kept is not None:
            return [self._shown(step, parts) for step, parts in self._kept]
        said = [(part,) for one in self.spoken if one.step and (part := one.kept())]
        calls = tuple(call for _, call in self.calls.values())
        return [*(parts for parts in said if parts[0].text), *([calls] if calls else [])]

    def _shown(self, step: int, parts: Sequence[Part]) -> tuple[Part, ...]:
        return tuple(self._parts(step, parts))

    def _parts(self, step: int, parts: Sequence[Part]) -> Iterator[Part]:
        for part in parts:
            if isinstance(part, SpeechPart):
                yield from self._heard(step, part)
            elif not isinstance(part, ToolCall) or part.id not in self._deleted_calls:
                yield part

    def _heard(self, step: int, whole: SpeechPart) -> Iterator[SpeechPart]:
        """What was heard of the speech of a generation. What no message holds did not reach the client."""
        spoken = self._of_step(step)
        if len(spoken) > 1:  # a notice came between
            for one in spoken:
                if (part := one.kept()) is not None:
                    yield part
        elif spoken and (part := spoken[0].kept(whole)) is not None:
            yield part

    def _of_step(self, step: int) -> list[Spoken]:
        return [one for one in self.spoken if one.step == step > 0]


def _speech(part: Part) -> SpeechPart:
    assert isinstance(part, SpeechPart)
    return part
