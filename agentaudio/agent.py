"""`Agent`: a speech model with tools, documents and voices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Unpack

from pydantic import BaseModel

from agentaudio.checks import Check
from agentaudio.closing import Closing
from agentaudio.conversation import Conversation, Message, TextPart
from agentaudio.events import Event
from agentaudio.hearing import UserInput
from agentaudio.keeper import Keeper
from agentaudio.limits import Limits
from agentaudio.live.settings import LiveSettings
from agentaudio.model.registry import find_model
from agentaudio.model.speech_lm import GenerateOptions, SpeechLM
from agentaudio.portal import require_asyncio
from agentaudio.provenance.provenance import Provenance, checked_provenance
from agentaudio.reply import Reply
from agentaudio.resources import Documents, Resources, Voices
from agentaudio.session import Session
from agentaudio.setup import Setup
from agentaudio.text.embedding import Embed
from agentaudio.tools.discovery import ToolLike, find_tools
from agentaudio.tools.execution import Approve
from agentaudio.tools.tool import Tool
from agentaudio.turn_output import output_tool
from agentaudio.uncopied import Uncopied
from agentaudio.voice_library.voice import Voice

if TYPE_CHECKING:
    from agentaudio.live.session import LiveSession

MAX_STEPS = 6


class Agent(Closing, Uncopied, instead="share it, as each session is separate, or make another"):
    """A speech model with tools, documents and voices. Each `session()` is a separate conversation.

    model: a name for `load_model`, or a SpeechLM
    tools: names of installed tools, paths of tool files, tools made with `@tool`, or typed functions
    documents: folder for `search_documents`, or "demo" for the documents that come with agentaudio
    voices: library for `audio_search` and `voice`, or "demo" for the voices that come with agentaudio
    voice: id, name or Voice to start with; None is the model's own
    embed: embedder of texts for all searches, or its name for `load_embedder`; None searches by words only
    instructions: system message for the model
    options: how to generate, unless a turn has its own options
    approve: function, plain or async, that returns True to allow a call of a tool with `approval`; None denies all
    max_steps: largest number of generations in a turn; the last gets no tools, so that it must answer
    limits: bounds of a turn in time, calls, words and sound, and of what a turn and a session may use
    input_checks, output_checks: read the user's words, and each sentence of the answer before it is heard; see Check
    output: pydantic model; the answer is also given as an instance of it, in `Reply.output`
    provenance: whether sound is marked and files are signed; None as `Provenance.from_environment` says

    Raises ModelNotFound, ToolNotFound, VoiceNotFound, ConsentError, and OptionError for parts that do not fit together.
    """

    def __init__(
        self,
        model: str | SpeechLM = "embedded",
        *,
        tools: Iterable[ToolLike] = (),
        documents: Documents | None = None,
        voices: Voices | None = None,
        voice: str | Voice | None = None,
        embed: Embed | str | None = "default",
        instructions: str | None = None,
        options: GenerateOptions = GenerateOptions(),
        approve: Approve | None = None,
        max_steps: int = MAX_STEPS,
        limits: Limits = Limits(),
        input_checks: Iterable[Check] = (),
        output_checks: Iterable[Check] = (),
        output: type[BaseModel] | None = None,
        provenance: Provenance | None = None,
    ) -> None:
        found = find_tools(tools)
        resources = Resources(documents, voices, embed)
        resources.check_needs(found.values())
        own_voice = resources.find_voice(voice) if voice is not None else None
        self.model, self.instructions = find_model(model), instructions
        giving = None if output is None else output_tool(output, found)
        if giving is not None:
            found[giving.name] = giving
        self.setup = Setup(
            self.model, found, resources, own_voice, options, approve, max_steps, limits,
            tuple(input_checks), tuple(output_checks), giving, checked_provenance(provenance),
        )  # fmt: skip
        self.setup.check()

    @property
    def tools(self) -> Mapping[str, Tool]:
        """The tools by name."""
        return self.setup.tools

    @property
    def voice(self) -> Voice | None:
        """The voice of new sessions; None is the model's own."""
        return self.setup.voice

    def session(
        self,
        conversation: Conversation | None = None,
        *,
        voice: str | Voice | None = None,
        plays: bool | None = None,
        deps: Any = None,
        keeper: Keeper | None = None,
    ) -> Session:
        """Start a conversation of several turns.

        conversation: continues a copy of it; a system message in it replaces the agent's instructions
        voice: id, name or Voice to start with; None is the agent's
        plays: whether the reader of the events plays the sound and reports `played`; None means False until the
            first report
        deps: the user's data of this session, which tools read as `RunContext.deps`
        keeper: stores the turns; `Store.session` gives its own

        Raises OptionError when a tool takes a RunContext with data of another class.
        """
        self.setup.check_deps(deps)
        conversation = Conversation() if conversation is None else conversation.copy()
        if self.instructions and not any(message.role == "system" for message in conversation):
            conversation.messages.insert(0, Message("system", (TextPart(self.instructions),)))
        chosen = self.setup.voice if voice is None else self.setup.find_voice(voice)
        return Session(self.setup, conversation, chosen, plays=plays, deps=deps, keeper=keeper)

    def live(
        self,
        conversation: Conversation | None = None,
        *,
        voice: str | Voice | None = None,
        deps: Any = None,
        keeper: Keeper | None = None,
        **settings: Unpack[LiveSettings],
    ) -> LiveSession:
        """Converse in real time: `async with agent.live() as live`. As for `session`, with LiveSettings."""
        from agentaudio.live.session import LiveSession

        plays = settings.get("plays", True)
        return LiveSession(self.session(conversation, voice=voice, plays=plays, deps=deps, keeper=keeper), settings)

    async def run(
        self,
        user: UserInput,
        *,
        options: GenerateOptions | None = None,
        voice: str | Voice | None = None,
        deps: Any = None,
    ) -> Reply:
        """Run one turn in a new conversation.

        user: text as `str`; sound as a Path, bytes, a binary file or Audio
        options, voice: replace the agent's; deps: the user's data, as for `session`
        """
        return await self.session(plays=False, deps=deps).run(user, options=options, voice=voice)

    def run_sync(
        self,
        user: UserInput,
        *,
        options: GenerateOptions | None = None,
        voice: str | Voice | None = None,
        deps: Any = None,
    ) -> Reply:
        """`run` for synchronous programs. Raises OptionError inside an event loop."""
        return self.session(plays=False, deps=deps).run_sync(user, options=options, voice=voice)

    def stream(
        self,
        user: UserInput,
        *,
        options: GenerateOptions | None = None,
        voice: str | Voice | None = None,
        deps: Any = None,
    ) -> AsyncGenerator[Event, None]:
        """Run one turn in a new conversation and yield its events."""
        return self.session(deps=deps).stream(user, options=options, voice=voice)

    async def warm_up(self) -> None:
        """Load models, documents and voices now, so that the first turn is as fast as later ones."""
        require_asyncio()
        if self.setup.tools:
            await asyncio.to_thread(self.setup.resources.prepare)
        await self.model.warm_up(self.setup.specs() if self.setup.tools else ())

    async def aclose(self) -> None:
        """Release the resources of the tools, and close the model. When one of them raises, the others still end."""
        require_asyncio()
        async with AsyncExitStack() as ending:
            ending.push_async_callback(self.model.aclose)
            for tool in reversed(list(self.setup.tools.values())):
                if tool.release is not None:
                    ending.push_async_callback(tool.release)
