"""`Setup`: what all turns of an agent share. `SessionState`: what belongs to one session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.errors import OptionError
from agentaudio.limits import Limits
from agentaudio.model.speech_lm import GenerateOptions, SpeechLM
from agentaudio.resources import Resources
from agentaudio.tools.execution import Approve
from agentaudio.tools.tool import Tool
from agentaudio.voice_library.voice import Voice


@dataclass(frozen=True)
class Setup:
    """What all turns of an agent share. `Agent` describes the fields.

    voice: the agent's default voice, which a tool selects as "default"; None is the model's own
    """

    model: SpeechLM
    tools: Mapping[str, Tool]
    resources: Resources
    voice: Voice | None
    options: GenerateOptions
    approve: Approve | None
    max_steps: int
    limits: Limits
    _specs: list[tuple[ToolSpec, ...]] = field(default_factory=list, compare=False, repr=False)

    def check(self) -> None:
        """Raises OptionError for tools, a voice or options that the model does not support."""
        model = self.model
        if self.tools and not model.capabilities.calls_tools:
            raise OptionError(f"model {model.name!r} cannot call tools; remove them, or use a model that calls tools")
        if self.voice is not None:
            self._check_speaks_in(self.voice)
        self.options.check(model)

    def find_voice(self, wanted: str | Voice) -> Voice | None:
        """Find a voice by id or name; "default" is the agent's voice. Blocks while it reads files.

        Raises VoiceNotFound, ConsentError, and OptionError when the model cannot speak in it.
        """
        if wanted == "default":
            return self.voice
        voice = self.resources.find_voice(wanted)
        self._check_speaks_in(voice)
        return voice

    def check_deps(self, deps: Any) -> None:
        """Raises OptionError when a tool expects user data of another class."""
        for tool in self.tools.values():
            if tool.deps is not None and not isinstance(deps, tool.deps):
                wanted, given = tool.deps.__name__, type(deps).__name__
                raise OptionError(
                    f"tool {tool.name!r} takes a RunContext[{wanted}], but the session's deps is {given}; "
                    f"give one to agent.session(deps=...) or agent.run(..., deps=...)"
                )

    def _check_speaks_in(self, voice: Voice) -> None:
        speaks = self.model.capabilities.voices
        if speaks != "any":
            why = "makes no sound" if speaks == "none" else "speaks only in its own voice"
            raise OptionError(f"model {self.model.name!r} {why}, so voice {voice.id!r} cannot be used; leave it out")

    @property
    def ready(self) -> bool:
        """Whether `specs` returns at once."""
        return bool(self._specs)

    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools as the model sees them. Made once, as phrases may depend on every voice; without a conversation.

        The first call blocks: it opens the documents and voices.
        """
        if not self._specs:
            context = self.resources.context(Conversation(), self.voice)
            self._specs.append(tuple(tool.spec(context) for tool in self.tools.values()))
        return self._specs[0]


@dataclass(slots=True)
class SessionState:
    """What belongs to one session: the conversation, the current voice (None is the model's own), the user's data."""

    conversation: Conversation
    voice: Voice | None
    deps: Any = None
