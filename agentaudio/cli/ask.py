"""`agentaudio ask`: one question, one answer."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from agentaudio.agent import Agent
from agentaudio.cli.console import Narrator, ensure_writable, in_home, out, print_json, progress, read_input
from agentaudio.cli.tools import approve_on_terminal
from agentaudio.errors import OptionError
from agentaudio.events import TurnFinished, TurnStarted
from agentaudio.reply import Reply
from agentaudio.tools.discovery import find_tools

DEFAULT_TOOLS = ("search_documents", "audio_search", "get_date_time", "calculate")


async def ask(
    input: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    out_file: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    model: str = "embedded",
    tools: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = DEFAULT_TOOLS,
    voice: str | None = None,
    documents: Path | None = None,
    voices: Path | None = None,
    seconds: float = 5.0,
    allow_commands: bool = False,
    json: bool = False,
) -> None:
    """Ask by voice or in writing, and hear the answer.

    Parameters
    ----------
    input
        A sound file, a text in quotes, `-` for either on standard input, or `mic`.
    out_file
        Write the spoken answer here: WAV, FLAC, Ogg, Opus or MP3, by its suffix.
    model
        Which speech model answers; `agentaudio models list` shows them.
    tools
        Tools it may call: names (`agentaudio tools list` shows them), files and folders.
    voice
        Id or name of the voice to start with; `agentaudio voices list` shows them.
    documents
        A folder of text, Markdown, HTML, PDF and Word files for search_documents, instead of the demo documents.
    voices
        A voice library for audio_search, instead of the demo voices.
    seconds
        How long to listen to the microphone.
    allow_commands
        Let tools in files run programs.
    json
        Print the reply as one JSON object, and nothing else.
    """
    if input.startswith("-") and input != "-":
        raise OptionError(f"there is no option {input!r}; see `agentaudio ask --help`")
    if out_file is not None:
        ensure_writable(out_file)
    with progress(f"loading {model}"):
        given = find_tools(tools, allow_commands=allow_commands).values()
        agent = Agent(
            model,
            tools=given,
            voice=voice,
            documents=documents or "demo",
            voices=voices or "demo",
            approve=approve_on_terminal,
        )
    narrator = Narrator()
    reply: Reply | None = None
    question = read_input(input, seconds)
    async with agent, contextlib.AsyncExitStack() as waiting:
        waiting.enter_context(progress("getting ready"))
        async for event in agent.stream(question):
            if not isinstance(event, TurnStarted):
                await waiting.aclose()
            if not json:
                narrator.tell(event)
            if isinstance(event, TurnFinished):
                reply = event.reply
    if reply is not None and out_file is not None and reply.audio is not None:
        reply.audio.save(out_file)
        if not json:
            out.print(f"  [green]saved[/] {in_home(out_file)} ({reply.audio.duration:.1f} s)")
    if reply is not None and json:
        print_json(reply.to_dict())
