"""`Share`: what one response adds to the conversation, its calls on the server included, and how much was heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from agentaudio.conversation import AudioPart, Conversation, Message, Part, SpeechPart, ToolCall
from agentaudio.playback import SpokenStep
from agentaudio.server.realtime import items
from agentaudio.sound.audio import Audio
from agentaudio.text.cutting import whole_words


@dataclass(eq=False, slots=True)
class Spoken:
    """A message of the assistant while it is made.

    step: its words and sound; None once it is old
    part: what the conversation holds of it
    cut_s: seconds of it that were heard; None for all
    """

    item: items.Message
    step: SpokenStep | None = field(default_factory=SpokenStep)
    part: SpeechPart | None = None
    is_notice: bool = False
    cut_s: float | None = None

    def add(self, piece: str | Audio) -> None:
        """More words or sound, as the client gets them."""
        assert self.step is not None and self.item.said is not None
        self.step.add(piece)
        if isinstance(piece, str):
            self.item.said += piece
        else:
            self.item.sound_s += piece.duration

    def heard(self, seconds: float) -> SpeechPart | None:
        """What was heard of it in its first seconds; None for nothing."""
        whole = self.part or SpeechPart(self.item.said or "")
        if self.step is not None:
            found = self.step.heard(seconds)
        else:
            share = seconds / self.item.sound_s if self.item.sound_s else 1.0
            text = whole_words(whole.text, int(len(whole.text) * min(1.0, share)))
            found = SpeechPart(text, interrupted=True, cut_s=seconds) if text else None
        if found is not None and found.cut_s is not None and whole.tokens is not None:
            found = replace(found, tokens=whole.tokens.until(found.cut_s))
        return found if found is None or found.cut_s is not None else replace(found, tokens=whole.tokens)


class Share:
    """The messages of one response. Until its turn has ended, they are known by its items alone.

    spoken: its messages, in order
    calls: its calls that the client runs, by the id of the item
    """

    def __init__(self) -> None:
        self.spoken: list[Spoken] = []
        self.calls: dict[str, tuple[items.FunctionCall, ToolCall]] = {}
        self._kept: Conversation | None = None

    @property
    def item_ids(self) -> set[str]:
        """The items that stand for parts of this share."""
        return {one.item.id for one in self.spoken} | set(self.calls)

    def collect(self, messages: Sequence[Message]) -> None:
        """Take the messages of the turn that has ended, without what the user said. A second time does nothing."""
        if self._kept is not None:
            return
        self._kept = Conversation([replace(one, turn=0) for one in messages if one.role in ("assistant", "tool")])
        parts = [part for message in self._kept for part in message.parts if isinstance(part, SpeechPart)]
        said = [one for one in self.spoken if not one.is_notice and (one.item.said or one.item.sound_s)]
        for one, part in zip(said, parts, strict=False):
            one.part = part
            if one.cut_s is not None:
                self._replace(one, one.heard(one.cut_s))

    def cut(self, item_id: str, seconds: float) -> bool:
        """Keep what was heard of a message. Returns False when the item is not one of its messages."""
        one = next((one for one in self.spoken if one.item.id == item_id), None)
        if one is None:
            return False
        if seconds >= one.item.sound_s:
            return True
        one.cut_s = seconds
        found = one.heard(seconds)
        one.item.said = "" if found is None else found.text
        one.item.status = "incomplete"
        self._replace(one, found)
        return True

    def remove(self, item_id: str) -> None:
        """Forget an item, which the client has deleted."""
        for one in self.spoken:
            if one.item.id == item_id:
                self._replace(one, None)
        self.spoken = [one for one in self.spoken if one.item.id != item_id]
        if (found := self.calls.pop(item_id, None)) is not None and self._kept is not None:
            for message in list(self._kept):
                for part in message.parts:
                    if part is found[1] or getattr(part, "call_id", None) == found[1].id:
                        self._kept.replace(part, None)

    def age(self) -> None:
        """Let go of the sound of an old response."""
        for one in self.spoken:
            one.step = None
            if one.part is not None and one.part.audio is not None:
                self._replace(one, replace(one.part, audio=None))

    def messages(self) -> Iterable[tuple[Part, ...]]:
        """The parts of its messages, in order. Calls without an output are those that the client runs."""
        if self._kept is not None:
            return [message.parts for message in self._kept]
        said = [(SpeechPart(one.item.said or ""),) for one in self.spoken if one.item.said and not one.is_notice]
        calls = tuple(call for _, call in self.calls.values())
        return [*said, *([calls] if calls else [])]

    def _replace(self, one: Spoken, part: SpeechPart | None) -> None:
        if self._kept is not None:
            if one.part is not None:
                self._kept.replace(one.part, part)
            elif (
                part is not None
                and not one.is_notice
                and not any(isinstance(other, AudioPart | ToolCall) for other in self._last_parts())
            ):
                self._kept.messages.append(Message("assistant", (part,)))
        one.part = part

    def _last_parts(self) -> tuple[Part, ...]:
        assert self._kept is not None
        return self._kept.messages[-1].parts if self._kept.messages else ()
