"""Tools from files: calls of every kind, and errors in the files."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.local_http import Asked, LocalServer, local_server
from support.sounds import tone

from agentaudio import RunContext, Tool, ToolResult
from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError, ToolArgumentError, ToolError
from agentaudio.tools.declarative import format as file_format
from agentaudio.tools.declarative.load import load_tools, read_tools
from agentaudio.tools.declarative.source import read_source

CONTEXT = RunContext(Conversation())


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as running:
        yield running


def written(folder: Path, text: str, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def load(folder: Path, text: str, **options: Any) -> Tool:
    (one,) = load_tools(written(folder, text), **options)
    return one


def call(one: Tool, **arguments: Any) -> ToolResult:
    return asyncio.run(one.call(CONTEXT, arguments))


def answer(data: object, status: int = 200, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"content-type": "application/json", **headers}, json.dumps(data).encode()


HOURS = """
name: opening_hours
description: When a museum is open today.
kind: http
url: {url}/hours/{{museum}}
parameters:
  museum: The name of the museum.
select: today.hours
allow_private: true
"""


def test_ten_lines_of_yaml_are_a_tool(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/hours/The%20Louvre"] = answer({"today": {"hours": "nine to five"}})
    text = HOURS.format(url=server.url)
    assert len(text.strip().splitlines()) <= 10
    one = load(tmp_path, text)
    assert one.parameters["properties"]["museum"] == {"description": "The name of the museum.", "type": "string"}
    assert call(one, museum="The Louvre").text == "nine to five"
    assert one.idempotent


@pytest.mark.parametrize("page", ["README.md", "docs/tools.md"])
def test_the_file_in_the_documents_is_a_tool(tmp_path: Path, server: LocalServer, page: str) -> None:
    page = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(text.splitlines()) <= 10
    server.answers["/hours/Uffizi"] = answer({"today": {"hours": "all day"}})
    one = load(tmp_path, text.replace("https://museums.example", server.url) + "allow_private: true\n")
    assert call(one, museum="Uffizi").text == "all day"


def test_toml_gives_the_same_tool_as_yaml(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/now"] = answer({"time": "noon"})
    path = written(
        tmp_path,
        f'[[tools]]\nname = "now"\ndescription = "The time."\nkind = "http"\nurl = "{server.url}/now"\n'
        'select = "time"\nallow_private = true\n\n[[tools]]\nname = "calc"\nkind = "python"\n'
        'import = "agentaudio.tools.builtin.calculate:calculate"\n',
        "tools.toml",
    )
    now, calc = load_tools(path)
    assert call(now).text == "noon" and call(calc, expression="1+1").text == "1+1 = 2"


FULL = """
name: order
description: Order something.
kind: http
method: POST
url: {url}/orders/{{shop}}
query: {{limit: "{{count}}", tag: [a, "{{shop}}"], note: "{{note}}", fixed: 3}}
headers: {{Authorization: "Bearer {{TOKEN}}", X-Shop: "{{shop}}"}}
body: {{item: "{{item}}", count: "{{count}}", options: ["{{gift}}", "for {{item}} & {{{{co}}}}"]}}
parameters:
  shop: Where.
  item: {{description: What., enum: [tea, coffee]}}
  count: {{type: integer, default: 1, minimum: 1, maximum: 9}}
  gift: {{type: boolean, default: false}}
  note: {{optional: true, max_length: 5}}
secrets:
  TOKEN: {{env: SHOP_TOKEN}}
template: "{{% for line in result.lines %}}{{{{ line }}}} ({{{{ item }}}}){{% endfor %}}"
allow_private: true
"""


def test_arguments_fill_every_part_of_a_request(
    tmp_path: Path, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    server.answers["/orders/a%2Fb%3Fc"] = answer({"lines": ["yours, s3cret"]})
    one = load(tmp_path, FULL.format(url=server.url), allow_secrets=["SHOP_TOKEN"])
    assert call(one, shop="a/b?c", item="tea", count="2").text == "yours, *** (tea)"
    (asked,) = server.asked
    assert asked.path == "/orders/a%2Fb%3Fc?limit=2&tag=a&tag=a%2Fb%3Fc&fixed=3"
    assert asked.headers["authorization"] == "Bearer s3cret" and asked.headers["x-shop"] == "a/b?c"
    assert json.loads(asked.body) == {"item": "tea", "count": 2, "options": [False, "for tea & {co}"]}
    assert not one.idempotent


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shop": "x", "item": "milk"}, "item: Input should be 'tea' or 'coffee'"),
        ({"shop": "x", "item": "tea", "count": 10}, "count: Input should be less than or equal to 9"),
        ({"shop": "x", "item": "tea", "note": "too long"}, "note: String should have at most 5"),
        ({"item": "tea"}, "shop: Field required"),
        ({"shop": "..", "item": "tea"}, "cannot be part of the URL"),
        ({"shop": "x\r\nHost: evil", "item": "tea"}, "the header X-Shop takes printable ASCII characters on one line"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_sent(
    tmp_path: Path, server: LocalServer, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    with pytest.raises(ToolError, match=words):
        call(load(tmp_path, FULL.format(url=server.url), allow_secrets=["SHOP_TOKEN"]), **arguments)
    assert server.asked == []


STEPS = """
name: weather
description: The weather somewhere.
kind: http
parameters: {{city: Where.}}
steps:
  - name: place
    url: {url}/find
    query: {{name: "{{city}}"}}
    select: results[0]
    empty: There is no place called {{city}}.
url: {url}/forecast
query: {{lat: "{{place.latitude}}", lon: "{{place.where.0}}"}}
template: "{{{{ result.degrees }}}} degrees in {{{{ place.name }}}}"
allow_private: true
"""


def test_one_request_may_use_the_answer_of_another(tmp_path: Path, server: LocalServer) -> None:
    def find(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        rows = [{"name": "Rome", "latitude": 41.9, "where": [12.5]}] if "Rome" in asked.path else []
        return answer({"results": rows})

    server.answers |= {"/find": find, "/forecast": answer({"degrees": 30})}
    one = load(tmp_path, STEPS.format(url=server.url))
    assert call(one, city="Rome").text == "30 degrees in Rome"
    assert server.asked[1].path == "/forecast?lat=41.9&lon=12.5"
    with pytest.raises(ToolError, match="^There is no place called Nowhere.$"):
        call(one, city="Nowhere")
    server.answers["/find"] = answer({"results": [{"name": "Rome"}]})
    with pytest.raises(ToolError, match="the answer of the service has no place.latitude"):
        call(one, city="Rome")


SIMPLE = """
name: ask
description: Ask.
kind: http
url: {url}/ask
allow_private: true
"""


@pytest.mark.parametrize(
    ("more", "reply", "words"),
    [
        ("", (500, {}, b"<h1>broken\n\nhere</h1>"), "the service answered 500: <h1>broken here</h1>"),
        ("", (401, {}, b"x" * 5_000), "the service answered 401: xxx"),
        ("select: a", (200, {}, b"<html>"), "did not answer in JSON: <html>"),
        ("select: a", (200, {}, b"[" * 100_000), "did not answer in JSON"),
        ("empty: None there.", (404, {}, b""), "^None there.$"),
        ("select: a\nempty: None there.", (200, {}, b'{"a": []}'), "^None there.$"),
        ("select: length(a)", (200, {}, b'{"a": 1}'), "does not have the expected form: "),
        (
            "template: '{{ result.a.b }}'",
            (200, {}, b'{"a": 1}'),
            "does not have the expected form: .* has no attribute 'b'",
        ),
        ("template: '{{ result | dictsort }}'", (200, {}, b"[1]"), "does not have the expected form: "),
        ("template: '{{ result.items }}'", (200, {}, b'{"a": 1}'), "prints a method"),
        ("template: '{{ 1 // result }}'", (200, {}, b"0"), "does not have the expected form: "),
        ("", (302, {"location": "http://169.254.169.254/"}, b""), "not an address of the public internet"),
        ("", (302, {"location": "/ask"}, b""), "redirects more than 5 times"),
        ("", (200, {}, b"x" * 5_000_001), "sends more than 5000000 bytes"),
        ("", (200, {"content-encoding": "gzip, gzip"}, b""), "only gzip and deflate are read"),
        ("retries: 0", (503, {}, b""), "the service answered 503; try again later"),
    ],
)
def test_unusable_answers_are_reported_to_the_model(
    tmp_path: Path, server: LocalServer, more: str, reply: tuple[int, dict[str, str], bytes], words: str
) -> None:
    server.answers["/ask"] = reply
    with pytest.raises(ToolError, match=words) as raised:
        call(load(tmp_path, SIMPLE.format(url=server.url) + more))
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "pop", "update"])
def test_a_template_reads_the_value_of_a_name_that_mappings_have_a_method_of(
    tmp_path: Path, server: LocalServer, name: str
) -> None:
    server.answers["/ask"] = answer({name: [1, 2], "rest": {name: 3}})
    template = f"template: '{{% for one in result.{name} %}}{{{{ one }}}} {{% endfor %}}{{{{ result.rest.{name} }}}}'"
    assert call(load(tmp_path, SIMPLE.format(url=server.url) + template)).text == "1 2 3"
    server.answers["/ask"] = answer({"a": 1})
    template = "template: '{% for name, value in result.items() %}{{ name }} is {{ value }}{% endfor %}'"
    assert call(load(tmp_path, SIMPLE.format(url=server.url) + template)).text == "a is 1"


def test_text_data_and_sound_are_returned_unchanged(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/ask"] = (200, {"content-type": "text/plain; charset=latin-1"}, "Füße".encode("latin-1"))
    assert call(load(tmp_path, SIMPLE.format(url=server.url))).text == "Füße"
    server.answers["/ask"] = answer({"a": {"b": [1]}})
    assert call(load(tmp_path, SIMPLE.format(url=server.url) + "select: a")).text == '{"b": [1]}'
    server.answers["/ask"] = (200, {"content-type": "audio/wav"}, tone().to_bytes())
    sound = call(load(tmp_path, SIMPLE.format(url=server.url) + "returns: audio")).audio
    assert sound is not None and sound.duration == 1.0


def test_a_busy_service_is_retried_only_for_idempotent_requests(tmp_path: Path, server: LocalServer) -> None:
    def busy(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        return (503, {"retry-after": "0"}, b"") if len(server.asked) % 3 else (200, {}, b"here")

    server.answers["/ask"] = busy
    assert call(load(tmp_path, SIMPLE.format(url=server.url))).text == "here" and len(server.asked) == 3
    with pytest.raises(ToolError, match="503; try again later"):
        call(load(tmp_path, SIMPLE.format(url=server.url) + "method: POST"))
    assert len(server.asked) == 4
    with pytest.raises(ToolError, match=r"127.0.0.1 cannot be reached \(.*\); try again later"):
        call(load(tmp_path, SIMPLE.format(url="http://127.0.0.1:1") + "retries: 1"))


def test_a_service_that_requests_a_long_pause_is_not_retried(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/ask"] = (503, {"retry-after": "3600"}, b"")
    with pytest.raises(ToolError, match="the service answered 503; try again later"):
        call(load(tmp_path, SIMPLE.format(url=server.url)))
    assert len(server.asked) == 1


def test_answers_are_cached_for_the_time_in_the_file(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/ask"] = (200, {}, b"here")
    keeps, asks = (load(tmp_path, SIMPLE.format(url=server.url) + more) for more in ("cache_s: 60", ""))
    assert [call(keeps).text, call(keeps).text] == ["here", "here"] and len(server.asked) == 1
    call(asks), call(asks)
    assert len(server.asked) == 3


def test_private_addresses_need_allow_private(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/ask"] = (200, {}, b"here")
    with pytest.raises(ToolError, match="127.0.0.1, not an address of the public internet"):
        call(load(tmp_path, SIMPLE.format(url=server.url).replace("allow_private: true", "")))
    assert server.asked == []


def test_secrets_from_files_are_not_shown(tmp_path: Path, server: LocalServer) -> None:
    (tmp_path / "key.txt").write_text("t0psecret\n")
    text = SIMPLE.format(url=server.url) + "query: {key: '{KEY}'}\nsecrets: {KEY: {file: key.txt}}\n"
    server.answers["/ask"] = (403, {}, b"the key t0psecret is unknown")
    with pytest.raises(ToolError, match="403: the key [*]{3} is unknown") as raised:
        call(load(tmp_path, text, allow_secrets=tmp_path))
    assert "t0psecret" not in str(raised.value) and "key=t0psecret" in server.asked[0].path
    server.answers["/ask"] = answer({"rows": [{"key": "t0psecret", "n": 1}]})
    assert call(load(tmp_path, text + "select: rows", allow_secrets=tmp_path)).text == '[{"key": "***", "n": 1}]'


def test_url_encoded_secrets_are_hidden(tmp_path: Path, server: LocalServer) -> None:
    (tmp_path / "key.txt").write_text("p@ss/w+d=1")
    text = SIMPLE.format(url=server.url) + "query: {key: '{KEY}'}\nsecrets: {KEY: {file: key.txt}}\n"
    server.answers["/ask"] = (403, {}, b"no page /echo/p%40ss%2Fw%2Bd%3D1 nor p%40ss/w%2Bd%3D1")
    with pytest.raises(ToolError, match=r"no page /echo/\*\*\* nor \*\*\*"):
        call(load(tmp_path, text, allow_secrets=tmp_path))


def command(*words: str, more: str = "") -> str:
    return f"name: run\ndescription: Run it.\nkind: command\ncommand: {json.dumps([sys.executable, *words])}\n{more}"


SAY = "import sys; print(sys.argv[1:])"


def test_commands_need_permission_and_run_without_a_shell(tmp_path: Path) -> None:
    text = command("-c", SAY, "{what}", "--n={what}", more="parameters: {what: What.}")
    with pytest.raises(OptionError, match="file.yaml:3: commands are not allowed; allow them with"):
        load(tmp_path, text)
    one = load(tmp_path, text, allow_commands=True)
    assert call(one, what="$(id); `id` | x").text == "['$(id); `id` | x', '--n=$(id); `id` | x']"
    with pytest.raises(ToolError, match="'--help' begins with a hyphen"):
        call(one, what="--help")
    with pytest.raises(ToolError, match="null character"):
        call(one, what="a\0b")


def test_failed_commands_give_the_reason_and_hide_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOP", "s3cret")
    monkeypatch.setenv("OTHER", "not passed on")
    code = "import os, sys; sys.exit(f\"{os.environ['KEY']} {os.environ.get('OTHER')} {os.getcwd()}\")"
    text = command("-c", code, more="env: {KEY: 'key {TOP}'}\nsecrets: {TOP: {env: TOP}}")
    with pytest.raises(ToolError) as raised:
        call(load(tmp_path, text, allow_commands=True, allow_secrets=["TOP"]))
    assert str(raised.value).endswith(f"exited with 1: key *** None {tmp_path}")
    silent = command("-c", "raise SystemExit(3)")
    with pytest.raises(ToolError, match="exited with 3: no output"):
        call(load(tmp_path, silent, allow_commands=True))
    assert call(load(tmp_path, command("-c", "pass"), allow_commands=True)).text == "Done."


def test_a_command_that_hangs_or_floods_is_killed_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = f"import time; time.sleep(0.5); open({str(mark)!r}, 'w')"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    one = load(tmp_path, command("-c", code), allow_commands=True)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await one.call(CONTEXT, {})
        await asyncio.sleep(0.5)

    asyncio.run(give_up())
    assert not mark.exists()
    flood = command("-c", "while True: print('x' * 1000)")
    with pytest.raises(ToolError, match="printed more than 1000000 bytes"):
        call(load(tmp_path, flood, allow_commands=True))


def test_a_folder_becomes_a_tool(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "tea.md").write_text("# Tea\n\nGreen tea is steamed or fried.\n")
    one = load(tmp_path, "name: papers\ndescription: My papers.\nkind: documents\nfolder: papers\nk: 1\nphrases: [hi]")
    result = call(one, query="how is green tea made")
    assert "steamed" in result.text and result.passages[0].source == "tea.md"
    assert call(one, query="xylophone").text == "The documents say nothing about 'xylophone'."
    assert one.spec(CONTEXT).phrases[0] == "hi" and "Green tea is steamed or fried." in one.spec(CONTEXT).phrases


def test_python_functions_get_a_new_name_and_description(tmp_path: Path) -> None:
    text = "kind: python\nimport: agentaudio.tools.builtin.clock:get_date_time\nname: clock\napproval: true"
    one = load(tmp_path, text)
    assert (one.name, one.approval, one.timeout_s) == ("clock", True, 20.0)
    assert "timezone" in one.parameters["properties"]


CLOCK_FILE = "tools: [{kind: python, import: 'agentaudio.tools.builtin.clock:get_date_time'}]"
HEAD = "name: x\ndescription: d\n"
HTTP = HEAD + "kind: http\n"
OK = HTTP + "url: https://example.com/\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "the file is empty; write a tool"),
        ("- a", 1, "the file holds a list; write a tool"),
        ("tools: []", 1, "at least one tool"),
        ("tools: [3]", 1, "a tool must be a mapping .* not a number"),
        ("tools:\n  - kind: http\nname: x", 3, "'name' is not allowed beside tools"),
        (HEAD, 1, "kind is missing; give one of http, python, mcp, documents, command"),
        (HEAD + "kind: htpp", 3, "'htpp' is not a kind of tool; did you mean 'http'"),
        (HEAD + "kind: [http]", 3, "is not a kind of tool"),
        (HTTP, 1, "url is missing"),
        (OK + "methd: GET", 5, "there is no setting methd; did you mean 'method'"),
        (OK + "method: FETCH", 5, "method: Input should be 'GET', .* not 'FETCH'"),
        (OK + "timeout_s: 0", 5, "timeout_s: Input should be greater than 0, not 0"),
        (OK + "cache_s: soon", 5, "cache_s: Input should be a valid number.* not 'soon'"),
        (OK.replace("name: x", "name: two words"), 1, "name: String should match pattern"),
        (OK.replace("description: d", "description: ''"), 2, "description: String should have at least 1"),
        (OK + "query: {q: '{city}'}\nparameters: {ciy: x}", 5, r"there is no value for \{city\}; did you mean 'ciy'"),
        (OK + "parameters:\n  a: {type: text}", 6, "parameters.a.type: Input should be 'string'"),
        (OK + "parameters:\n  a: {type: integer, default: x}", 6, "parameter 'a' is invalid: .*valid integer"),
        (OK + "parameters:\n  a: {type: integer, pattern: x}", 6, "pattern does not apply to integer"),
        (OK + "parameters:\n  a: {enum: [b], max_length: 1}", 6, "max_length does not apply to an enum"),
        (OK + "parameters:\n  a: {pattern: '('}", 6, "parameter 'a' is invalid: missing"),
        (OK + "parameters:\n  a b: x", 6, "String should match pattern"),
        (OK + "select: 'a['", 5, "select is not JMESPath"),
        (OK + "template: '{{ x'", 5, "the template cannot be read"),
        (OK + "secrets:\n  KEY: {env: NOT_THERE}", 6, "variable NOT_THERE is not set; set it to the secret"),
        (OK + "secrets:\n  KEY: {file: gone.txt}", 6, "the secret KEY cannot be read from .*gone.txt"),
        (OK + "secrets:\n  KEY: {}", 6, "a secret needs either env or file"),
        (OK + "secrets: {a: {env: HOME}}\nparameters: {a: x}", 5, "'a' is both a parameter and a secret"),
        (OK + "method: POST\nretries: 1", 6, "POST is not retried unless the tool sets idempotent: true"),
        (OK + "steps:\n  - name: s\n    url: https://a/{s}", 7, r"there is no value for \{s\}"),
        (OK + "steps:\n  - name: p\n    url: https://a/\nparameters: {p: x}", 6, "the name 'p' is already used"),
        (HTTP + "url: ftp://example.com/", 4, "a url must begin with http:// or https://"),
        (HTTP + "url: 'https://{host}/'\nparameters: {host: x}", 4, "without placeholders"),
        (HTTP + "url: https://user:pass@example.com/", 4, "without a user name"),
        (HTTP + "url: 'https://[::1/'", 4, "the url cannot be read"),
        (HTTP + "url: 'https://example.com:port/'", 4, "the url cannot be read"),
        ("kind: python\nimport: os.path", 2, "import: String should match pattern"),
        ("kind: python\nimport: nowhere.at:all", 2, "nowhere.at:all cannot be imported: ModuleNotFound"),
        ("kind: python\nimport: os:nothing", 2, "os:nothing cannot be imported: AttributeError"),
        ("kind: python\nimport: os:sep", 2, "os:sep is str; name a function"),
        ("kind: python\nimport: os:getcwdu\nname: x y", 3, "name: String should match pattern"),
        ("kind: python\nimport: shutil:move", 2, "'src' has no type"),
        (HEAD + "kind: documents\nfolder: gone", 4, "there is no folder .*gone"),
        (HEAD + "kind: command\ncommand: []", 4, "command: List should have at least 1"),
        (HEAD + "kind: command\ncommand: [no-such-program]", 4, "there is no program 'no-such-program'"),
        (HEAD + "kind: command\ncommand: ['{p}']\nparameters: {p: x}", 4, "the program cannot hold a placeholder"),
        (HEAD + "kind: command\ncommand: [ls]\nfolder: gone", 5, "there is no folder"),
        (HEAD + "kind: command\ncommand: [ls, '{p}']", 4, r"there is no value for \{p\}"),
        ("kind: mcp", 1, "a server needs either command or url"),
        ("kind: mcp\ncommand: [/nowhere/at-all]", 2, "the MCP server at-all cannot be reached"),
        ("tools:\n" + "  - {name: x, description: d, kind: http, url: https://a/}\n" * 2, 3, "another tool is named"),
    ],
)  # fmt: skip
def test_an_invalid_file_is_refused_with_the_line_and_a_remedy(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    if "kind: mcp\ncommand" in text:
        pytest.importorskip("mcp")
    path = written(tmp_path, text)
    with pytest.raises(OptionError, match=words) as refused:
        load_tools(path, allow_commands=True, allow_secrets=["NOT_THERE", "HOME", tmp_path])
    assert f"{path}:{line}: " in str(refused.value) and "\n" not in str(refused.value)


def test_all_errors_are_reported_together_and_valid_tools_are_still_loaded(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "tools:\n  - {name: good, description: d, kind: http, url: https://a/}\n"
        "  - {name: bad, kind: http, ul: https://a/}\n  - {name: worse}\n",
    )
    made, problems = read_tools(path)
    assert [one.name for one in made] == ["good"]
    assert [str(problem).removeprefix(str(path)).split(":")[1] for problem in problems] == ["3", "3", "3", "4"]
    with pytest.raises(OptionError, match="url is missing; .*there is no setting ul"):
        load_tools(path)


@pytest.mark.system
def test_the_tools_of_a_server_come_through_a_file(tmp_path: Path) -> None:
    pytest.importorskip("mcp")
    program = Path(__file__).parents[1] / "support" / "museum_server.py"
    (tmp_path / "notes.txt").touch()
    text = {
        "kind": "mcp", "command": [sys.executable, str(program)], "include": ["hours"], "prefix": "m_",
        "approval": True, "env": {"MUSEUM_NOTES": "notes.txt", "PYTHONPATH": str(program.parents[1])},
    }  # fmt: skip
    one = load(tmp_path, json.dumps(text), allow_commands=True)
    assert (one.name, one.approval) == ("m_hours", True)
    assert call(one, museum="It").text == "It is open on day 1."
    with pytest.raises(ToolArgumentError, match="museum: Field required"):
        call(one)
    assert one.release is not None
    asyncio.run(one.release())  # type: ignore[arg-type]


def test_servers_without_the_extra_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "agentaudio.tools.mcp", raising=False)
    with pytest.raises(OptionError, match=r"pip install 'agentaudio\[mcp\]'"):
        load(tmp_path, "kind: mcp\nurl: http://localhost:1/mcp")


def test_the_published_schema_is_that_of_the_format() -> None:
    published = Path(file_format.__file__).with_name("schema.json").read_text(encoding="utf-8")
    assert published == file_format.json_schema()
    schema = json.loads(published)
    assert {"HttpTool", "PythonTool", "McpTools", "DocumentsTool", "CommandTool"} <= set(schema["$defs"])
    assert "import" in schema["$defs"]["PythonTool"]["required"]


def test_the_published_schema_accepts_only_valid_files(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(file_format.json_schema()))
    right = [HOURS.format(url="https://a"), FULL.format(url="https://a"), STEPS.format(url="https://a"), CLOCK_FILE]
    for text in right:
        assert validator.is_valid(read_source(written(tmp_path, text)).data), text
    for text in (OK + "methd: GET", HEAD + "kind: htp", HTTP, "tools: []", OK + "parameters: {a: {type: text}}"):
        assert not validator.is_valid(read_source(written(tmp_path, text)).data), text
