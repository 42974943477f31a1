"""`external_tool`: a tool that the model may call and that the agent's caller runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agentaudio.errors import OptionError
from agentaudio.tools.arguments import OpenArguments
from agentaudio.tools.tool import Tool


def external_tool(name: str, description: str, parameters: Mapping[str, Any], *, phrases: Iterable[str] = ()) -> Tool:
    """A tool without a function: a call of it ends the turn, and the caller answers it in the next turn.

    parameters: JSON Schema of the arguments, of type "object"; the caller validates them against it,
        only missing required arguments are refused here
    phrases: what users may say when they want this tool

    Raises OptionError for an invalid name and for a schema whose type is not "object".
    """
    if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
        raise OptionError(
            f"the parameters of tool {name!r} are not a JSON Schema of an object; "
            'write {"type": "object", "properties": {...}}'
        )
    return Tool(
        name=name, description=description, arguments=OpenArguments(parameters), function=None, phrases=tuple(phrases)
    )
