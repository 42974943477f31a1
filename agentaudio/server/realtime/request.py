"""`Request`: what a `response.create` asks for, merged with the settings of the session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentaudio.conversation import Conversation
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.server.realtime.formats import SoundFormat, read_format
from agentaudio.server.realtime.history import History
from agentaudio.server.realtime.items import Item, ItemLimits, read_item, text_length
from agentaudio.server.realtime.refusal import Refusal, wrong_type
from agentaudio.server.realtime.session_object import (
    SessionObject,
    client_tool,
    read_max_tokens,
    read_modalities,
    read_text,
    read_tool_choice,
    read_tools,
    read_voice,
)
from agentaudio.setup import Setup
from agentaudio.tools.context import RunContext

MOST_METADATA = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How one response is made.

    instructions: of this response; None for those of the session
    voice: for this response; None is the session's
    items: what it answers; None is the conversation
    is_apart: whether it runs beside the conversation
    is_plain: whether it asks for nothing of its own, as clients do after the result of a call
    """

    speaks: bool = True
    instructions: str | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = "auto"
    max_tokens: int | str = "inf"
    voice: str | None = None
    form: SoundFormat = SoundFormat()
    metadata: Mapping[str, str] | None = None
    items: tuple[Item, ...] | None = None
    is_apart: bool = False
    is_plain: bool = True

    @classmethod
    def of(cls, session: SessionObject, given: Any, history: History, limits: ItemLimits) -> Request:
        """Read a `response.create`. given: its `response`; None for one that the server begins. Raises Refusal."""
        own = Request(
            speaks=session.speaks, tools=tuple(session.tools), tool_choice=session.tool_choice,
            max_tokens=session.max_output_tokens, form=session.output_format,
        )  # fmt: skip
        if given is None:
            return own
        if not isinstance(given, dict):
            raise wrong_type("response", "an object")
        changes: dict[str, Any] = {}
        for name, field, read in _FIELDS:
            if given.get(name) is not None:
                changes[field] = read(given[name], f"response.{name}")
        if given.get("modalities") is not None and "output_modalities" not in given:
            changes["speaks"] = _speaks(given["modalities"], "response.modalities")
        audio = given.get("audio")
        output = audio.get("output") if isinstance(audio, dict) else None
        if isinstance(output, dict):
            if output.get("format") is not None:
                changes["form"] = read_format(output["format"], "response.audio.output.format")
            if output.get("voice") is not None:
                changes["voice"] = read_voice(output["voice"], "response.audio.output.voice")
        changes["is_apart"] = given.get("conversation") == "none"
        if given.get("conversation") not in (None, "auto", "none"):
            raise Refusal("Supported values are: 'auto', 'none'.", param="response.conversation")
        if given.get("input") is not None:
            changes["items"] = _input(given["input"], history, limits)
        asked = changes.keys() & {"instructions", "tools", "tool_choice", "items"} or changes["is_apart"]
        return replace(own, **changes, is_plain=not asked)

    def check_choice(self, base: Setup) -> None:
        """Raises Refusal when the tool that is to be called is not among the tools."""
        if isinstance(self.tool_choice, dict) and not self.setup(base).tools:
            raise Refusal(
                f"Tool choice '{self.tool_choice['name'][:80]}' not found in 'tools'.", param="response.tool_choice"
            )

    def setup(self, base: Setup) -> Setup:
        """The agent's, with the tools of the client; a client's tool comes before one of the same name."""
        mine = {tool["name"]: client_tool(tool) for tool in self.tools}
        tools = {**base.tools, **mine}
        if self.tool_choice == "none":
            tools = {}
        elif isinstance(self.tool_choice, dict):
            tools = {name: tool for name, tool in tools.items() if name == self.tool_choice["name"]}
        if tools.keys() == base.tools.keys() and not mine:
            return base
        whole = replace(base, tools=tools, _specs=[])
        if base.ready or not base.tools:
            known = {spec.name: spec for spec in base.specs()}
            nothing = RunContext(Conversation(), None)
            whole._specs.append(tuple(mine[n].spec(nothing) if n in mine else known[n] for n in tools))
        return whole

    def options(self, base: Setup) -> GenerateOptions:
        """The agent's, as far as its model takes them."""
        options = replace(base.options, speak=self.speaks and base.options.speak)
        if isinstance(self.max_tokens, int) and "max_tokens" in base.model.capabilities.options:
            options = replace(options, max_tokens=self.max_tokens)
        if "must_call" in base.model.capabilities.options and self.setup(base).tools:
            if isinstance(self.tool_choice, dict):
                options = replace(options, must_call=self.tool_choice["name"])
            elif self.tool_choice == "required":
                options = replace(options, must_call=True)
        return options


def _speaks(value: Any, param: str) -> bool:
    return read_modalities(value, param) == ["audio"]


def _metadata(value: Any, param: str) -> Mapping[str, str]:
    if not isinstance(value, dict) or len(value) > MOST_METADATA or len(str(value)) > 20_000:
        raise wrong_type(param, f"an object of at most {MOST_METADATA} short strings")
    return {str(name): one if isinstance(one, str) else str(one) for name, one in value.items()}


def _tools(value: Any, param: str) -> tuple[Mapping[str, Any], ...]:
    return tuple(read_tools(value, param))


def _input(value: Any, history: History, limits: ItemLimits) -> tuple[Item, ...]:
    if not isinstance(value, list) or len(value) > 1_000:
        raise wrong_type("response.input", "a list of items")
    found: list[Item] = []
    for number, one in enumerate(value):
        if isinstance(one, dict) and one.get("type") == "item_reference":
            item = history.get(one.get("id"))
            if item is None:
                raise Refusal(
                    f"There is no item {str(one.get('id'))[:60]!r}.", code="invalid_item_reference",
                    param=f"response.input[{number}].id",
                )  # fmt: skip
            found.append(item)
        else:
            place = f"response.input[{number}]"
            found.append(read_item(one, limits, param=place))
    if sum(text_length(one) for one in found) > limits.text_chars:
        raise Refusal(
            f"'response.input' has more than the {limits.text_chars} characters that the server takes.",
            code="string_above_max_length", param="response.input",
        )  # fmt: skip
    return tuple(found)


_FIELDS = (
    ("output_modalities", "speaks", _speaks),
    ("instructions", "instructions", read_text),
    ("tools", "tools", _tools),
    ("tool_choice", "tool_choice", read_tool_choice),
    ("max_output_tokens", "max_tokens", read_max_tokens),
    ("max_response_output_tokens", "max_tokens", read_max_tokens),
    ("voice", "voice", read_voice),
    ("output_audio_format", "form", read_format),
    ("metadata", "metadata", _metadata),
)
