"""Whatever is cut off or erased, what is left of a conversation is one that every model takes."""

from __future__ import annotations

import random

from agentaudio.conversation import STILL_RUNNING, Conversation, Message, SpeechPart, TextPart, ToolCall, ToolOutput
from agentaudio.sound.audio import Audio
from agentaudio.storage.records import TurnRow
from agentaudio.storage.resuming import conversation_of, stored_messages

CONVERSATIONS = 1_000


def no_sound(name: str, rate: int) -> Audio:
    raise AssertionError("nothing here has sound")


def row(number: int, messages: list[Message]) -> TurnRow:
    text, _ = stored_messages(messages, keep_sound=False)
    return TurnRow(number, "2026-01-01T00:00:00.000+00:00", "answered", "scripted", text)


def random_rows(rng: random.Random) -> list[TurnRow]:
    """Turns as sessions make them: several calls a step, late and interrupted ones, some left to the caller."""
    rows: list[TurnRow] = []
    open_calls: list[ToolCall] = []
    made = 0
    for number in range(1, rng.randint(2, 7)):
        turn: list[Message] = []
        if open_calls:
            turn.append(Message("tool", tuple(ToolOutput(call.id, "look", "given") for call in open_calls)))
        if not open_calls or rng.random() < 0.5:
            turn.append(Message("user", (TextPart(f"question {number}"),)))
        open_calls = []
        for _ in range(rng.randint(0, 3)):
            calls = tuple(ToolCall(f"c{made + n}", "look", {}) for n in range(rng.randint(1, 3)))
            made += len(calls)
            said = (SpeechPart("Let me see."),) if rng.random() < 0.5 else ()
            turn.append(Message("assistant", (*said, *calls)))
            if rng.random() < 0.2:
                open_calls = list(calls)
                break
            results = [f"look is {STILL_RUNNING}" if rng.random() < 0.2 else "found" for _ in calls]
            outputs = [ToolOutput(c.id, "look", text) for c, text in zip(calls, results, strict=True)]
            rng.shuffle(outputs)
            turn.append(Message("tool", tuple(outputs)))
        if not open_calls and rng.random() < 0.9:  # else it was interrupted before anything was heard
            turn.append(Message("assistant", (SpeechPart(f"answer {number}", interrupted=rng.random() < 0.3),)))
        rows.append(row(number, turn))
    return rows


def check(conversation: Conversation) -> None:
    strict = Conversation()
    asked = False
    for message in conversation:
        asked = asked or message.role == "user"
        assert asked, "nothing comes before the first question"
        strict.add(message.role, *message.parts)  # raises for a result without its call, and a call without its result
        assert not any(STILL_RUNNING in output.text for output in message.tool_outputs)
    numbers = [message.turn for message in conversation]
    assert numbers == sorted(numbers) and all(numbers)


def test_every_cut_and_every_erased_turn_leaves_a_conversation_that_a_strict_model_takes() -> None:
    rng = random.Random(3)
    for _ in range(CONVERSATIONS):
        rows = random_rows(rng)
        for cut in range(len(rows) + 1):
            check(conversation_of(rows[cut:], no_sound))
        check(conversation_of([one for one in rows if rng.random() < 0.6], no_sound))


def test_nothing_is_lost_where_nothing_was_cut() -> None:
    rng = random.Random(4)
    for _ in range(100):
        rows = random_rows(rng)
        words = [message.text for message in conversation_of(rows, no_sound)]
        for one in rows:
            asked, answer = f"question {one.number}", f"answer {one.number}"
            assert words.count(asked) == (f'"{asked}"' in one.messages)
            assert words.count(answer) == (f'"{answer}"' in one.messages)
