"""Tools of files that ask web services: values in every place of a request, and answers of every shape."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from support.local_http import LocalServer, local_server
from support.sounds import tone

from agentaudio import RunContext, Tool, ToolResult, tool
from agentaudio.conversation import Conversation
from agentaudio.errors import ToolError
from agentaudio.tools.arguments import OpenArguments
from agentaudio.tools.declarative.load import load_tools

PARAMETERS = """
parameters:
  who: {optional: true}
  tags: {type: array, optional: true}
  n: {type: integer, optional: true}
  sure: {type: boolean, optional: true}
"""


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as running:
        running.answers["/ask"] = (200, {}, b"fine")
        yield running


def load(folder: Path, server: LocalServer, more: str) -> Tool:
    text = f"name: ask\ndescription: Ask.\nkind: http\nurl: {server.url}/ask\nallow_private: true\n{more}"
    (folder / "file.yaml").write_text(text + PARAMETERS)
    (one,) = load_tools(folder / "file.yaml")
    return one


def call(one: Tool, **arguments: Any) -> ToolResult:
    return asyncio.run(one.call(RunContext(Conversation()), arguments))


EVIL = 'a&admin=1"},"admin":"1</x>é %+'
FORM = "headers: {Content-Type: application/x-www-form-urlencoded}\n"
JSON = "headers: {content-type: application/json; charset=utf-8}\n"


@pytest.mark.parametrize(
    "more",
    [
        "method: POST\nbody: 'to={who}&n={n}&tags={tags}'\n",
        "method: POST\nbody: 'to={who}&n={n}&tags={tags}'\n" + FORM,
        "method: PUT\nbody: {to: '{who}', n: '{n}', tags: 'red,blue', left_out: '{sure}'}\n" + FORM,
    ],
)
def test_a_value_adds_no_field_to_a_form(tmp_path: Path, server: LocalServer, more: str) -> None:
    call(load(tmp_path, server, more), who=EVIL, n=3, tags=["red", "blue"])
    (asked,) = server.asked
    assert parse_qsl(asked.body.decode()) == [("to", EVIL), ("n", "3"), ("tags", "red,blue")]
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_list_in_a_form_of_fields_is_a_field_for_each_item(tmp_path: Path, server: LocalServer) -> None:
    call(
        load(tmp_path, server, "method: POST\nbody: {tag: '{tags}', sure: '{sure}'}\n" + FORM),
        tags=["a", "b&c"],
        sure=True,
    )
    assert parse_qsl(server.asked[0].body.decode()) == [("tag", "a"), ("tag", "b&c"), ("sure", "true")]


@pytest.mark.parametrize("header", ["", JSON])
def test_a_value_adds_no_field_to_a_text_in_json(tmp_path: Path, server: LocalServer, header: str) -> None:
    body = """method: POST\nbody: '{{"to": "for {who} \\" and {tags}", "n": {n}, "tags": {tags}, "sure": {sure}}}'\n"""
    call(load(tmp_path, server, body + header), who=EVIL, n=3, tags=["red", '"'], sure=False)
    assert json.loads(server.asked[0].body) == {
        "to": f'for {EVIL} " and red, "', "n": 3, "tags": ["red", '"'], "sure": False,
    }  # fmt: skip


def test_a_value_leaves_no_element_of_xml(tmp_path: Path, server: LocalServer) -> None:
    more = "method: POST\nbody: '<x a=\"{who}\">{who}</x>'\nheaders: {content-type: text/xml}\n"
    call(load(tmp_path, server, more), who="\"><b>&'")
    assert server.asked[0].body == b'<x a="&quot;&gt;&lt;b&gt;&amp;&apos;">&quot;&gt;&lt;b&gt;&amp;&apos;</x>'


@pytest.mark.parametrize(
    ("more", "path", "body"),
    [
        ("method: POST\nbody: 'I like {tags}, yes: {sure}.'\n", "/ask", b"I like red, deep blue, yes: true."),
        ("query: {q: 'in {tags}', t: '{tags}'}\n", "/ask?q=in%20red%2C%20deep%20blue&t=red&t=deep%20blue", b""),
        ("method: POST\nbody: {text: 'I like {tags}', all: '{tags}'}\n", "/ask",
         b'{"text":"I like red, deep blue","all":["red","deep blue"]}'),
        ("headers: {x-tags: '{tags}'}\nmethod: POST\nbody: '{tags}'\n", "/ask", b'["red","deep blue"]'),
    ],
)  # fmt: skip
def test_a_list_inside_a_text_is_its_items(
    tmp_path: Path, server: LocalServer, more: str, path: str, body: bytes
) -> None:
    call(load(tmp_path, server, more), tags=["red", "deep blue"], sure=True)
    (asked,) = server.asked
    assert (asked.path.replace("+", "%20"), asked.body) == (path, body)
    assert asked.headers.get("x-tags", "red, deep blue") == "red, deep blue"


def test_lists_in_a_url_and_a_command_have_no_blanks(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/of/red%2Cblue"] = (200, {}, b"both")
    text = f"name: x\ndescription: d\nkind: http\nurl: '{server.url}/of/{{tags}}?ids={{tags}}'\nallow_private: true"
    (tmp_path / "a.yaml").write_text(text + PARAMETERS)
    (one,) = load_tools(tmp_path / "a.yaml")
    assert call(one, tags=["red", "blue"]).text == "both" and server.asked[0].path.endswith("?ids=red%2Cblue")
    (tmp_path / "b.yaml").write_text(
        "name: x\ndescription: d\nkind: command\ncommand: [echo, 'tags={tags}']" + PARAMETERS
    )
    (one,) = load_tools(tmp_path / "b.yaml", allow_commands=True)
    assert call(one, tags=["red", "blue"]).text == "tags=red,blue"


def test_a_template_prints_lists_booleans_and_nothing_as_words(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/ask"] = (200, {}, b'{"a": ["x", 2], "b": true, "c": null, "d": {"e": [1]}}')
    template = "template: '{{ result.a }}|{{ result.b }}|{{ result.c }}|{{ result.d }}|{{ tags }}'\n"
    assert call(load(tmp_path, server, template), tags=["p", "q"]).text == 'x, 2|true||{"e": [1]}|p, q'


@pytest.mark.parametrize("status", [200, 201, 204])
@pytest.mark.parametrize("more", ["", "select: a.b\n", "returns: text\n", "select: a\nreturns: text\n"])
def test_an_answer_without_content_is_a_success(tmp_path: Path, server: LocalServer, status: int, more: str) -> None:
    server.answers["/ask"] = (status, {}, b"")
    assert call(load(tmp_path, server, f"method: DELETE\n{more}")).text == (
        "Done." if "select" in more or status == 204 else "Done."
    )
    template = "method: POST\ntemplate: 'Deleted {{ who }}.'\n"
    assert call(load(tmp_path, server, template), who="it").text == "Deleted it."


def test_a_step_may_answer_without_content_and_nothing_found_is_said(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/go"] = (204, {}, b"")
    steps = f"steps:\n  - {{name: first, method: POST, url: '{server.url}/go'}}\n"
    assert call(load(tmp_path, server, steps)).text == "fine"
    server.answers["/ask"] = (204, {}, b"")
    with pytest.raises(ToolError, match="^Nothing there.$"):
        call(load(tmp_path, server, "empty: Nothing there.\n"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (codecs.BOM_UTF8 + '{"a": "é"}'.encode(), "application/json"),
        (codecs.BOM_UTF16_LE + '{"a": "é"}'.encode("utf-16-le"), "application/json"),
        (codecs.BOM_UTF16_BE + '{"a": "é"}'.encode("utf-16-be"), "text/plain; charset=utf-8"),
        (codecs.BOM_UTF32_LE + '{"a": "é"}'.encode("utf-32-le"), ""),
        ('\ufeff{"a": "é"}'.encode(), "application/json; charset=utf-8"),
    ],
)
def test_a_byte_order_mark_is_not_part_of_an_answer(
    tmp_path: Path, server: LocalServer, content: bytes, kind: str
) -> None:
    server.answers["/ask"] = (200, {"content-type": kind}, content)
    assert call(load(tmp_path, server, "select: a\nreturns: text\n")).text == "é"
    assert call(load(tmp_path, server, "")).text == '{"a": "é"}'


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("image/png", b"\x89PNG" + bytes(range(256)), r"answered with image/png \(260 bytes\), which is not text"),
        ("application/pdf", b"%PDF-1.7 text", "answered with application/pdf"),
        ("", bytes(range(256)) * 4, r"answered with binary data \(1024 bytes\)"),
        ("application/octet-stream", b"\x00\x01\x02 and words", "answered with application/octet-stream"),
        ("audio/wav", tone().to_bytes(), "which is not text; for sound, the tool file needs returns: audio"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("more", ["", "select: a\n"])
def test_an_answer_that_is_not_text_is_said(
    tmp_path: Path, server: LocalServer, kind: str, content: bytes, words: str, more: str
) -> None:
    server.answers["/ask"] = (200, {"content-type": kind}, content)
    with pytest.raises(ToolError, match=words):
        call(load(tmp_path, server, more))
    server.answers["/ask"] = (500, {"content-type": kind}, content)
    with pytest.raises(ToolError, match="^the service answered 500$"):
        call(load(tmp_path, server, more))


@pytest.mark.parametrize("kind", ["application/octet-stream", "image/svg+xml", "", "text/plain; charset=latin-1"])
def test_text_of_any_kind_stays_text(tmp_path: Path, server: LocalServer, kind: str) -> None:
    text = "<svg>\n\tüber 9 €</svg>" if "latin" not in kind else "<svg>\n\tüber 9</svg>"
    server.answers["/ask"] = (200, {"content-type": kind}, text.encode("latin-1" if "latin" in kind else "utf-8"))
    assert call(load(tmp_path, server, "")).text == text


def test_an_error_in_place_of_sound_is_said(tmp_path: Path, server: LocalServer) -> None:
    server.answers["/ask"] = (402, {"content-type": "application/json"}, b'{"error": "no credit"}')
    with pytest.raises(ToolError, match='the service answered 402: {"error": "no credit"}'):
        call(load(tmp_path, server, "returns: audio\n"))


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("3600", "60 minutes"),
        ("in two hours", "1(19|20) minutes"),
        ("9", "9 s"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_service_that_asks_to_be_left_alone_is_asked_once(
    tmp_path: Path, server: LocalServer, wanted: str, shown: str, method: str
) -> None:
    if wanted == "in two hours":
        wanted = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    server.answers["/ask"] = (429, {"retry-after": wanted}, b"")
    one = load(tmp_path, server, f"method: {method}\n")
    with pytest.raises(ToolError, match=f"the service answered 429; try again later, in {shown}"):
        call(one)
    server.answers["/ask"] = (200, {}, b"fine")
    for _ in range(3):
        with pytest.raises(ToolError, match=r"the service asked to be left alone for (60 minutes|[89] s) more"):
            call(one)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (int, "500", 500), (int, " 7 ", 7), (int, 3.0, 3), (int, "12.0", 12), (float, "2.5", 2.5), (float, 2, 2),
        (bool, "true", True), (bool, "off", False), (bool, 1, True), (str, 500, "500"), (str, 2.5, "2.5"),
        (list[int], ["1", 2], [1, 2]), (dict[str, int], {"a": "1"}, {"a": 1}), (int | None, "5", 5),
        (int | None, None, None), (int | str, "5", "5"),
    ],
)  # fmt: skip
def test_arguments_are_converted_alike_for_functions_and_for_schemas_of_others(
    kind: Any, given: Any, value: Any
) -> None:
    def take(x: Any) -> str:
        return ""

    take.__annotations__["x"] = kind
    typed = tool(take).arguments
    converted = [one.check("take", {"x": given})["x"] for one in (typed, OpenArguments(typed.schema))]
    assert converted == [value, value] and {type(one) for one in converted} <= {type(value), float}


def test_references_are_followed_and_what_does_not_convert_stays() -> None:
    schema = {
        "type": "object",
        "properties": {
            "order": {"$ref": "#/$defs/Order"}, "n": {"type": "integer"}, "any": {},
            "loop": {"$ref": "#/properties/loop"},
            "size": {"enum": ["1", "2"], "type": ["string", "integer"]}, "flag": {"type": "boolean"},
        },
        "$defs": {"Order": {"properties": {"count": {"type": "integer"}, "next": {"$ref": "#/$defs/Order"}}}},
    }  # fmt: skip
    given = {
        "order": {"count": "2", "next": {"count": "3", "more": "4"}}, "n": "many", "any": "1", "loop": "1",
        "size": "1", "flag": "perhaps",
    }  # fmt: skip
    checked = OpenArguments(schema).check("x", given)
    assert checked == given | {"order": {"count": 2, "next": {"count": 3, "more": "4"}}}
