"""`Setup`: what all turns of an agent share. `SessionState`: what belongs to one session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agentaudio.checks import Check, Judgement
from agentaudio.compactor import Compactor
from agentaudio.conversation import AudioPart, Conversation, SpeechPart, ToolOutput, ToolSpec, with_sound_aside
from agentaudio.errors import OptionError
from agentaudio.keeper import Keeper, TurnEnd
from agentaudio.limits import Limits
from agentaudio.model.speech_lm import GenerateOptions, SpeechLM
from agentaudio.provenance.provenance import Origin, Provenance
from agentaudio.resources import Resources
from agentaudio.sound.aside import SoundsAside
from agentaudio.tools.context import RunContext
from agentaudio.tools.execution import Approve, ToolRun
from agentaudio.tools.tool import Tool
from agentaudio.voice_library.voice import Voice
from agentaudio.watching import Watch

RECENT_TURNS = 3
"""Turns whose sound is in memory; that of earlier ones is in a temporary file."""
SOUND_TURNS = 20
"""Number of turns whose sound the conversation of a stored session holds at least, and at most twice."""


@dataclass(frozen=True)
class Setup:
    """What all turns of an agent share. `Agent` describes the fields.

    voice: the agent's default voice, which a tool selects as "default"; None is the model's own
    output: the tool by whose call the model gives its answer as data; None without one
    watch: follows each session; None when nobody does
    """

    model: SpeechLM
    tools: Mapping[str, Tool]
    resources: Resources
    voice: Voice | None
    options: GenerateOptions
    approve: Approve | None
    max_steps: int
    limits: Limits
    input_checks: tuple[Check, ...] = ()
    output_checks: tuple[Check, ...] = ()
    output: Tool | None = None
    provenance: Provenance = Provenance()
    watch: Watch | None = None
    _specs: list[tuple[ToolSpec, ...]] = field(default_factory=list, compare=False, repr=False)

    def check(self) -> None:
        """Raises OptionError for max_steps below 1, and for tools, voices and options the model does not support."""
        model = self.model
        if self.max_steps < 1:
            raise OptionError(f"max_steps is {self.max_steps}; a turn needs at least 1")
        if self.tools and not model.capabilities.calls_tools:
            raise OptionError(f"model {model.name!r} cannot call tools; remove them, or use a model that calls tools")
        if self.voice is not None:
            self._check_speaks_in(self.voice)
        self.check_options(self.options)
        if self.output is not None and not model.capabilities.calls_tools:
            raise OptionError(f"model {model.name!r} cannot call tools, so it can give no output; leave it out")
        for check in (*self.input_checks, *self.output_checks):
            if not callable(check):
                raise OptionError(f"a check is {check!r:.100}; give functions that take words, such as `def f(text)`")

    def check_options(self, options: object) -> GenerateOptions:
        """Return the options. Raises OptionError for other objects, and for options that the model does not support."""
        if not isinstance(options, GenerateOptions):
            raise OptionError(f"options are {options!r:.100}; give GenerateOptions(...)")
        return options.check(self.model)

    def find_voice(self, wanted: str | Voice) -> Voice | None:
        """Find a voice by id or name; "default" is the agent's voice. Blocks while it reads files.

        Raises VoiceNotFound, ConsentError, and OptionError when the model cannot speak in it.
        """
        if wanted == "default":
            return self.voice
        voice = self.resources.find_voice(wanted)
        self._check_speaks_in(voice)
        return voice

    def with_external(self, tools: Iterable[Tool]) -> Setup:
        """The setup with further tools, which the caller runs; each replaces a tool of the same name.

        Raises OptionError for tools when the model cannot call any.
        """
        added = {tool.name: tool for tool in tools}
        if not added:
            return self
        setup = replace(self, tools={**self.tools, **added}, _specs=[])
        setup.check()
        if self.ready or not self.tools:  # the phrases of the own tools are read once only
            kept = [spec for spec in (self.specs() if self.tools else ()) if spec.name not in added]
            context = RunContext(Conversation(), None)
            setup._specs.append((*kept, *(tool.spec(context) for tool in added.values())))
        return setup

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
    def origin(self) -> Origin:
        """How the sound of this model is made, and what it carries when it leaves."""
        able = self.model.capabilities
        return Origin(self.model.name, able.speech, self.provenance, imitation=able.imitates)

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

    def last_specs(self) -> tuple[ToolSpec, ...]:
        """The tools that are left when the model has to answer: the one that takes its output, if there is one."""
        return (self.output.spec(RunContext(Conversation(), None)),) if self.output and self.gives_output else ()

    @property
    def gives_output(self) -> bool:
        """Whether the model has the tool by whose call it gives its answer as data."""
        return self.output is not None and self.tools.get(self.output.name) is self.output


@dataclass(slots=True)
class SessionState:
    """What belongs to one session.

    voice: the current one; None is the model's own
    deps: the user's data
    keeper: stores the turns; None when nobody does
    used: counts of what the turns have used, by the names of UsageLimits
    judged: what the input checks made of words of the user
    turns_before: number of the last turn before the session began
    arrived: results of background tools that the model has not read yet
    compactor: what the model sees of the conversation
    aside: takes the sound of earlier turns
    """

    conversation: Conversation
    voice: Voice | None
    deps: Any = None
    keeper: Keeper | None = None
    used: Counter[str] = field(init=False, default_factory=Counter)
    judged: dict[str, Judgement] = field(init=False, default_factory=dict)
    turns_before: int = field(init=False)
    arrived: list[ToolRun] = field(init=False, default_factory=list)
    compactor: Compactor = field(init=False, default_factory=Compactor)
    aside: SoundsAside = field(init=False, default_factory=SoundsAside)

    def __post_init__(self) -> None:
        stored = 0 if self.keeper is None else self.keeper.ended
        if self.keeper is not None:
            self.used.update(self.keeper.used)  # a Counter adds up seconds as well
        self.turns_before = max((message.turn for message in self.conversation), default=0)
        self.turns_before = max(self.turns_before, stored)  # its last turns may have been erased

    def keep(self, number: int, end: TurnEnd | None = None) -> None:
        """Give a turn that has ended, or was corrected since, to the keeper. end: None for a correction"""
        if self.keeper is not None:
            self.keeper.keep(number, self.conversation.of_turn(number), end)

    def make_room(self, number: int) -> None:
        """Leave to a file and to the keeper what the conversation no longer needs to hold, before turn `number` begins.

        To the keeper that is rarely done, and then for many turns, because models read a conversation faster that they
        know, and words take the place of sound.
        """
        self._set_aside(number - RECENT_TURNS)
        if self.keeper is None:
            return
        messages, recent = self.conversation.messages, self.keeper.recent
        if number % SOUND_TURNS == 0:
            for position, message in enumerate(messages):
                if number - 2 * SOUND_TURNS <= message.turn < number - SOUND_TURNS:
                    messages[position] = self.keeper.lightened(message)
        if recent is not None and len(self.conversation.of_turn(number - 2 * recent)):
            start = next(
                (at for at, one in enumerate(messages) if one.turn >= number - recent and one.role == "user"), 0
            )
            messages[:start] = [message for message in messages[:start] if message.turn == 0]

    def _set_aside(self, number: int) -> None:
        """Put the sound of a turn into the file."""
        messages = self.conversation.messages
        for position in range(len(messages) - 1, -1, -1):
            message = messages[position]
            if message.turn < number:
                break
            if message.turn == number and any(isinstance(part, AudioPart | SpeechPart) for part in message.parts):
                parts = tuple(with_sound_aside(part, self.aside) for part in message.parts)
                messages[position] = replace(message, parts=parts)

    def take_late(self, run: ToolRun, *, is_news: bool) -> ToolRun:
        """Take the result of a call that came late: as its output, or as news that the next turn begins with.

        Returns it without a voice, for which it is too late.
        """
        if run.result.voice is not None and run.status == "done":
            text = f"{run.result.text} (It came too late, so the voice was not changed.)"
            run = replace(run, result=replace(run.result, text=text, voice=None))
        if is_news:
            self.arrived.append(run)
        else:
            self.replace_output(run.output)
        return run

    def bring_in(self, number: int) -> None:
        """Let the model read what has arrived in turn `number`, as calls that were made again and have a result."""
        if not self.arrived:
            return
        runs, self.arrived = self.arrived, []
        used = self.conversation.call_ids
        for run in runs:
            call_id = f"{run.call.id}-result"
            call = replace(run.call, id=call_id if call_id not in used else f"{call_id}-{number}")
            self.conversation.add("assistant", call, turn=number)
            self.conversation.add("tool", replace(run, call=call).output, turn=number)

    def replace_output(self, output: ToolOutput) -> None:
        """Take the late result of a call, whose turn may have ended."""
        if self.conversation.replace_output(output):
            outputs = ((message.turn, one.call_id) for message in self.conversation for one in message.tool_outputs)
            self.keep(next(turn for turn, call_id in outputs if call_id == output.call_id))
