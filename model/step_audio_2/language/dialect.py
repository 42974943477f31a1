"""Translates our tools into the four that Step-Audio 2 was trained on, and its calls back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agentaudio.conversation import Conversation, ToolCall, ToolOutput, ToolSpec
from agentaudio.model.speech_lm import CallDelta

Language = Literal["zh", "en"]

VOICE_CHANGED = "你的音色已经更新完成，请继续对话。"
"""The result of a change of voice, as in the training data; it is Chinese in all languages."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value that both sides spell differently.

    parameter: our name of it; ours: our spelling
    native: the model's spellings; the first is written, all are read
    """

    parameter: str
    ours: str
    native: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Twin:
    """A tool of ours, and the native tool that does the same.

    parameters: native name to our name; `fits` refuses a tool of ours that requires others
    values: argument values that are spelled differently
    result: the model reads this instead of the result, unless the call failed
    instruction: the model reads this after the result, unless the call failed
    """

    ours: str
    native: ToolSpec
    parameters: Mapping[str, str] = field(default_factory=dict)
    values: tuple[Value, ...] = ()
    result: str | None = None
    instruction: str | None = None

    def fits(self, tool: ToolSpec) -> bool:
        """Whether a tool of this name also has the parameters that this twin translates."""
        known = set(tool.parameters.get("properties") or ())
        needed = set(tool.parameters.get("required") or ())
        mapped = set(self.parameters.values())
        return tool.name == self.ours and mapped <= known and needed <= mapped

    def to_ours(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Native arguments in our names and values."""
        renamed = {self.parameters.get(name, name): value for name, value in arguments.items()}
        for value in self.values:
            spelled = renamed.get(value.parameter)
            if isinstance(spelled, str) and spelled.strip() in value.native:
                renamed[value.parameter] = value.ours
        return renamed

    def to_native(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Our arguments in native names and values."""
        native = {ours: name for name, ours in self.parameters.items()}
        spelled = {(value.parameter, value.ours): value.native[0] for value in self.values}
        return {
            native.get(name, name): spelled.get((name, value), value) if isinstance(value, str) else value
            for name, value in arguments.items()
        }


@dataclass(frozen=True, slots=True)
class Dialect:
    """The twins of one checkpoint. Each native name goes to one tool, the first in this order."""

    twins: tuple[Twin, ...] = ()

    def bind(self, tools: Sequence[ToolSpec], mentioned: Iterable[str] = ()) -> Translation:
        """Decide which tool takes which native name.

        tools: registered now
        mentioned: tools that the conversation has called, registered or not, so that its history reads
            the same with and without tools
        """
        by_name = {tool.name: tool for tool in tools}
        gone = set(mentioned) - set(by_name)
        registered = [twin for twin in self.twins if twin.ours in by_name and twin.fits(by_name[twin.ours])]
        chosen: dict[str, Twin] = {}
        taken: set[str] = set()
        for twin in (*registered, *(twin for twin in self.twins if twin.ours in gone)):
            name = twin.native.name
            # A registered tool that itself has the native name keeps it.
            if name not in taken and (name == twin.ours or name not in by_name):
                chosen[twin.ours] = twin
                taken.add(name)
        return Translation(tuple(tools), chosen)

    def translation(self, conversation: Conversation, tools: Sequence[ToolSpec] = ()) -> Translation:
        """The translation of these tools, and of tools that the conversation has called."""
        return self.bind(tools, {call.name for message in conversation for call in message.tool_calls})


@dataclass(frozen=True, slots=True)
class Translation:
    """A dialect, applied to the tools of one agent. Tools without a twin keep their names and descriptions."""

    tools: tuple[ToolSpec, ...]
    twins: Mapping[str, Twin]

    @property
    def specs(self) -> list[ToolSpec]:
        """The specs for the prompt, in the order of the tools."""
        return [self.twins[tool.name].native if tool.name in self.twins else tool for tool in self.tools]

    @property
    def aliases(self) -> dict[str, str]:
        """Our names of the tools that have a native name, which models write too; to the native names."""
        native = {twin.native.name for twin in self.twins.values()}
        return {ours: twin.native.name for ours, twin in self.twins.items() if ours not in native}

    def to_native(self, call: ToolCall) -> ToolCall:
        """A call of the conversation, as the model writes it."""
        twin = self.twins.get(call.name)
        return call if twin is None else ToolCall(call.id, twin.native.name, twin.to_native(call.arguments))

    def to_ours(self, call: ToolCall) -> ToolCall:
        """A call that the model wrote, under the native name or ours, as our tools take it."""
        for name, twin in self.twins.items():
            if call.name in (twin.native.name, name):
                return ToolCall(call.id, name, twin.to_ours(call.arguments))
        return call

    def delta(self, delta: CallDelta) -> CallDelta:
        """`to_ours` for a delta; its problem keeps the native names, as the model reads it."""
        return replace(delta, call=self.to_ours(delta.call))

    def result(self, output: ToolOutput) -> tuple[str, ...]:
        """The texts that the model reads as a result: its text, then an instruction if there is one."""
        twin = self.twins.get(output.name)
        if twin is None or output.is_error:
            return (output.text,)
        text = output.text if twin.result is None else twin.result
        return (text,) if twin.instruction is None else (text, f"\n\n\n{twin.instruction}")


def step_audio_2(language: Language = "zh") -> Dialect:
    """The native tools of Step-Audio 2: `timbre_rag`, `search`, `get_weather`, `get_date_time`.

    `search` was trained on web searches. So if an agent has both, `web_search` takes this name and
    `search_documents` keeps its own; if it has one of them, that one takes it. Descriptions of voices
    are requested in Chinese, as in the training data, whatever the language of the descriptions.

    language: of the tools' descriptions and instructions

    Source: the tools of the StepEval-Audio-Toolcall benchmark.
    """
    words = _WORDS[language]

    def native(name: str, key: str, parameter: str | None = None) -> ToolSpec:
        properties = {} if parameter is None else {parameter: {"type": "string", "description": words[f"{key}.in"]}}
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return ToolSpec(name, words[key], schema)

    query = {"query": "query"}
    default = Value("query", "default", ("默认女音色", "默认男音色", "默认音色"))
    return Dialect(
        (
            Twin("audio_search", native("timbre_rag", "voice", "query"), query, (default,), VOICE_CHANGED),
            Twin("web_search", native("search", "web", "query"), query, instruction=words["summarise"]),
            Twin("search_documents", native("search", "documents", "query"), query, instruction=words["summarise"]),
            Twin("get_weather", native("get_weather", "weather", "location"), {"location": "location"}),
            Twin("get_date_time", native("get_date_time", "clock")),
        )
    )


_WORDS: dict[Language, dict[str, str]] = {
    "zh": {
        "voice": "按描述查找一种音色，并从此用这种音色说话。",
        "voice.in": "用中文描述想要的音色，如人物、性别、年龄、语气；换回原来的音色时写“默认男音色”或“默认女音色”。",
        "web": "在互联网上检索新闻、事实等实时信息。",
        "web.in": "检索内容，完整的问题或关键词。",
        "documents": "在用户自己的文档里检索资料，回答问题前先用它查证。",
        "documents.in": "检索内容，完整的问题或关键词。",
        "weather": "查询某个地方的天气。",
        "weather.in": "地名，用英文写，例如 Beijing。",
        "clock": "查询当前的日期、星期和时间。",
        "summarise": "请用口语化形式总结检索结果，简短地回答用户的问题。",
    },
    "en": {
        "voice": "Find a voice by its description, and speak in that voice from now on.",
        "voice.in": "The wanted voice, described in Chinese: who, gender, age, manner; "
        "“默认男音色” or “默认女音色” goes back to the usual one.",
        "web": "Search the web for news, facts and anything recent.",
        "web.in": "What to look for, as a question or in key words.",
        "documents": "Search the user's own documents; check here before answering.",
        "documents.in": "What to look for, as a question or in key words.",
        "weather": "Look up the weather of a place.",
        "weather.in": "The place, in English, such as Beijing.",
        "clock": "Tell the current date, weekday and time.",
        "summarise": "Answer the user's question from these results, briefly, the way one speaks, "
        "in the language that the user speaks.",
    },
}
