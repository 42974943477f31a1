"""The commands of `agentaudio chat`: lines that begin with a slash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from agentaudio.agent import Agent
from agentaudio.cli.console import in_home, mark, out
from agentaudio.errors import AgentAudioError, did_you_mean
from agentaudio.escaping import one_line
from agentaudio.live.session import LiveSession
from agentaudio.live.sound_card import SoundCard
from agentaudio.reply import Reply
from agentaudio.saved_conversation import save_conversation


@dataclass
class Chat:
    """What the commands work on. last: the latest reply"""

    agent: Agent
    live: LiveSession
    card: SoundCard | None
    last: Reply | None = None


class ChatCommands:
    """Runs the commands. The first line of a command's docstring is its help."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._commands: dict[str, Callable[[str], Awaitable[bool]]] = {
            "voice": self._voice, "tools": self._tools, "mute": self._mute, "replay": self._replay,
            "save": self._save, "help": self._help, "quit": self._quit,
        }  # fmt: skip

    async def run(self, line: str) -> bool:
        """Run a command; False when it ends the conversation. What goes wrong is printed."""
        name, _, argument = line[1:].strip().partition(" ")
        command = self._commands.get(name)
        if command is None:
            out.print(mark(f"there is no command /{name}; {did_you_mean(name, self._commands)}", "yellow"))
            return True
        try:
            return await command(argument.strip())
        except AgentAudioError as error:
            out.print(mark(one_line(str(error)), "yellow"))
            return True

    async def _voice(self, name: str) -> bool:
        """/voice NAME    speak in a voice of the library; `default` is the agent's own"""
        if name:
            await self._chat.live.change_voice(name)
        voice = self._chat.live.voice
        out.print(mark("  voice", "green"), "the model's own" if voice is None else f"{voice.card.name}: {voice.id}")
        return True

    async def _tools(self, _: str) -> bool:
        """/tools         list the tools that the model may call"""
        for tool in self._chat.agent.tools.values():
            out.print(mark(f"{tool.name:>17}", "green"), one_line(tool.description.split("\n")[0]))
        return True

    async def _mute(self, _: str) -> bool:
        """/mute          switch the microphone off, and on again"""
        card = self._chat.card
        if card is None or not card.hears:
            out.print("the microphone is not in use")
            return True
        card.muted = not card.muted
        out.print("the microphone is", "off" if card.muted else "on")
        return True

    async def _replay(self, _: str) -> bool:
        """/replay        play the last answer again"""
        last, card = self._chat.last, self._chat.card
        if last is None:
            out.print("there is no answer yet")
        elif card is None or not card.plays or last.audio is None:
            out.print(one_line(last.text))
        else:
            card.player.play(last.audio)
        return True

    async def _save(self, file: str) -> bool:
        """/save FILE     write the conversation to a JSON file, with its sound in a folder beside it"""
        if not file:
            out.print("name the file, such as /save talk.json")
            return True
        path = await asyncio.to_thread(save_conversation, self._chat.live.conversation.copy(), Path(file).expanduser())
        out.print(mark("  saved", "green"), in_home(path))
        return True

    async def _help(self, _: str) -> bool:
        """/help          list the commands"""
        for command in self._commands.values():
            out.print((command.__doc__ or "").splitlines()[0])
        return True

    async def _quit(self, _: str) -> bool:
        """/quit          end the conversation"""
        return False
