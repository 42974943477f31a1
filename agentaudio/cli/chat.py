"""`agentaudio chat`: a conversation of several turns, typed and spoken."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

from agentaudio import events
from agentaudio.cli.agent_options import AgentOptions
from agentaudio.cli.chat_commands import Chat, ChatCommands
from agentaudio.cli.console import ensure_writable, mark, out, progress
from agentaudio.cli.generation import Generation
from agentaudio.cli.narrator import Narrator
from agentaudio.cli.sessions import STORE
from agentaudio.cli.tools import approve_on_terminal
from agentaudio.cli.turn_model import TurnModelName, named_turn_model
from agentaudio.errors import AgentAudioError, AudioError, MissingExtra
from agentaudio.escaping import one_line
from agentaudio.live.events import AgentFinished, AgentStopped
from agentaudio.live.latency import LatencyLedger
from agentaudio.live.session import LiveSession
from agentaudio.live.settings import LiveSettings
from agentaudio.live.sound_card import SoundCard, sounddevice
from agentaudio.storage.sqlite_store import SqliteStore


async def chat(
    *,
    agent_options: AgentOptions = AgentOptions(),
    generation: Generation = Generation(),
    typed: bool = False,
    mute: bool = False,
    headset: bool = False,
    turn_model: TurnModelName = "auto",
    session: str | None = None,
    store: Path = STORE,
    ledger: Path | None = None,
) -> None:
    """Talk with the agent: speak into the microphone, or type a line. Speaking or typing interrupts it.

    Lines that begin with a slash are commands; /help lists them. Without a microphone or loudspeaker, such as over
    ssh, the conversation is text.

    Parameters
    ----------
    typed
        Do not use the microphone.
    mute
        Do not play the answers.
    headset
        The microphone does not hear the loudspeaker, so that nothing needs to be taken out of its sound.
    turn_model
        Who hears by the sound of a pause whether you have finished. `auto` is Smart Turn where nobody hears your words
        while you speak and its weights are on this machine; `smart-turn` takes it beside the words, too.
    session
        Id under which the conversation is stored, turn by turn; one of that id goes on where it was left.
    store
        File of the store, for --session; `agentaudio sessions` shows and erases what is in it.
    ledger
        Add the times of each turn to this file; `agentaudio stats FILE` shows them.
    """
    if ledger is not None:
        ensure_writable(ledger)
    found = named_turn_model(turn_model)
    tools = agent_options.found_tools()
    loaded = await agent_options.load_model(generation)
    hears = loaded.capabilities.hears and not typed
    plays = loaded.capabilities.voices != "none" and not mute
    if hears or plays:
        try:
            sounddevice()
        except (MissingExtra, AudioError) as missing:
            out.print(mark(f"without sound: {missing}", "yellow"))
            hears = plays = False
    agent = agent_options.agent(loaded, tools, generation, speak=plays, approve=approve_on_terminal)
    async with agent:
        with progress("loading models, documents and voices"):
            await agent.warm_up()
        async with contextlib.AsyncExitStack() as devices:
            settings = LiveSettings(
                ears="auto" if hears else None, turn_model=found if hears else None,
                plays=plays, echo_guard=hears and plays and not headset,
            )  # fmt: skip
            if session is None:
                live = agent.live(**settings)
            else:
                kept = await devices.enter_async_context(SqliteStore(store))
                live = await kept.live(agent, session, voice=agent_options.voice, **settings)
                if turns := sum(message.role == "user" for message in live.conversation):
                    out.print(mark(f"session {session} goes on after {turns} turns", "dim"))
            await devices.enter_async_context(live)
            card = await _card(devices, live, hears=hears, plays=plays)
            await _converse(Chat(agent, live, card), ledger)


async def _card(devices: contextlib.AsyncExitStack, live: LiveSession, *, hears: bool, plays: bool) -> SoundCard | None:
    """The sound card, with what it has of the two; None where it has neither."""
    for microphone, loudspeaker in dict.fromkeys([(hears, plays), (False, plays), (hears, False)]):
        if not (microphone or loudspeaker):
            continue
        try:
            return await devices.enter_async_context(
                SoundCard(live, microphone=microphone, loudspeaker=loudspeaker)
            )  # fmt: skip
        except AudioError as error:
            out.print(mark(str(error), "yellow"))
    return None


async def _converse(chat: Chat, ledger: Path | None) -> None:
    """Run the conversation until /quit, or the end of the input."""
    times = LatencyLedger(chat.agent.model.name)
    heard = "speak or type" if chat.card is not None and chat.card.hears else "type"
    out.print(mark(f"{heard}; /help lists the commands, /quit ends", "dim"))
    quiet = asyncio.Event()
    quiet.set()
    watching = [asyncio.create_task(_show(chat, quiet, times)), asyncio.create_task(_watch(chat.card, quiet))]
    commands = ChatCommands(chat)
    try:
        async with contextlib.aclosing(_lines()) as lines:
            async for line in lines:
                line = line.strip()
                if not line:
                    continue
                if line.startswith("/"):
                    if not await commands.run(line):
                        break
                    continue
                quiet.clear()
                await chat.live.send(line)
                if not sys.stdin.isatty():  # the lines of a file do not interrupt each other
                    await quiet.wait()
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        if ledger is not None:
            times.append_to(ledger)


async def _watch(card: SoundCard | None, quiet: asyncio.Event) -> None:
    """Tell when a sound device has gone, such as a headset that was pulled out: nothing ends to be played then."""
    if card is not None:
        await card.has_vanished.wait()
        quiet.set()
        out.print(mark("a sound device has gone; go on typing, or start again with another one", "yellow"))


async def _show(chat: Chat, quiet: asyncio.Event, times: LatencyLedger) -> None:
    """Print and play what happens, and take its times. quiet: set whenever an answer is over"""
    narrator = Narrator()
    async for event in chat.live:
        if chat.card is not None:
            chat.card.take(event)
        narrator.show(event)
        times.take(event)
        match event:
            case events.TurnFinished(reply=reply):
                chat.last = reply
            case events.TurnFailed(error=error) if isinstance(error, AgentAudioError):
                out.print(mark(" failed", "red"), one_line(str(error)))
            case AgentFinished() | AgentStopped():
                quiet.set()
        is_over = isinstance(event, events.TurnFinished | events.TurnFailed)
        if is_over and chat.card is not None and chat.card.has_vanished.is_set():
            quiet.set()


async def _lines() -> AsyncGenerator[str, None]:
    """The lines of standard input, until it ends or cannot be read. A thread of its own reads them, which ends with the
    process."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def read() -> None:
        line: str | None = ""
        while line is not None:
            try:
                line = (
                    sys.stdin.readline() if sys.stdin is not None else ""
                ) or None  # None where it was closed before
            except (OSError, ValueError) as error:
                out.print(mark(f"the input cannot be read, so the conversation ends: {error}", "yellow"))
                line = None
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(arrived.put_nowait, line)

    threading.Thread(target=read, daemon=True, name="agentaudio-lines").start()
    while (line := await arrived.get()) is not None:
        yield line
