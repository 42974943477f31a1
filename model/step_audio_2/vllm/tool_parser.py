"""The tool parser `step_audio_2` of vLLM: calls of whole and of streamed answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from vllm.entrypoints.generate.base.protocol import (
    DeltaFunctionCall,
    DeltaMessage,
    DeltaToolCall,
    ExtractedToolCallInformation,
    FunctionCall,
    ToolCall,
)
from vllm.sampling_params import StructuredOutputsParams
from vllm.tool_parsers.abstract_tool_parser import ToolParser

from agentaudio.conversation import ToolSpec
from agentaudio.model.step_audio_2.language.spelled_answer import SpelledAnswer, WireCall
from agentaudio.model.step_audio_2.language.tool_calls import call_opening


class StepAudio2ToolParser(ToolParser):
    """Reads calls by `SpelledAnswer`. One instance reads one answer."""

    supports_required_and_named = False
    engine_based_streaming = True
    """vLLM then calls `finish_streaming`."""

    def __init__(self, tokenizer: Any, tools: Any = None) -> None:
        super().__init__(tokenizer, tools)
        self._specs = [_spec(tool) for tool in self.tools]
        self._reader = SpelledAnswer(self._specs)

    def adjust_request(self, request: Any) -> Any:
        """Have the tags of calls spelled out, and have an answer that must call be calls alone."""
        request = super().adjust_request(request)
        request.skip_special_tokens = False
        if (specs := self._must_call(request.tool_choice)) and request.tools:
            calls = must_call(specs, one=request.parallel_tool_calls is False)
            request.structured_outputs = StructuredOutputsParams(structural_tag=json.dumps(calls))
            request.response_format = None
        return request

    def extract_tool_calls(self, model_output: str, request: Any) -> Any:
        """The calls and the content of a whole answer."""
        if not self._specs:
            return ExtractedToolCallInformation(tools_called=False, tool_calls=[], content=model_output)
        reader = SpelledAnswer(self._specs)
        found = reader.push(model_output) + reader.finish()
        calls = [one for one in found if isinstance(one, WireCall)]
        return ExtractedToolCallInformation(
            tools_called=bool(calls),
            tool_calls=[
                ToolCall(id=_call_id(), function=FunctionCall(name=one.name, arguments=one.arguments)) for one in calls
            ],
            content="".join(one for one in found if isinstance(one, str)) or None,
        )

    def extract_tool_calls_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
        request: Any,
    ) -> Any:
        """What the next piece of an answer completes; None for nothing."""
        return self._delta(self._reader.push(delta_text) if self._specs else [delta_text])

    def finish_streaming(self) -> Any:
        """What was held back, at the end of the answer; None for nothing."""
        return self._delta(self._reader.finish())

    def _must_call(self, choice: Any) -> list[ToolSpec]:
        """The tools of which one has to be called; none if the model may answer in words."""
        if choice == "required":
            return self._specs
        named = getattr(choice, "function", choice)
        return [spec for spec in self._specs if spec.name == getattr(named, "name", None)]

    def _delta(self, found: Sequence[str | WireCall]) -> Any:
        content = "".join(one for one in found if isinstance(one, str))
        calls = []
        for one in found:
            if isinstance(one, WireCall):
                self.current_tool_id += 1
                self.prev_tool_call_arr.append({"name": one.name, "arguments": one.arguments})
                self.streamed_args_for_tool.append(one.arguments)
                function = DeltaFunctionCall(name=one.name, arguments=one.arguments)
                calls.append(
                    DeltaToolCall(index=self.current_tool_id, id=_call_id(), type="function", function=function)
                )
        if not content and not calls:
            return None
        return DeltaMessage(**{"content": content or None, "tool_calls": calls} if calls else {"content": content})


def must_call(tools: Sequence[ToolSpec], *, one: bool) -> dict[str, Any]:
    """A structural tag for calls of these tools and nothing else, in the model's own form.

    one: for one call; otherwise for one or more
    """
    tags = [
        {
            "type": "tag",
            "begin": f"<tool_call>{call_opening(tool.name)}",
            "content": {"type": "json_schema", "json_schema": {"type": "object", **tool.parameters}},
            "end": "</tool_call>",
        }
        for tool in tools
    ]
    calls = {
        "type": "tags_with_separator",
        "tags": tags,
        "separator": "",
        "at_least_one": True,
        "stop_after_first": one,
    }
    return {"type": "structural_tag", "format": calls}


def _spec(tool: Any) -> ToolSpec:
    function = getattr(tool, "function", tool)
    return ToolSpec(function.name, function.description or "", dict(function.parameters or {}))


def _call_id() -> str:
    return f"call_{uuid.uuid4().hex[:16]}"
