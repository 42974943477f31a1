"""`TurnOutput`: the answer of a turn as data, beside its words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import BaseModel

from agentaudio.conversation import Conversation, ToolCall, ToolOutput
from agentaudio.errors import AgentAudioError, OptionError, OutputError
from agentaudio.model.speech_lm import CallDelta
from agentaudio.record import Record
from agentaudio.tools.arguments import ModelArguments
from agentaudio.tools.tool import Tool

OUTPUT_TOOL = "give_output"
"""Name of the tool by whose call a model gives its answer as data."""

RETRIES = 2
"""How often a model is asked again for data that are missing or do not fit."""

TAKEN = "Taken. If you have not told the user your answer yet, say it now."
MISSING = f"You have answered without a call of {OUTPUT_TOOL}. Call it now, and say nothing."


def output_tool(output: type[BaseModel], tools: Collection[str] = ()) -> Tool:
    """The tool by whose call a model gives its answer as data.

    tools: names of the other tools

    Raises OptionError for another type, and when a tool has its name.
    """
    if OUTPUT_TOOL in tools:
        raise OptionError(f"a tool is named {OUTPUT_TOOL!r}, by which the model gives its output; name it otherwise")
    if not (isinstance(output, type) and issubclass(output, BaseModel)):
        raise OptionError(f"output is {output!r:.100}; give a pydantic model, such as `class Booking(BaseModel)`")

    async def take(value: BaseModel) -> str:
        return TAKEN

    description = (
        "Give your answer as data. Say your answer in words, and call this in the same step, once you know the answer."
    )
    if output.__doc__:
        description += f"\n\n{output.__doc__.strip()}"
    return Tool(name=OUTPUT_TOOL, description=description, arguments=ModelArguments(output), function=take)


class TurnOutput:
    """Takes the data of one turn, and asks for them when they are missing.

    tool: made by `output_tool`
    """

    def __init__(self, tool: Tool, record: Record) -> None:
        self._tool, self._record = tool, record
        self._asked = 0

    @property
    def is_missing(self) -> bool:
        """Whether the model has not given the data."""
        return self._record.output is None

    def take(self, calls: Sequence[CallDelta]) -> bool:
        """Take the data of calls that ran, of which the latest counts. Returns whether all were such calls."""
        only = True
        for call in (one.call for one in calls):
            if call.name != OUTPUT_TOOL:
                only = False
                continue
            try:
                self._record.output = self._tool.arguments.check(OUTPUT_TOOL, call.arguments)["value"]
            except (AgentAudioError, ValueError):
                continue  # the result of the call has told the model
        return only

    def ask(self, conversation: Conversation) -> tuple[ToolCall, ToolOutput] | None:
        """A call without data and its result, by which the model is asked for them.

        None when the conversation ends with the result of a call that did not fit.
        Raises OutputError when the model was asked RETRIES times.
        """
        refused = [one for one in conversation.last_outputs if one.name == OUTPUT_TOOL and one.is_error]
        if self._asked == RETRIES:
            why = refused[-1].text if refused else f"it did not call {OUTPUT_TOOL}"
            raise OutputError(f"the model has not given its answer as data, after {RETRIES} more attempts: {why}")
        self._asked += 1
        if refused:
            return None
        used, number = conversation.call_ids, self._asked
        while (call_id := f"output-{number}") in used:
            number += 1
        return ToolCall(call_id, OUTPUT_TOOL, {}), ToolOutput(call_id, OUTPUT_TOOL, MISSING, is_error=True)
