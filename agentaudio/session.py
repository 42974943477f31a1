"""`Session`: several turns of one conversation, in one current voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine

from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError
from agentaudio.events import Event, TurnFinished
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio
from agentaudio.sound.decode import AudioSource
from agentaudio.voice_library.voice import Voice

UserInput = AudioSource | Audio
"""What a user says: text, Audio, or a sound file as a path, bytes or a binary file."""

RunTurn = Callable[["Session", int, UserInput, Callable[[Event], None]], Coroutine[None, None, Reply]]


class Session:
    """A conversation with an agent, made by `Agent.session()`. One turn runs at a time: starting
    another interrupts it.

    conversation: what was said; voice: the current one, None is the model's own
    """

    def __init__(self, run_turn: RunTurn, *, instructions: str | None, voice: Voice | None) -> None:
        self.conversation = Conversation()
        if instructions:
            self.conversation.add("system", instructions)
        self.voice = voice
        self._run_turn = run_turn
        self._turns = 0
        self._running: asyncio.Task[Reply] | None = None

    async def stream(self, user: UserInput) -> AsyncIterator[Event]:
        """One turn, event by event. Leaving the loop early, or cancelling, stops the turn at once.

        Raises what the turn raised, after its `error` event.
        """
        await self.interrupt()
        self._turns += 1
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        # A task of its own, so that someone else's interruption stops it wherever it waits.
        turn = self._run_turn(self, self._turns, user, queue.put_nowait)
        task = asyncio.create_task(turn, name=f"agentaudio-turn-{self._turns}")
        task.add_done_callback(lambda _: queue.put_nowait(None))
        self._running = task
        try:
            while (event := await queue.get()) is not None:
                yield event
            if not task.cancelled():
                task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])
            if self._running is task:
                self._running = None

    async def run(self, user: UserInput) -> Reply:
        """One turn; the reply of an interrupted one says so."""
        reply: Reply | None = None
        async for event in self.stream(user):
            if isinstance(event, TurnFinished):
                reply = event.reply
        if reply is None:
            raise asyncio.CancelledError("the turn was interrupted before it began")
        return reply

    def run_sync(self, user: UserInput) -> Reply:
        """`run` for programs without an event loop. Raises OptionError inside one."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run(user))
        raise OptionError("run_sync was called inside an event loop; write `await agent.run(...)` there")

    async def interrupt(self) -> None:
        """Stop the running turn, if there is one; returns when everything it did has ended."""
        task = self._running
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
