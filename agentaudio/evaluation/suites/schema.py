"""`Suite`: the content of a suite file. Dialogues of turns, and what each turn must bring about."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from agentaudio.live.latency import STAGES
from agentaudio.live.session import FIRST_WORD_S
from agentaudio.reply import StopReason

Stage = Literal["decision", "heard", "first_token", "first_sound", "first_played", "total"]
assert get_args(Stage) == STAGES

Seconds = Annotated[float, Field(gt=0, le=3600)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=1000)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[Name], Field(min_length=1), BeforeValidator(_as_list)]
"""One or several. Of words, each must be found; "a|b" is found where either is."""


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Form):
    """What an argument must be, where it is not one fixed value. One of these:

    contains: words of a text, in any case
    any_of: one of several values
    computes: the value of an arithmetic expression, such as 391 for "17*23"
    """

    contains: Names | None = None
    any_of: Annotated[list[str | int | float | bool | None], Field(min_length=1)] | None = None
    computes: float | None = None

    @model_validator(mode="after")
    def _one(self) -> Rule:
        if len(self.model_fields_set) != 1:
            raise ValueError("give one of contains, any_of and computes")
        return self


Value = str | int | float | bool | None


def _kind(value: Any) -> str:
    return "mapping" if isinstance(value, dict | BaseModel) else "plain"


ArgumentRule = Annotated[Annotated[Rule, Tag("mapping")] | Annotated[Value, Tag("plain")], Discriminator(_kind)]


class VoiceRule(_Form):
    """The voice of the answer. A plain string is an id.

    id: of the voice; "a|b" accepts either
    attributes: fields of its card, such as `gender: male`
    like: id of a voice, or a sound file, that the answer's sound must resemble
    at_least: the cosine of speaker embeddings that `like` asks for; the encoder's own threshold by default
    """

    id: Name | None = None
    attributes: dict[Literal["gender", "age", "accent", "style", "language"], Name] = Field(default_factory=dict)
    like: Name | None = None
    at_least: Annotated[float, Field(gt=-1, lt=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_id(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _not_empty(self) -> VoiceRule:
        if not (self.id or self.attributes or self.like):
            raise ValueError("give an id, attributes or like")
        if self.at_least is not None and self.like is None:
            raise ValueError("at_least belongs to like")
        return self


class Expect(_Form):
    """What a turn must bring about. What is left out is not checked.

    tool: called once each, and no other tool; a name or a list of names
    no_tool: nothing is called
    arguments: of the one tool. Others may be given, too. Texts are compared without case and punctuation
    voice: of the answer
    says, never_says: words of the answer's text
    audible: words that a recogniser hears in the answer's sound
    cites: documents that the answer relies on, by title or by file name without its ending
    supported: every number and most words of each sentence were said by a tool or the user before
    language: of the answer's text, as a BCP-47 code without region
    within: most seconds until a stage of the turn
    stop: how the turn ends
    result_of: tools whose results are in the conversation when the turn has ended
    stops_agent_within_s: seconds from the user's first sound to the agent's silence. In a live dialogue
    agent_goes_on: the agent keeps speaking, and answers nothing to this turn. In a live dialogue
    """

    tool: Names | None = None
    no_tool: Literal[True] | None = None
    arguments: dict[str, ArgumentRule] = Field(default_factory=dict)
    voice: VoiceRule | None = None
    says: Names | None = None
    never_says: Names | None = None
    audible: Names | None = None
    cites: Names | None = None
    supported: Literal[True] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    within: dict[Stage, Seconds] = Field(default_factory=dict)
    stop: StopReason | None = None
    result_of: Names | None = None
    stops_agent_within_s: Seconds | None = None
    agent_goes_on: Literal[True] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Expect:
        if not self.model_fields_set:
            raise ValueError("expect is empty; say what must happen, or leave it out")
        if self.no_tool and self.tool is not None:
            raise ValueError("tool and no_tool exclude each other")
        if self.arguments and len(self.tool or ()) != 1:
            raise ValueError("arguments need one tool; write its name at tool")
        if self.agent_goes_on and self.stops_agent_within_s is not None:
            raise ValueError("agent_goes_on and stops_agent_within_s exclude each other")
        return self

    @property
    def is_live(self) -> bool:
        """Whether only a live dialogue can show it."""
        return self.agent_goes_on is not None or self.stops_agent_within_s is not None


class Moment(_Form):
    """When a turn of a live dialogue begins. One of these:

    agent_spoke_s: the agent has spoken for so long since the turn before
    quiet_s: nobody has spoken for so long
    """

    agent_spoke_s: Seconds | None = None
    quiet_s: Seconds | None = None

    @model_validator(mode="after")
    def _one(self) -> Moment:
        if len(self.model_fields_set) != 1:
            raise ValueError("give one of agent_spoke_s and quiet_s")
        return self


class UserTurn(_Form):
    """What the user says, in one of three ways, and what must follow.

    say: a text that a synthesiser speaks
    type: a text that is typed
    sound: a sound file; a relative path starts at the suite's folder
    voice: who speaks `say`: id of a demo voice; the suite's turn by turn by default
    begins: in a live dialogue; after 0.5 s in which nobody speaks by default
    """

    say: Name | None = None
    type: Name | None = None
    sound: Name | None = None
    voice: Name | None = None
    begins: Moment | None = None
    expect: Expect | None = None

    @model_validator(mode="after")
    def _one(self) -> UserTurn:
        if sum(one is not None for one in (self.say, self.type, self.sound)) != 1:
            raise ValueError("give one of say, type and sound")
        if self.voice is not None and self.say is None:
            raise ValueError("voice belongs to say")
        return self

    @property
    def shown(self) -> str:
        """The turn in a few words."""
        return self.say or self.type or f"[{self.sound}]"


class Dialogue(_Form):
    """A conversation of one session.

    kind: of what it tries, for the table
    language: BCP-47 code of what the user says
    live: in real time, over `Agent.live`: the user may interrupt
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    kind: Name = "dialogue"
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] = "en"
    live: bool = False
    turns: Annotated[list[UserTurn], Field(min_length=1, max_length=100)]


class AgentSetup(_Form):
    """The arguments of `Agent`. Relative paths start at the suite's folder."""

    tools: list[Name] = Field(default_factory=list)
    documents: Name | None = None
    voices: Name | None = None
    voice: Name | None = None
    instructions: str | None = None


class Speaking(_Form):
    """Who speaks the user's texts.

    synthesiser: NAME or NAME:ARGUMENT, as for `load_synthesiser`
    voices: ids of demo voices by language, taken in turn; without an entry the synthesiser's own voice speaks
    """

    synthesiser: Name = "kokoro"
    voices: dict[str, list[Name]] = Field(default_factory=dict)


class LiveOptions(_Form):
    """The settings of live dialogues, as in LiveSettings. `ears: null` and `turn_model: null` are for none."""

    ears: Name | None = "auto"
    turn_model: Name | None = "auto"
    first_word_s: Seconds = FIRST_WORD_S


class Percentiles(_Form):
    """Most seconds."""

    p50: Seconds | None = None
    p95: Seconds | None = None


class Require(_Form):
    """What the whole run must reach, instead of every dialogue in every run.

    pass_at_1: mean share of runs in which a dialogue passes
    pass_every: share of dialogues that pass in every run (pass^k)
    within: percentiles of the stages of all turns
    """

    pass_at_1: Share | None = None
    pass_every: Share | None = None
    within: dict[Stage, Percentiles] = Field(default_factory=dict)


class Suite(_Form):
    """A suite file.

    agent: arguments of `Agent`, or "module:function" of a function that makes the agent of a model
    ear: recogniser that `audible` asks, as for `load_recogniser`
    live: settings of live dialogues
    repeats: how often each dialogue is run
    """

    name: Name
    agent: Annotated[
        Annotated[AgentSetup, Tag("mapping")] | Annotated[str, Field(pattern=r"^[\w.]+:\w+$"), Tag("plain")],
        Discriminator(_kind),
    ]
    speaking: Speaking = Speaking()
    ear: Name = "whisper:base"
    live: LiveOptions = LiveOptions()
    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    require: Require | None = None
    dialogues: Annotated[list[Dialogue], Field(min_length=1, max_length=10_000)]
