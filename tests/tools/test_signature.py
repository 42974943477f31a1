"""What may be a tool: docstrings of every shape, callables of every kind, and the refusals."""

from __future__ import annotations

import asyncio
import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from agentaudio import Agent, RunContext, Tool, tool
from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError
from agentaudio.model.scripted import Scripted
from agentaudio.tools.arguments import OpenArguments
from agentaudio.tools.builtin.calculate import calculate
from agentaudio.tools.signature import FIRST


def call(made: Tool, **arguments: Any) -> str:
    return asyncio.run(made.call(RunContext(Conversation(), deps=7), arguments)).text


def heat(room: str, degrees: int = 20) -> str:
    return f"{room} {degrees}"


def with_docstring(text: str) -> Tool:
    def documented(room: str, degrees: int = 20) -> str:
        return room

    documented.__doc__ = text
    return tool(documented)


BOTH = {"room": "where to heat", "degrees": "how warm"}


@pytest.mark.parametrize(
    ("docstring", "text", "described"),
    [
        (
            "Heat.\n\nCaution:\n    Not above 25.\n\nArgs:\n    room: where to heat\n    degrees (int): how\n"
            "        warm\n\nReturns:\n    text\n\nRaises:\n    ValueError: never",
            "Heat.\n\nCaution:\nNot above 25.",
            BOTH,
        ),
        ("Args:\n        room: where to heat\n        degrees: how warm\n    ", "documented", BOTH),
        ("Args:\n        room: where to heat\n\n    Heat.\n\n    Hint: ask first.", "Heat.\n\nHint: ask first.",
         {"room": "where to heat"}),
        ("Params:\n    room: where to heat\n\nKeyword Arguments:\n    degrees: how warm\n", "documented", BOTH),
        ("Heat.\nParameters:\n    room: where to heat\nOther Parameters:\n    degrees: how warm\nOnly at night.",
         "Heat.\n\nOnly at night.", BOTH),
        ("Heat.\n\nSay it like so:\n    - warm the room\n    - heat it\n",
         "Heat.\n\nSay it like so:\n- warm the room\n- heat it", {}),
        ("Heat.\n\nWarning: Not at night\n    The pump is loud.\n\nArgs:\n    room: where to heat",
         "Heat.\n\nWarning: Not at night\nThe pump is loud.", {"room": "where to heat"}),
        ("Heat.\n\nExamples:\n    >>> heat('hall')\n    'hall'\n", "Heat.\n\nExamples:\n>>> heat('hall')\n'hall'", {}),
        ("Heat.\n\nNote: only in winter.", "Heat.\n\nNote: only in winter.", {}),
        (
            "Heat.\n\n.. note::\n   Only in winter.\n\n:param room: where\n    to heat\n:kwarg degrees: how warm\n"
            ":rtype: str\n\nNot above 25.",
            "Heat.\n\n.. note::\n   Only in winter.\n\nNot above 25.",
            BOTH,
        ),
        (
            "Heat.\n\nParameters\n----------\nroom : str\n    where to heat\n\nOther Parameters\n----------------\n"
            "degrees\n    how warm\n\nReturns\n-------\nstr\n\nNotes\n-----\nOnly in winter.\n",
            "Heat.\n\nNotes:\nOnly in winter.",
            BOTH,
        ),
    ],
)  # fmt: skip
def test_all_that_a_docstring_says_reaches_the_model(docstring: str, text: str, described: dict[str, str]) -> None:
    made = with_docstring(docstring)
    assert made.description == text
    properties = made.parameters["properties"]
    assert {name: one["description"] for name, one in properties.items() if "description" in one} == described


class Heater:
    """Heats rooms."""

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, room: str, degrees: int = 20) -> str:
        return f"{room} {min(degrees, self.most)}"

    def warm(self, room: str) -> str:
        """Warm a room."""
        return f"{room} {self.most}"

    @classmethod
    def standard(cls, room: str) -> str:
        """Standard heat."""
        return f"{room} {cls.__name__}"

    @staticmethod
    def off(room: str) -> str:
        """Switch off."""
        return f"{room} 0"


class AsyncHeater:
    async def __call__(self, room: str) -> str:
        """Heat without blocking."""
        await asyncio.sleep(0)
        return f"{room} warm"


@pytest.mark.parametrize(
    ("given", "name", "description", "result"),
    [
        (Heater(18), "Heater", "Heats rooms.", "hall 18"),
        (AsyncHeater(), "AsyncHeater", "Heat without blocking.", "hall warm"),
        (Heater(18).warm, "warm", "Warm a room.", "hall 18"),
        (Heater.standard, "standard", "Standard heat.", "hall Heater"),
        (Heater.off, "off", "Switch off.", "hall 0"),
        (inspect.getattr_static(Heater, "off"), "off", "Switch off.", "hall 0"),
        (functools.partial(heat, degrees=5), "heat", "heat", "hall 5"),
        (functools.partial(functools.partial(Heater(30), degrees=25)), "Heater", "Heats rooms.", "hall 25"),
    ],
)
def test_callables_of_every_kind_are_tools(given: Any, name: str, description: str, result: str) -> None:
    made = tool(given)
    assert (made.name, made.description) == (name, description)
    assert call(made, room="hall") == result


def test_what_a_partial_has_set_is_not_shown_to_the_model_and_cannot_be_changed() -> None:
    def look(key: str, city: str) -> str:
        return f"{key} {city}"

    for given in (functools.partial(look, "secret"), functools.partial(look, key="secret")):
        made = tool(given)
        assert list(made.parameters["properties"]) == ["city"] and "secret" not in str(made.parameters)
        assert call(made, city="Oslo") == "secret Oslo"
        with pytest.raises(Exception, match="key"):
            call(made, city="Oslo", key="other")


def last(room: str, context: RunContext[int]) -> str:
    return f"{room} {context.deps}"


def keyword(room: str, *, context: RunContext) -> str:
    return f"{room} {context.deps}"


def optional(room: str, context: RunContext | None = None) -> str:
    return f"{room} {context.deps if context else None}"


def annotated(room: str, context: Annotated[RunContext[int], "who asks"]) -> str:
    return f"{room} {context.deps}"


def positional(context: RunContext, /, room: str) -> str:
    return f"{room} {context.deps}"


@pytest.mark.parametrize("given", [last, keyword, optional, annotated, positional, functools.partial(last)])
def test_the_run_context_may_be_any_parameter(given: Any) -> None:
    made = tool(given)
    assert list(made.parameters["properties"]) == ["room"]
    assert call(made, room="hall") == "hall 7"


def test_an_argument_may_have_the_name_of_the_context() -> None:
    def outside(context: RunContext, /, **arguments: Any) -> str:
        return f"{context.deps} {arguments['context']}"

    schema = {"type": "object", "properties": {"context": {"type": "string"}}}
    made = Tool(name="far", description="d", arguments=OpenArguments(schema), function=outside, context=FIRST)
    assert call(made, context="near") == "7 near"


@dataclass
class Size:
    width: int


class Opaque:
    pass


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (Opaque, "Opaque"), (list[Opaque], r"list\[.*Opaque\]"), (Callable[[], int], "Callable"), (type, "type"),
        (Iterator[int], "Iterator"), (dict[str, Opaque], "dict"), (Opaque | None, "Opaque"), (asyncio.Event, "Event"),
    ],
)  # fmt: skip
def test_a_type_without_a_json_schema_is_refused_at_once(kind: Any, shown: str) -> None:
    def measure(size: Size, thing: Any) -> str:
        return ""

    measure.__annotations__["size"] = Size
    measure.__annotations__["thing"] = kind
    with pytest.raises(OptionError, match=rf"tool 'measure': the parameter 'thing' has the type .*{shown}.*; use str"):
        tool(measure)


def test_a_default_without_a_json_form_is_left_out_of_the_schema() -> None:
    nothing: Any = Opaque()

    def measure(size: int = nothing) -> str:
        return "nothing" if size is nothing else str(size)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = tool(measure)
    assert "default" not in made.parameters["properties"]["size"]
    assert call(made) == "nothing"


def decorated_method() -> None:
    class House:
        @tool
        def heat(self, room: str) -> str:
            return room


def decorated_class_method() -> None:
    class House:
        @tool
        @classmethod
        def heat(cls, room: str) -> str:
            return room


def class_method_of_a_tool() -> None:
    class House:
        @classmethod
        @tool
        def heat(cls, room: str) -> str:
            return room


def twice(first: RunContext, room: str, second: RunContext) -> str:
    return room


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (decorated_method, r"a method without its instance; write tool\(instance.heat\)"),
        (decorated_class_method, r"a classmethod; give it with its class, such as tools=\[tool\(MyClass.heat\)\]"),
        (class_method_of_a_tool, r"without its class; write tool\(House.heat\)"),
        (lambda: tool(Heater.warm), r"tool\(instance.warm\)"),
        (lambda: tool(Heater), "'Heater' is a class; give a function"),
        (lambda: tool(twice), "takes the RunContext twice; remove the parameter 'second'"),
        (lambda: tool(len), "cannot be passed by name"),
    ],
)
def test_what_cannot_be_a_tool_says_what_can(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        make()


def test_a_text_in_place_of_a_function_is_refused() -> None:
    with pytest.raises(OptionError, match="'heat' is not callable; give a typed function"):
        tool("heat")  # type: ignore[call-overload]


class Server:
    name = "files"

    def tools(self) -> list[Tool]:
        return [calculate]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tools": "calculate"}, r"tools is the text 'calculate'; give a list, such as tools=\['calculate'\]"),
        ({"tools": calculate}, r"tools is the Tool 'calculate'; give a list, such as tools=\[calculate\]"),
        ({"tools": heat}, r"tools is the function 'heat'; give a list, such as tools=\[heat\]"),
        ({"tools": None}, r"tools is None; give a list, such as tools=\[\]"),
        ({"tools": {"calculate": calculate}}, r"tools is a dict; .*tools=list\(them.values\(\)\)"),
        ({"tools": Server()}, r"tools is the Server 'files'; give a list, such as tools=it.tools\(\)"),
        (
            {"tools": [Server()]},
            r"the Server 'files' is not a tool, but has tools; write tools=\[\*it.tools\(\), ...\]",
        ),
        ({"tools": [[calculate]]}, r"tools holds a list; put its tools in the outer list"),
        ({"tools": [b"calculate"]}, r"b'calculate' is not a tool"),
        ({"voices": "nope"}, "voices: there is no folder 'nope'"),
        ({"voices": "."}, "voices: '.' is not a voice library"),
        ({"voices": ["ruby"]}, r"voices is \['ruby'\]; give a folder"),
        ({"documents": "no/where"}, "documents: there is no folder 'no/where'"),
        ({"documents": 3}, "documents is 3; give a folder"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_the_agent_is_made(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Agent(Scripted(["hi"]), **options)
