"""`History`: the items of a session in order, and the conversation that the agent reads in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, takewhile
from typing import Any

from agentaudio.conversation import (
    AudioPart,
    Conversation,
    Part,
    SpeechPart,
    TextPart,
    ToolCall,
    ToolOutput,
    with_sound_aside,
)
from agentaudio.conversation import Message as ConversationMessage
from agentaudio.model.call_arguments import read_arguments
from agentaudio.server.realtime.items import FunctionCall, FunctionOutput, Item, Message, text_length
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.server.realtime.share import Share
from agentaudio.setup import RECENT_TURNS
from agentaudio.sound.aside import SoundsAside
from agentaudio.sound.audio import Audio
from agentaudio.tools.execution import without_result

SOUND_KEPT = 20
"""Responses and user turns whose sound is kept; of older ones the words are, where they are known."""
LOST = "(The sound of what the user said here was not kept.)"
NOTHING_SAID = "(The user has not said anything yet.)"


class History:
    """The items, and where each response stands among them.

    most: number of items that it takes
    text_chars: of all items together
    sound_s: of the user whose sound is kept; of older ones the words are, where they are known
    """

    def __init__(self, most: int, *, text_chars: int, sound_s: float) -> None:
        self._most, self._text_chars, self._sound_s = most, text_chars, sound_s
        self._lengths: dict[str, int] = {}
        self._entries: list[Item | Share] = []
        self._aside = SoundsAside()
        self._items: dict[str, Item] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return (one for one in self._entries if not isinstance(one, Share))

    def get(self, item_id: Any) -> Item | None:
        return self._items.get(item_id) if isinstance(item_id, str) else None

    def append(self, item: Item) -> str | None:
        """Add an item of the conversation itself at the end, which pushes out the oldest ones where there are too many.

        Returns the id of the item before it.
        """
        while len(self._items) >= self._most:
            oldest = self._entries.pop(0)
            if not isinstance(oldest, Share):
                del self._items[oldest.id], self._lengths[oldest.id]
        return self._insert(item, len(self._entries))

    def add(self, item: Item, previous_id: str | None = None) -> str | None:
        """Add an item of the client at the end, or after another; "root" is the beginning.

        Returns the id of the item before it. Raises Refusal for an id that is there already, an unknown one before
        it, and too many items.
        """
        if item.id in self._items:
            raise Refusal(
                f"An item with the id '{item.id}' exists already.",
                code="item_create_duplicate_item_id",
                param="item.id",
            )
        chars = sum(self._lengths.values())
        if len(self._items) >= self._most or chars + text_length(item) > self._text_chars:
            raise Refusal(
                f"The conversation has {len(self._items)} items with {chars} characters; this server keeps "
                f"{self._most} items and {self._text_chars} characters. Delete some first.",
                code="conversation_too_long", param="item",
            )  # fmt: skip
        if previous_id is None:
            place = len(self._entries)
        elif previous_id == "root":
            place = 0
        elif (before := self._items.get(previous_id)) is not None:
            place = next(at for at, one in enumerate(self._entries) if one is before) + 1
        else:
            raise Refusal(
                f"There is no item '{previous_id[:60]}' after which to put the new one.",
                code="item_create_invalid_previous_item_id", param="previous_item_id",
            )  # fmt: skip
        return self._insert(item, place)

    def _insert(self, item: Item, place: int) -> str | None:
        self._entries.insert(place, item)
        self._items[item.id] = item
        self._lengths[item.id] = text_length(item)
        if isinstance(item, Message) and item.role == "user":
            self._age_users()
        return next((one.id for one in reversed(self._entries[:place]) if not isinstance(one, Share)), None)

    def before(self, item_id: str) -> str | None:
        """The id of the item before an item; None for the first."""
        before = None
        for item in self:
            if item.id == item_id:
                return before
            before = item.id
        return before

    def begin(self, share: Share) -> None:
        """A response begins here."""
        self._entries.append(share)
        self._age()

    def delete(self, item_id: str) -> None:
        """Raises Refusal for an unknown item."""
        item = self._items.pop(item_id, None)
        if item is None:
            raise Refusal(
                f"There is no item '{item_id[:60]}' to delete.", code="item_delete_invalid_item_id", param="item_id"
            )
        del self._lengths[item_id]
        self._entries = [one for one in self._entries if one is not item]
        for share in self._shares():
            share.remove(item_id)

    def said(self, item_id: str) -> Message:
        """A message of the assistant. Raises Refusal for an unknown item, and for another one."""
        item = self._items.get(item_id)
        if isinstance(item, Message) and item.role == "assistant":
            return item
        what = "There is no item" if item is None else "Only messages of the assistant can be cut; this is not one:"
        raise Refusal(f"{what} '{item_id[:60]}'.", code="item_truncate_invalid_item_id", param="item_id")

    def cut(self, item: Message, seconds: float) -> float:
        """Keep what was heard of a message of the assistant. Returns the seconds of it that count as heard.

        More than was sent counts as all of it, and what has no sound stays whole.
        """
        heard = (share.hear(item.id, seconds) for share in self._shares())
        return next((one for one in heard if one is not None), 0.0)

    def heard(self, text: str) -> Message | None:
        """Note what the model has heard in the latest sound of the user; returns its item.

        Sounds of the user right before it were heard as one with it, so their words are in `text`.
        """
        latest = None
        for item in reversed(list(self)):
            if not isinstance(item, Message) or item.role != "user":
                if latest is not None:
                    break
                continue
            unheard = any(isinstance(part, AudioPart) and part.transcript is None for part in item.parts)
            if not unheard:
                break
            words = text if latest is None else ""
            item.parts = [AudioPart(part.audio, words) if isinstance(part, AudioPart) else part for part in item.parts]
            latest = latest or item
        return latest

    @property
    def last(self) -> Item | None:
        """The last item."""
        return next(reversed(list(self)), None)

    @property
    def new_results(self) -> int:
        """Number of results of calls at the end, which nothing has answered yet."""
        return sum(1 for _ in takewhile(lambda item: isinstance(item, FunctionOutput), reversed(list(self))))

    @property
    def open_calls(self) -> list[FunctionCall]:
        """The calls of the latest response that the client has not answered yet."""
        answered = {one.call_id for one in self if isinstance(one, FunctionOutput)}
        latest = next((share for share in reversed(self._shares()) if share.calls), None)
        return [] if latest is None else [one for one, _ in latest.calls.values() if one.call_id not in answered]

    def conversation(self, instructions: str, *, turn: int = 0, chosen: list[Item] | None = None) -> Conversation:
        """What the agent reads.

        turn: that will answer it; 0 numbers no turns
        chosen: other items in place of those of the session
        """
        return _Reading(instructions, self._entries if chosen is None else list(chosen), turn).conversation

    def ended(self) -> dict[int, list[ConversationMessage]]:
        """The messages of all turns that have ended, by the number of the turn."""
        turns: dict[int, list[ConversationMessage]] = {one.turn: [] for one in self._shares() if one.is_collected}
        for message in _Reading("", self._entries, max(turns, default=0) + 1).messages:
            if message.turn in turns:
                turns[message.turn].append(message)
        return turns

    def _shares(self) -> list[Share]:
        return [one for one in self._entries if isinstance(one, Share)]

    def _age(self) -> None:
        shares = self._shares()
        if len(shares) > RECENT_TURNS:
            shares[-RECENT_TURNS - 1].set_aside(self._aside)
        if len(shares) > SOUND_KEPT:
            shares[-SOUND_KEPT - 1].age()

    def _age_users(self) -> None:
        """Let go of the sound of old turns of the user."""
        users, sound_s = 0, 0.0
        for entry in reversed(self._entries):
            if not isinstance(entry, Message) or entry.role != "user":
                continue
            seconds = sum(part.audio.duration for part in entry.parts if isinstance(part, AudioPart))
            if not seconds:
                continue
            users, sound_s = users + 1, sound_s + seconds
            if users > RECENT_TURNS:
                entry.parts = [_own(with_sound_aside(part, self._aside)) for part in entry.parts]
            if sound_s > self._sound_s or users > SOUND_KEPT:
                must = sound_s > self._sound_s and users > 1
                entry.parts = [_without_sound(part, must=must) for part in entry.parts]


def _own(part: Part) -> TextPart | AudioPart:
    assert isinstance(part, TextPart | AudioPart)
    return part


def _without_sound(part: TextPart | AudioPart, *, must: bool) -> TextPart | AudioPart:
    """The words of a part. must: its sound is not kept, also where its words are not known"""
    if isinstance(part, AudioPart) and (part.transcript or must):
        return TextPart(part.transcript or LOST)
    return part


def _turns(entries: list[Item | Share], turn: int) -> list[int]:
    """The turn to which each entry belongs, that which answers it, and `turn` at the end."""
    found = [turn]
    for entry in reversed(entries):
        number = entry.turn if isinstance(entry, Share) else 0
        found.append((number or found[-1]) if turn else 0)
    return found[::-1]


class _Reading:
    """Makes a valid conversation of any list of items: each call has one output, before anything else is said."""

    def __init__(self, instructions: str, entries: list[Item | Share], turn: int) -> None:
        self.conversation = Conversation()
        turns = _turns(entries, turn)
        self._turn = self._next = 0
        if instructions.strip():
            self.conversation.add("system", instructions)
        self._outputs = {one.call_id: one for one in entries if isinstance(one, FunctionOutput)}
        self._users: list[Part] = []
        self._calls: list[tuple[FunctionCall, ToolCall]] = []
        self._ids: set[str] = set()
        owned = {item_id for one in entries if isinstance(one, Share) for item_id in one.item_ids}
        for position, entry in enumerate(entries):
            self._turn, self._next = turns[position], turns[position + 1]
            if isinstance(entry, Share):
                self._share(entry)
            elif entry.id not in owned:
                self._item(entry)
        self._turn = turns[-1]
        self._flush()
        self.messages = list(self.conversation)
        if self.conversation.last_user is None:
            self.conversation.add("user", instructions.strip() or NOTHING_SAID, turn=turns[-1])

    def _item(self, item: Item) -> None:
        match item:
            case Message(role="user", parts=parts):
                self._flush_calls()
                self._users += parts
            case Message(role="assistant", said=str(said)):
                self._flush()
                if said.strip():
                    self.conversation.add("assistant", SpeechPart(said.strip()), turn=self._turn)
            case Message(role=role, parts=parts) if parts:
                self._flush()
                self.conversation.add(role, *parts, turn=self._turn)
            case FunctionCall(call_id=call_id, name=name, arguments=arguments):
                self._flush_users()
                values, _ = read_arguments(arguments)
                self._calls.append((item, ToolCall(call_id, name, values)))
            case FunctionOutput():
                self._flush_calls()

    def _share(self, share: Share) -> None:
        messages = [parts for parts in share.messages() if parts]
        if not messages:
            return
        self._flush()
        wire = {call.id: item.call_id for item, call in share.calls.values()}
        outputs = {part.call_id: part for parts in messages for part in parts if isinstance(part, ToolOutput)}
        for parts in messages:
            said = [part for part in parts if not isinstance(part, ToolOutput)]
            calls = [part for part in said if isinstance(part, ToolCall)]
            if not said:
                continue
            own = {call.id: self._own(call) for call in calls}
            shown = (own[part.id] if isinstance(part, ToolCall) else part for part in said)
            self.conversation.add("assistant", *shown, turn=self._turn)
            found, answers = [], []  # by the turn itself, and later
            for call in calls:
                given = self._outputs.get(wire.get(call.id, ""))
                known = outputs.get(call.id)
                if given is not None:
                    answers.append(ToolOutput(own[call.id].id, call.name, given.output))
                elif known is not None:
                    found.append(replace(known, call_id=own[call.id].id) if own[call.id] is not call else known)
                else:
                    answers.append(without_result(own[call.id]))
            if found:
                self.conversation.add("tool", *found, turn=self._turn)
            if answers:
                self.conversation.add("tool", *answers, turn=self._next)

    def _flush(self) -> None:
        self._flush_users()
        self._flush_calls()

    def _flush_users(self) -> None:
        """What the user said without an answer between is one message, and sound that follows sound one sound."""
        parts, self._users = self._users, []
        joined: list[Part] = []
        for part in parts:
            if isinstance(part, AudioPart) and joined and isinstance(before := joined[-1], AudioPart):
                both = before.transcript, part.transcript
                words = None if None in both else " ".join(filter(None, both))
                joined[-1] = AudioPart(Audio.concat([before.audio, part.audio]), words)
            else:
                joined.append(part)
        if joined:
            self.conversation.add("user", *joined, turn=self._turn)

    def _flush_calls(self) -> None:
        calls, self._calls = self._calls, []
        if not calls:
            return
        own = [self._own(call) for _, call in calls]
        self.conversation.add("assistant", *own, turn=self._turn)
        answers = []
        for (item, _), call in zip(calls, own, strict=True):
            given = self._outputs.get(item.call_id)
            answers.append(without_result(call) if given is None else ToolOutput(call.id, call.name, given.output))
        self.conversation.add("tool", *answers, turn=self._turn)

    def _own(self, call: ToolCall) -> ToolCall:
        """The call with an id that no other one has."""
        free = next(name for n in count() if (name := call.id if n == 0 else f"{call.id}-{n}") not in self._ids)
        self._ids.add(free)
        return call if free == call.id else replace(call, id=free)
