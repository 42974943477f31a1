"""YAML and TOML files of tools, looked at as `agentaudio tools` does; and answers of services to their tools."""

from __future__ import annotations

import json
import os
import random
import zlib
from pathlib import Path
from typing import Any

import httpx2
import yaml

from agentaudio.errors import MissingExtra, OptionError, ToolError
from agentaudio.http import Fetched
from agentaudio.tools.declarative import http, source
from agentaudio.tools.declarative.entry import Entry
from agentaudio.tools.declarative.format import HttpTool
from agentaudio.tools.declarative.grants import Grants
from agentaudio.tools.declarative.load import read_tools
from agentaudio.tools.declarative.source import Source
from agentaudio.tools.result import ToolResult
from fuzzing import mutate
from fuzzing.near import run_near
from fuzzing.target import Case, Target
from fuzzing.watch import Broken, check_text

HTTP = {
    "name": "weather", "description": "Tells the weather.", "kind": "http", "url": "https://a.example/{city}?d={days}",
    "method": "POST", "query": {"q": "{city}", "n": 3, "list": ["a", "{days}"]}, "headers": {"X-Key": "{KEY}"},
    "body": {"city": "{city}", "deep": [{"a": 1.5}]}, "select": "days[0].{t: temp, c: city}", "empty": "no {city}",
    "template": "{{ city }}: {% for d in result.t %}{{ d }}{% endfor %}", "returns": "data", "idempotent": True,
    "retries": 1, "cache_s": 60, "timeout_s": 5, "filler": "One moment.", "phrases": ["weather in {city}"],
    "parameters": {
        "city": "The city", "days": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
        "unit": {"enum": ["c", "f"], "optional": True}, "word": {"pattern": "^a+$", "max_length": 9},
        "list": {"type": "array", "items": "number", "max_length": 3}, "sure": {"type": "boolean", "default": False},
    },
    "secrets": {"KEY": {"env": "FUZZ_KEY"}, "OTHER": {"file": "secret.txt"}},
    "steps": [{"name": "place", "url": "https://b.example/?q={city}", "select": "results[0]"}],
}  # fmt: skip
COMMAND = {
    "name": "list", "description": "Lists.", "kind": "command", "command": ["ls", "-l", "{folder}"], "env": {"A": "b"},
    "parameters": {"folder": "Folder"}, "folder": ".",
}  # fmt: skip
DOCUMENTS = {"name": "find", "description": "Finds.", "kind": "documents", "folder": "inner", "k": 3}
PYTHON = {"kind": "python", "import": "json:dumps", "name": "dumps", "description": "Writes.", "timeout_s": 3}
MCP = {"kind": "mcp", "url": "http://127.0.0.1:9/mcp", "include": ["a*"], "prefix": "x_", "headers": {"A": "{K}"},
       "secrets": {"K": {"env": "FUZZ_KEY"}}}  # fmt: skip
TOOLS: list[dict[str, Any]] = [HTTP, COMMAND, DOCUMENTS, PYTHON, MCP, {**MCP, "url": None, "command": ["server"]}]
WORDS = tuple({word for one in TOOLS for word in one}) + (
    "http", "mcp", "python", "command", "documents", "{city}", "{KEY}", "{place.x}", "{{", "}}", "{% for x in y %}",
    "{{ result.items }}", "{{ x.__class__ }}", "{{ 9**9**9 }}", "https://a:99999/", "http://[::1", "https://{city}/",
    "sh", "-c", "@", "a.b[?c=='d'] | [0]", "*", "[", "(?P<", "(a+)+$", "tools", "integer", "array",
)  # fmt: skip

TEMPLATES: tuple[dict[str, Any], ...] = (
    {},
    {"select": "days[*].t | [0]"},
    {"select": "sort_by(days, &t)[0].t", "empty": "nothing in {city}"},
    {"select": "join(', ', days[].c) || length(@)"},
    {"template": "{{ result.city }}: {% for d in result.days %}{{ d.t | round }} {{ d.c | upper }}, {% endfor %}"},
    {"template": "{{ result.items }} {{ result | length }} {{ result.days[0].t + 1 }} {{ result.keys }}"},
    {"template": "{{ result | dictsort }} {{ result.city.lower() }} {{ result.days | sum(attribute='t') }}"},
    {"select": "days", "template": "{{ result | sort | join(', ') }} {{ result | tojson }} {{ 'x' * result.n }}"},
    {"template": "{{ '%d' | format(result.city) }} {{ result.city | replace('a', 'b') | truncate(result.n) }}"},
    {"returns": "data"},
    {"returns": "text"},
)
ANSWER = {"city": "Ghent", "n": 3, "items": [1, 2], "days": [{"t": 20.5, "c": "dry"}, {"t": 3, "c": "wet"}]}


class ToolFiles(Target):
    name = "tool_files"
    refusals = (OptionError, MissingExtra, ToolError)
    memory_mb = 300
    inside = True
    connects = True  # a file with allow_private may name a server on this machine
    dictionary = (
        b"? ", b"- ", b": ", b"&a", b"*a", b"!!python/object:os.system", b"<<: *a", b"|\n", b">-\n", b"---\n", b"...\n",
        b"%YAML 1.1\n", b"[[", b"]]", b"'''", b'"""', b"= ", b"1979-05-27T07:32:00Z", b"0x" + b"f" * 99, b"1_0", b"inf",
        b"nan", b"1e999", b"9" * 5_000, b"\\ud800", b"\\U00110000", b"\t", b"\0", b"\xef\xbb\xbf", b"\xff",
        b"kind: http", b"{city}", b"a.b.c.d = 1", b"\x1b[2J", "\u2028".encode(), "\u202e".encode(), "e\u0301".encode(),
    )  # fmt: skip

    def seeds(self) -> dict[str, list[bytes]]:
        one = [yaml.safe_dump(tool, allow_unicode=True, sort_keys=False).encode() for tool in TOOLS]
        several = yaml.safe_dump({"tools": TOOLS[:4]}, sort_keys=False).encode()
        toml = [_toml(tool).encode() for tool in TOOLS] + [
            b'[[tools]]\nname = "a"\ndescription = "d"\nkind = "http"\nurl = "https://a.example/"\n' * 2
        ]
        data = [json.dumps(tool).encode() for tool in TOOLS]
        answers = [json.dumps(ANSWER).encode(), b"[]", b"null", b"plain text", json.dumps([ANSWER]).encode()]
        return {"data": data, ".yaml": [*one, several], ".toml": toml, "answer": answers}

    def prepare(self, folder: Path) -> None:
        run_near(source)
        self._folder = folder
        (folder / "inner").mkdir()
        (folder / "secret.txt").write_text("t0psecret")
        for suffix in (".yaml", ".toml"):
            (folder / f"a{suffix}").write_bytes(b"")
        os.environ["FUZZ_KEY"] = "t0psecret"
        self._services = [self._service(more) for more in TEMPLATES]

    def _service(self, more: dict[str, Any]) -> Any:
        config = {
            "name": "a", "description": "d", "kind": "http", "url": "https://a.example/", "parameters": {"city": "c"},
            "secrets": {"KEY": {"env": "FUZZ_KEY"}}, **more,
        }  # fmt: skip
        entry = Entry(Source(self._folder / "a.yaml", config, {}), (), Grants(secrets=("FUZZ_KEY",)))
        return http.http_tool(entry, HttpTool.model_validate(config)).function.__self__  # type: ignore[union-attr]

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        if kind == "data" or (kind == "answer" and seed[:1] in b"[{" and chance.random() < 0.8):
            data = json.loads(seed)
            for _ in range(chance.choice((1, 1, 2, 4))):
                data = mutate.changed_data(chance, data, WORDS)
            return json.dumps(data).encode()
        return mutate.changed(chance, seed, others, self.dictionary)

    def read(self, case: Case) -> str:
        if case.kind == "answer":
            return self._answered(case.content)
        # JSON is YAML.
        path = self._folder / f"a{'.yaml' if case.kind == 'data' else case.kind}"
        path.write_bytes(case.content)
        tools, problems = read_tools(path, Grants(secrets=("FUZZ_KEY", self._folder), looking=True))
        for problem in problems:
            if not isinstance(problem, self.refusals):
                raise Broken("class", f"{type(problem).__name__}: {problem}"[:500])
            check_text(problem)
            if "t0psecret" in str(problem):
                raise Broken("secret", str(problem)[:500])
        for tool in tools:
            json.dumps(tool.parameters, allow_nan=False).encode()
            for given in ({}, {"city": "Ghent", "days": 3}, {"city": 3, "unknown": None}):
                try:
                    tool.arguments.check(tool.name, given)
                except ToolError as error:
                    check_text(error)
        return "tools" if tools else "problems"

    def _answered(self, content: bytes) -> str:
        service = self._services[zlib.crc32(content) % len(self._services)]
        fetched = Fetched("https://a.example/", 404 if content[-1:] == b"4" else 200, httpx2.Headers(), content)
        result = ToolResult.of(service._answer(fetched, {"city": "Ghent", "KEY": "t0psecret"}))
        if "t0psecret" in result.text or " at 0x" in result.text:
            raise Broken("secret", result.text[:300])
        result.shown.encode()
        return "answered"


def _toml(tool: dict[str, Any]) -> str:
    """TOML of a tool. JSON's texts, numbers and lists are TOML's too."""
    lines, tables = [], []
    for key, value in tool.items():
        if isinstance(value, dict) and key in ("parameters", "secrets"):
            tables += [f"[{key}.{name}]\n" + _toml(one) if isinstance(one, dict) else f'[{key}]\n{name} = "x"\n'
                       for name, one in value.items()]  # fmt: skip
        elif value is not None:
            lines.append(f"{key} = {_inline(value)}\n")
    return "".join([*lines, *tables])


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return json.dumps(value)
