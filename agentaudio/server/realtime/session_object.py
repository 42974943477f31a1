"""`SessionObject`: the settings of a session as the protocol knows them, and how updates are merged into them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from agentaudio.errors import OptionError
from agentaudio.server.realtime.formats import SoundFormat, read_format
from agentaudio.server.realtime.items import new_id
from agentaudio.server.realtime.refusal import Refusal, wrong_type
from agentaudio.server.realtime.turn_detection import SERVER_VAD, read_turn_detection
from agentaudio.tools.external import external_tool
from agentaudio.tools.tool import Tool

MOST_TOOLS = 128
MOST_TOKENS = 1_000_000
LONGEST_NAME = 500
"""Characters of a voice's name or description, and of other short texts."""

_BETA = {
    "modalities": ("output_modalities",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "max_response_output_tokens": ("max_output_tokens",),
}
"""Where the flat fields of 2024 are today."""


class SessionObject:
    """The settings of one session.

    session_id: as clients see it
    model: its name
    longest_text: characters of the instructions and of all tools together

    `update` raises Refusal, and then changes nothing.
    """

    def __init__(self, session_id: str, model: str, *, longest_text: int) -> None:
        self._longest_text = longest_text
        self.wants_events = False  # events of our own
        self.conversation_id = new_id("conv")
        self._now: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": session_id,
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "",
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "truncation": "auto",
            "tracing": None,
            "prompt": None,
            "include": None,
            "audio": {
                "input": {
                    "format": SoundFormat().to_wire(),
                    "noise_reduction": None,
                    "transcription": None,
                    "turn_detection": dict(SERVER_VAD),
                },
                "output": {"format": SoundFormat().to_wire(), "voice": "default", "speed": 1.0},
            },
        }

    def copy(self) -> SessionObject:
        """A copy to change; `take` makes its settings those of this one."""
        other = copy.copy(self)
        other._now = copy.deepcopy(self._now)
        return other

    def take(self, other: SessionObject) -> None:
        self._now, self.wants_events = other._now, other.wants_events

    def update(self, change: Any, param: str = "session") -> None:
        """Merge a change, in today's form or with the flat fields of 2024: only what is sent changes."""
        if not isinstance(change, dict):
            raise wrong_type(param, "an object")
        if change.get("type") not in (None, "realtime"):
            raise Refusal(f"Invalid value for '{param}.type': only 'realtime' sessions.", param=f"{param}.type")
        new = copy.deepcopy(self._now)
        for name, value in _today(change).items():
            if name == "audio":
                _merge_audio(new["audio"], value, f"{param}.audio")
            elif name in _CHECKS and (value is not None or name not in _NOT_NULL):
                new[name] = _CHECKS[name](value, f"{param}.{name}")
        size = len(new["instructions"] or "") + len(str(new["tools"]))
        if size > self._longest_text:
            raise Refusal(
                f"The instructions and tools have {size} characters; the server takes {self._longest_text}.",
                code="string_above_max_length", param=f"{param}.instructions",
            )  # fmt: skip
        if isinstance(own := change.get("agentaudio"), dict) and isinstance(own.get("events"), bool):
            self.wants_events = own["events"]
        self._now = new

    def to_wire(self, *, beta: bool = False) -> dict[str, Any]:
        """The whole session as an object; with the flat fields of 2024 for clients of that time."""
        session = copy.deepcopy(self._now)
        if not beta:
            return session
        del session["audio"], session["type"]
        session["modalities"] = ["text"] if self.speaks is False else ["text", "audio"]
        for name, path in _BETA.items():
            if path[0] == "audio":
                session[name] = copy.deepcopy(self._now[path[0]][path[1]][path[2]])
        session["input_audio_format"] = self.input_format.to_beta()
        session["output_audio_format"] = self.output_format.to_beta()
        session["max_response_output_tokens"] = session.pop("max_output_tokens")
        return session

    @property
    def id(self) -> str:
        return str(self._now["id"])

    @property
    def speaks(self) -> bool:
        return "audio" in self._now["output_modalities"]

    @property
    def instructions(self) -> str:
        return self._now["instructions"] or ""

    @property
    def tools(self) -> list[dict[str, Any]]:
        return list(self._now["tools"])

    @property
    def tool_choice(self) -> Any:
        return self._now["tool_choice"]

    @property
    def max_output_tokens(self) -> int | str:
        found: int | str = self._now["max_output_tokens"]
        return found

    @property
    def speed(self) -> float:
        return float(self._now["audio"]["output"]["speed"])

    @property
    def voice(self) -> str:
        return str(self._now["audio"]["output"]["voice"])

    def show_voice(self, name: str) -> None:
        """Report the voice in force."""
        self._now["audio"]["output"]["voice"] = name

    @property
    def input_format(self) -> SoundFormat:
        return read_format(self._now["audio"]["input"]["format"], "session.audio.input.format")

    @property
    def output_format(self) -> SoundFormat:
        return read_format(self._now["audio"]["output"]["format"], "session.audio.output.format")

    @property
    def turn_detection(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._now["audio"]["input"]["turn_detection"]
        return found

    @property
    def transcription(self) -> Mapping[str, Any] | None:
        """None when the client does not want the user's words."""
        found: Mapping[str, Any] | None = self._now["audio"]["input"]["transcription"]
        return found


def read_voice(value: Any, param: str) -> str:
    """The voice that a client names: a string, or an object with its id. Raises Refusal."""
    if isinstance(value, dict):
        value, param = value.get("id"), f"{param}.id"
    if not isinstance(value, str) or not 0 < len(value.strip()) <= LONGEST_NAME:
        raise wrong_type(param, f"a name, an id or a description of at most {LONGEST_NAME} characters")
    return value.strip()


def read_modalities(value: Any, param: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(one in ("text", "audio") for one in value):
        raise Refusal(f"Invalid value for '{param}'. Supported values are: ['audio'], ['text'].", param=param)
    return ["audio"] if "audio" in value else ["text"]


def read_tools(value: Any, param: str) -> list[dict[str, Any]]:
    """The tools in the flat form; those of chat completions are taken too. Raises Refusal."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST_TOOLS:
        raise wrong_type(param, f"a list of at most {MOST_TOOLS} tools")
    tools: dict[str, dict[str, Any]] = {}
    for number, one in enumerate(value):
        place = f"{param}[{number}]"
        if not isinstance(one, dict):
            raise wrong_type(place, "an object")
        if one.get("type", "function") != "function":
            raise Refusal(
                f"Invalid value for '{place}.type': only 'function'; MCP servers are set up on this server.",
                param=f"{place}.type",
            )
        given = one["function"] if isinstance(one.get("function"), dict) else one
        name, about = given.get("name"), given.get("description")
        if not isinstance(name, str) or not isinstance(about, str | None):
            raise wrong_type(f"{place}.name", "a string")
        parameters = given.get("parameters")
        tools[name] = {
            "type": "function",
            "name": name,
            "description": about or "",
            "parameters": {"type": "object", "properties": {}} if parameters is None else parameters,
        }
        client_tool(tools[name], place)
    return list(tools.values())


def client_tool(flat: Mapping[str, Any], param: str = "session.tools") -> Tool:
    """A tool that the client runs. Raises Refusal for a name or a schema that cannot be used."""
    parameters = flat["parameters"]
    if isinstance(parameters, dict) and parameters.keys() <= {
        "properties",
        "required",
        "additionalProperties",
        "$schema",
    }:
        parameters = {"type": "object", **parameters}
    try:
        return external_tool(flat["name"], flat["description"] or flat["name"], parameters)
    except OptionError as error:
        raise Refusal(str(error), param=f"{param}.parameters") from None


def read_tool_choice(value: Any, param: str) -> Any:
    if value is None:
        return "auto"
    if value in ("auto", "none", "required"):
        return value
    given = value.get("function", value) if isinstance(value, dict) else None
    if isinstance(given, dict) and isinstance(given.get("name"), str):
        return {"type": "function", "name": given["name"]}
    raise Refusal(
        f"Invalid value for '{param}'. Supported values are: 'auto', 'none', 'required', and "
        '{"type": "function", "name": ...}.',
        param=param,
    )


def read_max_tokens(value: Any, param: str) -> int | str:
    if value in (None, "inf"):
        return "inf"
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_TOKENS:
        raise Refusal(f"Invalid value for '{param}': give a whole number from 1, or 'inf'.", param=param)
    return value


def read_text(value: Any, param: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong_type(param, "a string")
    return value


def _today(change: Mapping[str, Any]) -> dict[str, Any]:
    """The change with the flat fields of 2024 moved to where they are today."""
    found = {name: value for name, value in change.items() if name not in _BETA}
    for name in change.keys() & _BETA.keys():
        *path, last = _BETA[name]
        place = found
        for step in path:
            inner = place.get(step)
            place[step] = dict(inner) if isinstance(inner, dict) else {}
            place = place[step]
        place.setdefault(last, change[name])
    return found


def _merge_audio(audio: dict[str, Any], change: Any, param: str) -> None:
    if change is None:
        return
    if not isinstance(change, dict):
        raise wrong_type(param, "an object")
    for side in ("input", "output"):
        part = change.get(side)
        if part is None:
            continue
        if not isinstance(part, dict):
            raise wrong_type(f"{param}.{side}", "an object")
        for name, value in part.items():
            place = f"{param}.{side}.{name}"
            if name == "format" and value is not None:
                audio[side][name] = read_format(value, place).to_wire()
            elif side == "input" and name == "turn_detection":
                audio[side][name] = read_turn_detection(value, place)
            elif side == "input" and name in ("transcription", "noise_reduction"):
                if not isinstance(value, dict | None):
                    raise wrong_type(place, "an object or null")
                merged = None if value is None else (audio[side][name] or {}) | value
                audio[side][name] = _as_sent(merged, place)
            elif side == "output" and name == "voice":
                audio[side][name] = "default" if value is None else read_voice(value, place)
            elif side == "output" and name == "speed" and value is not None:
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0.25 <= value <= 4:
                    raise Refusal(f"Invalid value for '{place}': give a number from 0.25 to 4.", param=place)
                audio[side][name] = value


def _as_sent(value: Any, param: str) -> Any:
    """Settings that are kept and shown, and have no effect here."""
    if len(str(value)) > 10_000:
        raise Refusal(f"'{param}' is too long.", code="string_above_max_length", param=param)
    return value


_NOT_NULL = frozenset(("output_modalities",))
"""Settings that null leaves as they are."""
_CHECKS = {
    "output_modalities": read_modalities,
    "instructions": read_text,
    "tools": read_tools,
    "tool_choice": read_tool_choice,
    "max_output_tokens": read_max_tokens,
    "parallel_tool_calls": _as_sent,
    "truncation": _as_sent,
    "tracing": _as_sent,
    "prompt": _as_sent,
    "include": _as_sent,
    "reasoning": _as_sent,
}
