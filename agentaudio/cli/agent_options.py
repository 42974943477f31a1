"""The options of `ask`, `chat` and `serve` that say which agent it is: its model, tools, voices and documents."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from agentaudio.agent import Agent
from agentaudio.cli.generation import Generation
from agentaudio.cli.models import load_or_fetch
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.provenance.provenance import Provenance
from agentaudio.resources import open_voices
from agentaudio.tools.discovery import find_tools
from agentaudio.tools.execution import Approve
from agentaudio.tools.tool import Tool

_GROUP = Group("The agent", sort_key=5)
_TOOLS = ("search_documents", "audio_search", "get_date_time", "calculate")


def _option(text: str, *, each: bool = False, many: bool = False) -> Parameter:
    """each: one value for each time that the option is given; many: all words up to the next option"""
    return Parameter(help=text, group=_GROUP, consume_multiple=True if many else False if each else None)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """An agent as the command line describes it."""

    model: Annotated[str, _option("Speech model, as NAME or NAME:ARGUMENT; `agentaudio models list` shows them.")] = (
        "embedded"
    )
    option: Annotated[
        tuple[str, ...], _option("Option of the model, as NAME=VALUE; repeat it for more.", each=True)
    ] = ()
    tools: Annotated[
        tuple[str, ...],
        _option("Tools the model may call: names (`agentaudio tools list` shows them), files and folders.", many=True),
    ] = _TOOLS
    voice: Annotated[
        str | None, _option("Id or name of the voice to start with; `agentaudio voices list` shows them.")
    ] = None
    documents: Annotated[
        str,
        _option(
            "Folder of text, Markdown, HTML, PDF and Word files for search_documents. `demo` stands for the documents "
            "that ship with agentaudio."
        ),
    ] = "demo"
    voices: Annotated[
        str,
        _option(
            "Folder of a voice library for audio_search and --voice. `demo` stands for the voices that ship with "
            "agentaudio."
        ),
    ] = "demo"
    encoder: Annotated[
        str | None,
        _option(
            "Speaker encoder of that library, as `agentaudio voices ingest` was given it: campplus:FOLDER, "
            "wavlm:FOLDER, ecapa or the name of a plugin. Not needed for the embedded encoder."
        ),
    ] = None
    embed: Annotated[
        str,
        _option(
            "Text embedder of all searches: a folder or hub id of a Sentence Transformers model, or a name that "
            "`agentaudio models list` shows. `default` stands for the English one that ships with agentaudio."
        ),
    ] = "default"
    instructions: Annotated[str | None, _option("What the model is told about its task, before each conversation.")] = (
        None
    )
    allow_commands: Annotated[bool, _option("Allow tools in files to run programs.")] = False
    allow_secret: Annotated[
        tuple[str, ...],
        _option(
            "Environment variable, file or folder that tools in files may read as a secret; repeat it for more.",
            each=True,
        ),
    ] = ()

    def found_tools(self) -> Collection[Tool]:
        """The tools of --tools. Raises what `find_tools` raises."""
        return find_tools(self.tools, allow_commands=self.allow_commands, allow_secrets=self.allow_secret).values()

    async def load_model(self, generation: Generation) -> SpeechLM:
        """The model, whose weights are fetched where they are missing. Raises what `load_model` raises."""
        return await load_or_fetch(self.model, generation.loading(self.model, self.option))

    def agent(
        self,
        model: SpeechLM,
        tools: Collection[Tool],
        generation: Generation,
        *,
        speak: bool = True,
        approve: Approve | None = None,
        provenance: Provenance | None = None,
    ) -> Agent:
        """The agent of this model and these tools. Raises what `Agent` and `open_voices` raise."""
        own_encoder = self.encoder is not None
        return Agent(
            model,
            tools=tools,
            voice=self.voice,
            documents=self.documents,
            voices=open_voices(self.voices, encoder=self.encoder, embed=self.embed) if own_encoder else self.voices,
            embed=self.embed,
            instructions=self.instructions,
            options=generation.options(speak=speak),
            approve=approve,
            provenance=provenance,
        )
