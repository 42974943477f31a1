"""Tool calls as models write them: Step-Audio 2's text and token ids, its repairs, and arguments of the tools."""

from __future__ import annotations

import asyncio
import json
import math
import random
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from support.step_audio_2 import CharacterVocabulary

from agentaudio.conversation import UNEXPECTED, Conversation, ToolCall
from agentaudio.errors import ConversationError, ToolError
from agentaudio.model.call_arguments import repaired_object
from agentaudio.model.speech_lm import CallDelta
from agentaudio.model.step_audio_2.language.answer import AnswerReader
from agentaudio.model.step_audio_2.language.dialect import step_audio_2
from agentaudio.model.step_audio_2.language.interleave import Mode
from agentaudio.model.step_audio_2.language.tool_calls import ReadCall, ToolCallParser, parse_tool_calls, written_call
from agentaudio.tools.builtin.calculate import calculate
from agentaudio.tools.builtin.clock import get_date_time
from agentaudio.tools.context import RunContext
from agentaudio.tools.execution import TurnCalls
from agentaudio.tools.tool import tool
from fuzzing import mutate
from fuzzing.target import Case, Target
from fuzzing.watch import Broken, check_line

MAX_DEPTH = 32


@tool
def search(query: str, k: Annotated[int, Field(ge=1, le=20)] = 4, sort: Literal["date", "score"] = "score") -> str:
    """Search."""
    return f"{query} {k} {sort}"


@tool
def place(names: list[str], at: dict[str, float] | None = None, exact: bool = False) -> dict[str, Any]:
    """Place things."""
    return {"names": names, "at": at, "exact": exact}


TOOLS = {one.name: one for one in (search, place, calculate, get_date_time)}
SPECS = [one.spec(RunContext(Conversation())) for one in TOOLS.values()]
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("search", {"query": "bells of Ghent", "k": 3, "sort": "date"}),
    ("search", {"query": "a \"quoted\" 'text' with </tool_call> and \\ and \n inside"}),
    ("place", {"names": ["a", "b"], "at": {"x": 1.5, "y": -2e10}, "exact": True}),
    ("calculate", {"expression": "2 * (3 + 4) ** 2 / 7"}),
    ("get_date_time", {"time_zone": "Europe/Brussels"}),
    ("unknown", {"a": None, "深": "铜钟"}),
]
WORDS = (
    "<tool_call>", "</tool_call>", "function\n", "\n", "{", "}", "[", "]", '"', "'", ",", ":", "\\", "\\u0000",
    "\\ud800", "null", "True", "None", "NaN", "-Infinity", "1e999", "9" * 400, "{" * 40, "[" * 2_000, "//", "/* */",
    "```json",
    "“", "search", "query", "<|EOT|>", "<tool_", "</tool", "**", "9**9**9", "(" * 300, "factorial(999999)",
    "1/0", "10**-400",
)  # fmt: skip


class Calls(Target):
    name = "calls"
    refusals = (ToolError, ConversationError)
    cpu_s = 5.0
    memory_mb = 100
    dictionary = tuple(word.encode() for word in WORDS)

    def seeds(self) -> dict[str, list[bytes]]:
        texts = [f"Let me see.<tool_call>{written_call(*call)}</tool_call>" for call in CALLS]
        several = "".join(texts) + "done"
        broken = [
            "<tool_call>function\nsearch\n{'query': 'tea', k: 3,}</tool_call>",
            '<tool_call>function\nsearch\n"{\\"query\\": \\"tea\\"}"</tool_call>',
            '<tool_call>function\nsearch\n{"query": "tea"',
        ]
        arguments = [json.dumps({"name": name, "arguments": given}).encode() for name, given in CALLS]
        encoded = [text.encode() for text in (*texts, several, *broken)]
        repair = [json.dumps(given, ensure_ascii=False).encode() for _, given in CALLS]
        expression = [b"2 * (3 + 4) ** 2 / 7 - sqrt(2)"]
        return {"text": encoded, "ids": encoded, "arguments": arguments, "repair": repair, "expression": expression}

    def prepare(self, folder: Path) -> None:
        self._translation = step_audio_2("en").bind(SPECS)
        self._loop = asyncio.new_event_loop()

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        if kind == "arguments":
            data = json.loads(seed)
            for _ in range(chance.choice((1, 1, 3))):
                data = mutate.changed_data(chance, data, ("query", "k", "names", "at", "expression", "time_zone"))
            return json.dumps(data).encode()
        if chance.random() < 0.5:
            text = seed.decode()
            for _ in range(chance.choice((1, 2, 4))):
                text = mutate.changed_text(chance, text, WORDS)
            return text.encode("utf-8", "surrogatepass")
        return mutate.changed(chance, seed, others, self.dictionary)

    def read(self, case: Case) -> str:
        text = case.content.decode("utf-8", "replace")
        match case.kind:
            case "text":
                return self._text(text, random.Random(text))
            case "ids":
                return self._ids(case.content)
            case "repair":
                return self._repair(text)
            case "expression":
                return self._run("calculate", {"expression": text})
        data = json.loads(text)
        if not isinstance(data, dict):
            return "no call"
        return self._run(data.get("name"), data.get("arguments"))

    def _text(self, text: str, chance: random.Random) -> str:
        whole = parse_tool_calls(text, SPECS)
        parser, pieces = ToolCallParser(SPECS), []
        at = 0
        while at < len(text):
            step = chance.randrange(1, 12)
            pieces += parser.feed(text[at : at + step])
            at += step
        pieces += parser.finish()
        found = [piece for piece in pieces if isinstance(piece, ReadCall)]
        if "".join(piece for piece in pieces if isinstance(piece, str)) != whole.content:
            raise Broken("invalid", "the text depends on how it is cut")
        if [one for one in found if one.problem is None] != list(whole.calls):
            raise Broken("invalid", "the calls depend on how the text is cut")
        for one in found:
            delta = one.delta("a")
            _check_values(delta.call.arguments)
            if one.problem is None:
                written_call(one.name, one.arguments)
                self._run(one.name, dict(one.arguments))
            elif not one.message or len(one.message) > 2_000:
                raise Broken("text", repr(one.message)[:300])
        return "calls" if whole.calls else "problems" if whole.problems else "text"

    def _ids(self, content: bytes) -> str:
        vocabulary = CharacterVocabulary()
        special = [getattr(vocabulary.ids, name) for name in dir(vocabulary.ids) if name[0] != "_"]
        special = [one for one in special if isinstance(one, int)]
        ids = [special[byte % len(special)] if byte >= 0x80 else byte for byte in content]
        modes: tuple[Mode, ...] = ("speech", "text", "think")
        for mode in modes:
            reader = AnswerReader(vocabulary, mode, self._translation)
            deltas = [delta for one in ids for delta in reader.feed(one)] + reader.finish()
            for delta in deltas:
                if isinstance(delta, CallDelta):
                    _check_values(delta.call.arguments)
        return "ids"

    def _repair(self, text: str) -> str:
        found = repaired_object(text)
        if found is None:
            return "refused"
        _check_values(found)
        return "repaired"

    def _run(self, name: Any, arguments: Any) -> str:
        """Run a call as a turn does: whatever it is, it ends once, with words for the model."""
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return "no call"
        ended: list[Any] = []
        calls = TurnCalls(TOOLS, started=lambda _: None, finished=ended.append)
        (run,) = self._loop.run_until_complete(calls.run([ToolCall("a", name, arguments)], RunContext(Conversation())))
        if len(ended) != 1 or not run.output.text.strip():
            raise Broken("invalid", f"a call ended {len(ended)} times: {run!r}"[:300])
        run.output.text.encode()
        if UNEXPECTED in run.output.text:
            raise Broken("untyped", run.output.text[:500])
        if run.status != "done":
            check_line(run.output.text)
        return str(run.status)


def _check_values(value: Any, depth: int = MAX_DEPTH + 2) -> None:
    """Raise Broken for what no tool should get: NaN, infinity, half characters, deep nesting."""
    if depth < 0:
        raise Broken("invalid", "arguments that are nested too deeply")
    if isinstance(value, float) and not math.isfinite(value):
        raise Broken("invalid", f"the number {value}")
    if isinstance(value, str):
        value.encode()
    for inner in (
        (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    ):
        _check_values(inner, depth - 1)
