"""`Compaction`: what a model sees of a long conversation. The conversation itself keeps everything.

Old answers keep their words and lose their speech tokens, old sound of the user becomes its transcript, and the oldest
exchanges become a summary. A conversation is only cut where a question begins, so no tool result loses its call, and
no answer its question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from agentaudio.conversation import AudioPart, Conversation, Message, Part, SpeechPart, TextPart

Place = tuple[int, int]
"""Names an exchange: the turn in which it begins, and its number among the exchanges that begin in that turn."""

START: Place = (-1, 0)
"""Before every exchange."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """How far a conversation is compacted. Each place is the first exchange that is left as it is.

    Places stay valid when later exchanges are added or removed, and when the oldest are dropped.

    words_only: older answers are shown without speech tokens
    transcribed: older sound of the user is shown as its transcript, where one is known
    summarised: older exchanges are not shown
    question, summary: shown in their place, as a question of the user and its answer; without a summary, neither is
    left_out: number of older exchanges that the summary does not cover either
    """

    words_only: Place = START
    transcribed: Place = START
    summarised: Place = START
    question: str = ""
    summary: str = ""
    left_out: int = 0

    def view(self, conversation: Conversation) -> Conversation:
        """The conversation as the model sees it. System messages are always shown."""
        shown: list[Message] = []
        told = not self.summary
        for place, message in _placed(conversation):
            if message.role == "system":
                shown.append(message)
                continue
            if place < self.summarised:
                continue
            if not told:
                shown += self._summary_messages()
                told = True
            shown.append(self._shown(place, message))
        if not told:
            shown += self._summary_messages()
        return Conversation(shown)

    def _summary_messages(self) -> list[Message]:
        return [
            Message("user", (TextPart(self.question),)),
            Message("assistant", (TextPart(self.summary),)),
        ]

    def _shown(self, place: Place, message: Message) -> Message:
        if message.role == "assistant" and place < self.words_only:
            return _with_parts(message, tuple([_words(part) for part in message.parts]))
        if message.role == "user" and place < self.transcribed:
            return _with_parts(message, tuple([_transcript(part) for part in message.parts]))
        return message


UNCOMPACTED = Compaction()


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction changed, in numbers.

    answers: answers that lost their speech tokens
    sounds: sounds of the user that are shown as transcripts
    summarised: exchanges that became part of the summary
    left_out: exchanges that are no longer shown, because the model could not summarise them
    summary: the summary of everything summarised so far
    tokens_before, tokens_after: of the conversation, as the model reads it
    """

    answers: int = 0
    sounds: int = 0
    summarised: int = 0
    left_out: int = 0
    summary: str = ""
    tokens_before: int = 0
    tokens_after: int = 0


def places(conversation: Conversation) -> list[Place]:
    """The places of all exchanges, in order."""
    return [place for place, _ in groupby(_placed(conversation, system=False), key=lambda placed: placed[0])]


def until(conversation: Conversation, end: Place) -> Conversation:
    """The exchanges before `end`, and the system messages among them."""
    return Conversation([message for place, message in _placed(conversation) if place < end])


def changes(before: Compaction, after: Compaction, conversation: Conversation) -> Compacted:
    """What `after` shows otherwise than `before`. Numbers of tokens are left at 0."""
    answers = sounds = 0
    hidden = [place for place in places(conversation) if before.summarised <= place < after.summarised]
    for place, message in _placed(conversation):
        for part in message.parts:
            if isinstance(part, SpeechPart) and before.words_only <= place < after.words_only:
                answers += part.tokens is not None
            elif isinstance(part, AudioPart) and before.transcribed <= place < after.transcribed:
                sounds += _transcript(part) is not part
    left_out = after.left_out - before.left_out
    return Compacted(answers, sounds, len(hidden) - left_out, left_out, after.summary)


def _placed(conversation: Conversation, *, system: bool = True) -> Iterator[tuple[Place, Message]]:
    """Each message with the place of its exchange. A system message stands in the exchange before it.

    An exchange begins with a user message that does not follow another one, and at the first message.
    """
    place, before = START, ""
    for message in conversation:
        if message.role == "system":
            if system:
                yield place, message
            continue
        if not before or (message.role == "user" and before != "user"):
            turn = max(place[0], message.turn)
            place = (turn, place[1] + 1 if turn == place[0] else 0)
        before = message.role
        yield place, message


def _with_parts(message: Message, parts: tuple[Part, ...]) -> Message:
    same = all(new is old for new, old in zip(parts, message.parts, strict=True))
    return message if same else replace(message, parts=parts)


def _words(part: Part) -> Part:
    return replace(part, tokens=None) if isinstance(part, SpeechPart) and part.tokens is not None else part


def _transcript(part: Part) -> Part:
    if isinstance(part, AudioPart) and part.transcript is not None and part.transcript.strip():
        return TextPart(part.transcript)
    return part
