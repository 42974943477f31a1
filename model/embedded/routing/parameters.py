"""The parameters of a tool, read from its JSON Schema."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.intents import words_like
from agentaudio.text.stems import stem
from agentaudio.text.template import Phrase, Template
from agentaudio.text.words import content_words, stems

Meaning = Literal["query", "voice", "expression", "timezone", "time", "text"]
MANY_PHRASES = 64
NEVER_PLACES = frozenset(
    "celsius fahrenheit kelvin mars venus jupiter saturn mercury uranus neptune pluto moon sun earth space late early "
    "accent anywhere somewhere everywhere nowhere night day morning evening afternoon noon middle way number weekend "
    "week month year hour minute time world country city town village place places quiet loud calm voice sound one two "
    "three old young new big small daughter son mother father brother sister husband wife friend mum dad aunt uncle "
    "cousin colleague boss neighbour neighbor granddaughter grandson kids children baby dog cat phone ringing call "
    "question answer result wonder idea guess course sure fun party holiday holidays vacation trip flight plane train "
    "bus car bike walk home house garden kitchen outside inside beach seaside mountains sea side there wise usual "
    "normal same different other next last first previous plain simple short long high low fast slow bad good better "
    "best worse worst awful terrible lovely pretty beautiful ugly odd strange funny sad happy glad tired hungry "
    "thirsty busy free ready able possible please thank sorry hello summer winter spring autumn meeting work office "
    "school game match dinner lunch breakfast tea coffee umbrella coat jacket clothes shoes news story music song "
    "water milk food black white green red blue yellow brown grey joke everything nothing something anything someone "
    "anyone everyone people person man woman child".split()
)
"""Words that are never the name of a place by themselves, whatever stands before them."""
_QUOTED = re.compile(r"[\"“'‘]([^\"”“]{2,60}?)[\"”'’](?=[\s,.;)]|$)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool.

    kind: JSON type; "string" when the schema does not name one
    meaning: for strings, the rule that finds the value
    choices: the values of an enum
    examples: values that the schema or the description shows
    smallest: the schema's minimum
    """

    name: str
    kind: str
    required: bool
    description: str
    choices: tuple[Any, ...] = ()
    examples: tuple[str, ...] = ()
    meaning: Meaning = "text"
    smallest: float | None = None

    @property
    def noun(self) -> str:
        """The last significant word of the name: "museum" for `museum_name` and for `museum`."""
        words = [word for word in _name_words(self.name) if word not in ("name", "title", "id")]
        return words[-1] if words else self.name

    @property
    def stems(self) -> frozenset[str]:
        """Stems of the name and the description, without quoted examples."""
        return stems(" ".join(_name_words(self.name)) + " " + _QUOTED.sub(" ", self.description))

    @property
    def names_place(self) -> bool:
        """Whether the value is a city, a country or another place on a map."""
        return bool({"city", "country", "place", "location", "town"} & {self.noun, *self.stems})


def parameters(tool: ToolSpec) -> tuple[Parameter, ...]:
    """The parameters of a tool in the order of its schema; none when the schema does not list properties."""
    return _read(tool.name, json.dumps(tool.parameters, sort_keys=False, default=str))


@functools.lru_cache(maxsize=512)
def _read(tool: str, schema_text: str) -> tuple[Parameter, ...]:
    schema = json.loads(schema_text)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return ()
    required = schema.get("required")
    wanted = set(required) if isinstance(required, list) else set()
    return tuple(_parameter(tool, name, held, schema, name in wanted) for name, held in properties.items())


def _parameter(tool: str, name: str, held: Any, root: Mapping[str, Any], required: bool) -> Parameter:
    schema = _resolved(held, root)
    choices = schema.get("enum")
    if "const" in schema:
        choices = [schema["const"]]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), "string")
    outer = held if isinstance(held, dict) else {}
    description = str(outer.get("description") or schema.get("description") or "")
    shown = outer.get("examples") or schema.get("examples") or []
    examples = [str(item) for item in shown] if isinstance(shown, list) else []
    examples += [found for found in _QUOTED.findall(description) if found not in examples]
    smallest = schema.get("minimum")
    return Parameter(
        name=name,
        kind=kind if isinstance(kind, str) else "string",
        required=required,
        description=description,
        choices=tuple(choices) if isinstance(choices, list) else (),
        examples=tuple(examples),
        meaning=_meaning(tool, name, description),
        smallest=float(smallest) if isinstance(smallest, int | float) else None,
    )


def _resolved(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
    """The schema with $ref followed, and X for `anyOf [X, null]`."""
    if not isinstance(schema, Mapping) or depth > 8:
        return {}
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        target: Any = root
        for step in reference[2:].split("/"):
            target = target.get(step) if isinstance(target, Mapping) else None
        return _resolved(target, root, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key)
        if isinstance(options, list):
            found = [_resolved(option, root, depth + 1) for option in options]
            real = [option for option in found if option and option.get("type") != "null"]
            if real:
                return real[0]
    return schema


def _meaning(tool: str, name: str, description: str) -> Meaning:
    words = set(_name_words(name))
    said = description.lower()
    if words & {"timezone", "tz"} or {"time", "zone"} <= words or "iana" in said:
        return "timezone"
    if words & {"expression", "formula", "calculation", "equation"}:
        return "expression"
    if "voice" in words or (words & {"query"} and (tool == "audio_search" or "sound like" in said)):
        return "voice"
    if words & {"query", "question", "topic", "search", "keywords", "prompt", "request"}:
        return "query"
    if words & {"hour", "time", "clock", "when"}:
        return "time"
    return "text"


def _name_words(name: str) -> list[str]:
    spread = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[\W_]+", spread.lower()) if word]


def vocabulary(tool: ToolSpec) -> frozenset[str]:
    """Stems of a tool's name, description, parameters, choices and phrases.

    Phrases are left out when there are more than MANY_PHRASES: then they are sentences of documents, which do not
    describe the tool.
    """
    phrases = tool.phrases if len(tool.phrases) <= MANY_PHRASES else ()
    return _vocabulary(tool.name, tool.description, parameters(tool), phrases)


@functools.lru_cache(maxsize=512)
def _vocabulary(
    name: str, description: str, wanted: tuple[Parameter, ...], phrases: tuple[Phrase, ...]
) -> frozenset[str]:
    found = set(stems(" ".join(_name_words(name)) + " " + description))
    found |= {stem(word) for word in words_like(name, description)}
    for parameter in wanted:
        found |= parameter.stems
        found |= {stem(word) for choice in parameter.choices for word in content_words(str(choice))}
    for phrase in phrases:
        found |= stems(" ".join(phrase.fragments) if isinstance(phrase, Template) else phrase)
    return frozenset(found)
