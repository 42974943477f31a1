"""`agentaudio ask`: one question, one answer."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, get_args

from cyclopts import Parameter

from agentaudio.agent import Agent
from agentaudio.cli.console import ensure_sound_writable, in_home, mark, out, print_json, progress
from agentaudio.cli.generation import Generation
from agentaudio.cli.models import ModelOptions, load_or_fetch
from agentaudio.cli.narrator import Narrator
from agentaudio.cli.provenance import SignWith, provenance_of
from agentaudio.cli.question import Kind, read_question
from agentaudio.cli.tools import Secrets, approve_on_terminal
from agentaudio.errors import OptionError
from agentaudio.escaping import one_line
from agentaudio.events import TurnFinished, TurnStarted
from agentaudio.reply import Reply
from agentaudio.resources import open_voices
from agentaudio.tools.discovery import find_tools
from agentaudio.tools.tool import Need

DEFAULT_TOOLS = ("search_documents", "audio_search", "get_date_time", "calculate")


async def ask(
    input: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    text: bool = False,
    audio: bool = False,
    out_file: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    model: str = "embedded",
    option: ModelOptions = (),
    generation: Generation = Generation(),
    tools: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = DEFAULT_TOOLS,
    voice: str | None = None,
    documents: str = "demo",
    voices: str = "demo",
    encoder: str | None = None,
    embed: str = "default",
    instructions: str | None = None,
    sign: SignWith = None,
    watermark: str | None = None,
    mute: bool = False,
    seconds: float = 5.0,
    allow_commands: bool = False,
    allow_secret: Secrets = (),
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
    model
        Speech model, as NAME or NAME:ARGUMENT; `agentaudio models list` shows them.
    option
        Option of the model, as NAME=VALUE; repeat it for more.
    tools
        Tools the model may call: names (`agentaudio tools list` shows them), files and folders.
    voice
        Id or name of the voice to start with; `agentaudio voices list` shows them.
    documents
        Folder of text, Markdown, HTML, PDF and Word files for search_documents. `demo` stands for the documents
        that ship with agentaudio.
    voices
        Folder of a voice library for audio_search and --voice. `demo` stands for the voices that ship with
        agentaudio.
    encoder
        Speaker encoder of that library, as `agentaudio voices ingest` was given it: campplus:FOLDER, wavlm:FOLDER,
        ecapa or the name of a plugin. Not needed for the embedded encoder.
    embed
        Text embedder of all searches: a folder or hub id of a Sentence Transformers model, or a name that
        `agentaudio models list` shows. `default` stands for the English one that ships with agentaudio.
    instructions
        What the model is told about its task, before the conversation.
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
    allow_commands
        Allow tools in files to run programs.
    allow_secret
        Environment variable, file or folder that tools in files may read as a secret; repeat it for more.
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
    given = find_tools(tools, allow_commands=allow_commands, allow_secrets=allow_secret).values()
    if not json:
        shown = f"“{input}”" if question.place == "command line" else one_line(question.place)
        out.print(mark("  input", "green"), shown, mark(f"(taken for {question.kind})", "dim"))
        needed: set[Need] = {need for tool in given for need in tool.needs}
        chosen = {"documents": documents, "voices": voices}
        demo = [need for need in get_args(Need) if need in needed and chosen[need] == "demo"]
        if demo:
            options = " and ".join(f"--{need} FOLDER" for need in demo)
            out.print(mark("   demo", "green"), " and ".join(demo), mark(f"(use others with {options})", "dim"))
    agent = Agent(
        await load_or_fetch(model, generation.loading(model, option)),
        tools=given,
        voice=voice,
        documents=documents,
        embed=embed,
        voices=voices if encoder is None else open_voices(voices, encoder=encoder, embed=embed),
        instructions=instructions,
        options=generation.options(speak=not mute),
        approve=approve_on_terminal,
        provenance=provenance,
    )
    narrator = Narrator()
    reply: Reply | None = None
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
