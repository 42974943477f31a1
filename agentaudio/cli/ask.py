"""`agentaudio ask`: one question, one answer."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, get_args

from cyclopts import Parameter

from agentaudio.cli.agent_options import AgentOptions
from agentaudio.cli.console import ensure_sound_writable, in_home, mark, out, print_json, progress
from agentaudio.cli.generation import Generation
from agentaudio.cli.narrator import Narrator
from agentaudio.cli.provenance import SignWith, provenance_of
from agentaudio.cli.question import Kind, read_question
from agentaudio.cli.tools import approve_on_terminal
from agentaudio.errors import OptionError
from agentaudio.escaping import one_line
from agentaudio.events import TurnFinished, TurnStarted
from agentaudio.reply import Reply
from agentaudio.tools.tool import Need


async def ask(
    input: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    text: bool = False,
    audio: bool = False,
    out_file: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    agent_options: AgentOptions = AgentOptions(),
    generation: Generation = Generation(),
    sign: SignWith = None,
    watermark: str | None = None,
    mute: bool = False,
    seconds: float = 5.0,
    json: bool = False,
) -> None:
    """Ask a spoken or written question and get a spoken answer.

    The input is taken for a sound file if a file of that name exists, for text otherwise; the first line of
    the output says which. --text and --audio decide it.

    Parameters
    ----------
    input
        A sound file, a text in quotes, `-` for either on standard input, or `mic` for the microphone.
    text
        The input is text, even if a file has that name.
    audio
        The input is sound.
    out_file
        Write the spoken answer to this file. The suffix gives the format: WAV, FLAC, Ogg, Opus or MP3.
    sign
        Sign the file of --out: `local` with a certificate that this installation makes for itself, or a folder with
        certificate.pem and key.pem. By default as the environment variable AGENTAUDIO_SIGN says.
    watermark
        Watermark to put into the sound, as NAME or NAME:ARGUMENT of an installed one. By default as the environment
        variable AGENTAUDIO_WATERMARK says.
    mute
        Answer in text only.
    seconds
        How long to record from the microphone.
    json
        Print only the reply, as one JSON object. `input` in it says what the input was taken for.
    """
    if input.startswith("-") and input != "-" and not text:
        raise OptionError(f"there is no option {input!r}; see `agentaudio ask --help`, or add --text to ask it")
    if text and audio:
        raise OptionError("--text and --audio exclude each other; give one of them")
    if mute and out_file is not None:
        raise OptionError("--mute and --out exclude each other: a muted answer has no sound; give one of them")
    provenance = provenance_of(sign, watermark)
    if out_file is not None:
        ensure_sound_writable(out_file)
        provenance.check_signs(out_file.suffix)
    kind: Kind | None = "text" if text else "sound" if audio else None
    question = read_question(input, kind=kind, seconds=seconds)
    tools = agent_options.found_tools()
    if not json:
        shown = f"“{input}”" if question.place == "command line" else one_line(question.place)
        out.print(mark("  input", "green"), shown, mark(f"(taken for {question.kind})", "dim"))
        needed: set[Need] = {need for tool in tools for need in tool.needs}
        chosen = {"documents": agent_options.documents, "voices": agent_options.voices}
        demo = [need for need in get_args(Need) if need in needed and chosen[need] == "demo"]
        if demo:
            options = " and ".join(f"--{need} FOLDER" for need in demo)
            out.print(mark("   demo", "green"), " and ".join(demo), mark(f"(use others with {options})", "dim"))
    model = await agent_options.load_model(generation)
    agent = agent_options.agent(
        model, tools, generation, speak=not mute, approve=approve_on_terminal, provenance=provenance
    )
    reply: Reply | None = None
    with contextlib.closing(Narrator()) as narrator:
        async with agent, contextlib.AsyncExitStack() as waiting:
            waiting.enter_context(progress("getting ready"))
            async for event in agent.stream(question.content):
                if not isinstance(event, TurnStarted):
                    await waiting.aclose()
                if not json:
                    narrator.show(event)
                if isinstance(event, TurnFinished):
                    reply = event.reply
    if reply is not None and out_file is not None and reply.audio is not None:
        reply.save(out_file)
        if not json:
            out.print(mark("  saved", "green"), f"{in_home(out_file)} ({reply.audio.duration:.1f} s)")
    if reply is not None and json:
        print_json({"input": {"kind": question.kind, "place": question.place}} | reply.to_dict())
