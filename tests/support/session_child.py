"""A process that stores turns until it is killed. It is forked from one that has imported everything, to start fast."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from agentaudio import Agent, tool
from agentaudio.conversation import Conversation, ToolCall
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, TextDelta
from agentaudio.sound.audio import Audio
from agentaudio.sound.encode import encode_exactly
from agentaudio.storage.sqlite_store import SqliteStore


@tool
def note(text: str) -> str:
    """Write something down."""
    return f"noted {text}"


def _answer(conversation: Conversation, tools: Sequence[Any], voice: object) -> Iterator[Delta]:
    """Answers with the number of the question, and takes a note before every third."""
    question = conversation.last_user
    assert question is not None
    number = int(question.text.split()[-1])
    if number % 3 == 0 and not conversation.last_outputs:
        yield CallDelta(ToolCall(f"call {number}", "note", {"text": str(number)}))
        return
    yield TextDelta(f"answer {number}")
    yield AudioDelta(Audio.silence(0.05, 16_000))


def agent() -> Agent:
    return Agent(Scripted([_answer], loop=True), tools=[note])


async def talk(path: str, out: int) -> None:
    store = SqliteStore(path, keep_sound=True)
    session = await store.session(agent(), "ana", recent=None)  # it counts its turns, however many a machine makes
    number = len([message for message in session.conversation if message.role == "user"])
    os.write(out, b"r\n")
    while True:
        number += 1
        reply = await session.run(f"question {number}")
        assert reply.text == f"answer {number}", reply
        os.write(out, f"{number}\n".encode())


def main() -> None:
    """Forks a child for each line of standard input, a path; writes its process id, and what it says."""
    encode_exactly(Audio.silence(0.05, 16_000).samples, 16_000)  # imports what the children use
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(talk(line.strip(), 1))
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                os._exit(1)
        os.write(1, f"p{child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"d\n")


if __name__ == "__main__":
    main()
