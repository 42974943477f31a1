"""Turns that a program corrects after they have ended, as servers do for clients that report late."""

from __future__ import annotations

from pathlib import Path

from agentaudio import Agent, SqliteStore
from agentaudio.conversation import Conversation, Message, SpeechPart
from agentaudio.model.scripted import Scripted


def texts(conversation: Conversation) -> list[str]:
    return [message.text for message in conversation]


async def test_a_corrected_turn_is_stored_and_the_others_stay(tmp_path: Path) -> None:
    agent = Agent(Scripted(["one", "two", "three"]))
    async with SqliteStore(tmp_path / "talks.sqlite3") as store:
        session = await store.session(agent, "ana", plays=False)
        for said in ("a", "b", "c"):
            await session.run(said)
        second = session.conversation.of_turn(2)
        session.correct({2: [second[0], Message("assistant", (SpeechPart("tw", interrupted=True),), turn=2)], 1: []})
        assert texts(session.conversation) == ["b", "tw", "c", "three"]
        await store.leave("ana")
        assert texts((await store.load("ana"))[0]) == ["b", "tw", "c", "three"]
        session = await store.session(agent, "ana", plays=False)
        assert session.turns_before == 3
