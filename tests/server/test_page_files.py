"""The files of the page: served with a strict policy, complete, and from this server alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from support.server import KEY, running_server

from agentaudio import Agent
from agentaudio.server.web import page

STATIC = Path(page.__file__).parent / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))


@pytest.fixture(scope="module")
def client() -> Iterator[httpx2.Client]:
    with running_server(Agent("scripted")) as server, httpx2.Client(base_url=server.url) as client:
        yield client


class Markup(HTMLParser):
    """What a page refers to, and what its policy would forbid."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "link"):
            self.addresses.append(given.get("src") or given.get("href") or "")
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))


def markup() -> Markup:
    found = Markup()
    found.feed((STATIC / "index.html").read_text(encoding="utf-8"))
    return found


def test_page_and_all_its_files_come_without_a_key_and_with_a_policy_for_this_server_alone(
    client: httpx2.Client,
) -> None:
    names = ["/", *(f"/page/{file.relative_to(STATIC).as_posix()}" for file in STATIC.rglob("*") if file.is_file())]
    for name in names:
        answer = client.get(name)
        assert answer.status_code == 200, name
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "unsafe" not in str(policy) and "http" not in str(policy) and "*" not in str(policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("/page/js/main.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/v1/models").status_code == 401  # the page opens nothing else


def test_unchanged_files_are_not_sent_again(client: httpx2.Client) -> None:
    tag = client.get("/page/js/main.js").headers["etag"]
    again = client.get("/page/js/main.js", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get("/page/js/main.js", headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "..%2fpage.py",
        "%2e%2e/page.py",
        "js/",
        "js",
        "js/..%2f..%2f/page.py",
        "nothing.js",
        "js/main.js%00",
        "/etc/passwd",
    ],
)
def test_nothing_but_the_pages_own_files_is_served(client: httpx2.Client, name: str) -> None:
    answer = client.get(f"/page/{name}")
    assert answer.status_code == 404
    assert "import" not in answer.text and str(STATIC) not in answer.text


def test_page_has_no_inline_script_or_style_and_names_no_other_host(client: httpx2.Client) -> None:
    found = markup()
    assert found.inline == []
    assert len(found.ids) == len(set(found.ids))
    for address in found.addresses:
        assert address.startswith("page/") and client.get(f"/{address}").status_code == 200
    for file in STATIC.rglob("*.*"):
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(https?|wss?):?//(?!localhost)[a-z]", text), file


def test_scripts_import_only_files_that_exist_and_never_write_markup() -> None:
    assert len(SCRIPTS) > 15
    for file in SCRIPTS:
        text = file.read_text(encoding="utf-8")
        for name in re.findall(r"""(?:from|import\()\s*["'](\.[^"'\s]+)["']""", text):
            assert (file.parent / name).resolve() in SCRIPTS, f"{file.name} imports {name}"
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert word not in text, f"{file.name} uses {word}"
        assert len(text.splitlines()) <= 400, file


def test_every_element_that_the_scripts_look_up_exists() -> None:
    ids = set(markup().ids)
    for file in SCRIPTS:
        for name in re.findall(r"""\$\(["']([\w-]+)["']\)""", file.read_text(encoding="utf-8")):
            assert name in ids, f"{file.name} looks for #{name}"


def test_a_page_of_another_origin_gets_nothing(client: httpx2.Client) -> None:
    headers = {"authorization": f"Bearer {KEY}", "origin": "https://elsewhere.example"}
    assert client.get("/v1/models", headers=headers).status_code == 403
