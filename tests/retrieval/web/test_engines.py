"""Search engines, against a local server, and their failures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.local_http import Answer, Asked, LocalServer, local_server

from agentaudio.errors import OptionError, RetrievalError
from agentaudio.http import Guard
from agentaudio.retrieval.web.engines import Engines
from agentaudio.retrieval.web.locale import locale_of
from agentaudio.retrieval.web.passage import WebPassage
from agentaudio.retrieval.web.providers import Brave, Ddgs, SearchEngine, SearXNG, Tavily
from agentaudio.retrieval.web.refusal import EngineError
from agentaudio.workers.pool import WEB

WALL = WebPassage("It is 21,000 kilometers long.", "The Great Wall", "http://example.org/wall", score=1.0)
DATED = WebPassage(WALL.text, WALL.title, WALL.source, score=1.0, date="2026-03-01")
ROW = {"title": "The Great Wall", "url": "http://example.org/wall"}
TEXT = "It is 21,000\nkilometers long."


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as made:
        yield made


def answer(content: Any, status: int = 200, **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


def search(engine: SearchEngine, query: str = "great wall", k: int = 3) -> list[WebPassage]:
    return asyncio.run(engine.search(query, k))


def test_searxng_is_asked_for_json(server: LocalServer) -> None:
    server.answers["/search"] = answer({"results": [{**ROW, "content": TEXT, "publishedDate": "2026-03-01T08:00:00"}]})
    assert search(SearXNG(server.url + "/"), "great wall & gate") == [DATED]
    assert server.asked[0].path == "/search?q=great+wall+%26+gate&format=json&safesearch=1"
    server.answers["/search"] = answer(b"Forbidden", 403)
    with pytest.raises(EngineError, match=r"searxng answers 403; allow JSON in its settings\.yml"):
        search(SearXNG(server.url))


def test_tavily_gets_its_key_and_keeps_it_secret(server: LocalServer) -> None:
    server.answers["/search"] = answer({"results": [{**ROW, "content": TEXT, "score": 0.9}]})
    engine = Tavily("tvly-secret", server.url)
    assert search(engine) == [WALL]
    asked = server.asked[0]
    assert asked.headers["authorization"] == "Bearer tvly-secret"
    assert json.loads(asked.body) == {"query": "great wall", "max_results": 3}
    assert "secret" not in repr(engine)
    server.answers["/search"] = answer({"detail": "no"}, 401)
    with pytest.raises(
        EngineError, match=r"tavily answers 401 \(no\); its key is wrong or not permitted: check it"
    ) as raised:
        search(engine)
    assert "secret" not in str(raised.value)


def test_brave_s_markup_becomes_plain_text(server: LocalServer) -> None:
    row = {
        **ROW,
        "description": "It is <strong>21,000</strong> kilometers&#32;long.",
        "page_age": "2026-03-01T00:00:00",
    }
    server.answers["/res/v1/web/search"] = answer({"web": {"results": [row]}})
    assert search(Brave("key", server.url)) == [DATED]
    assert server.asked[0].headers["x-subscription-token"] == "key"
    assert server.asked[0].path.endswith("?q=great+wall&count=3")


@pytest.fixture
def ddgs_backend(server: LocalServer) -> Iterator[str]:
    """A search engine on this machine, registered with ddgs under a name of its own."""
    pytest.importorskip("ddgs", reason="needs the extra 'web'")
    from ddgs.engines import ENGINES
    from ddgs.engines.duckduckgo import Duckduckgo

    page = b"""<html><body><div class="result"><h2>The Great Wall</h2><a href="http://example.org/wall">x</a>
    <a class="snippet">It is 21,000 kilometers long.</a></div></body></html>"""

    def found(asked: Asked) -> Answer:
        return answer(page if "wall" in asked.path else b"<html></html>", content_type="text/html")

    server.answers["/"] = found

    class Local(Duckduckgo):
        name = provider = "local"
        search_method = "GET"
        search_url = f"{server.url}/"
        items_xpath = "//div[@class='result']"
        elements_xpath = {"title": ".//h2//text()", "href": ".//a/@href", "body": ".//a[@class='snippet']//text()"}

    ENGINES["text"]["local"] = Local
    yield "local"
    del ENGINES["text"]["local"]


def ask_ddgs(
    backend: str, server: LocalServer, query: str = "great wall", *, allowed: bool = True, region: str = "wt-wt"
) -> Any:
    from agentaudio.retrieval.web import ddgs_task

    hosts = [f"127.0.0.1:{server.port}"] if allowed else []
    return ddgs_task.search({"query": query, "k": 3, "backend": backend, "allowed": hosts, "region": region}, b"")[0]


def test_ddgs_needs_no_key(ddgs_backend: str, server: LocalServer) -> None:
    assert ask_ddgs(ddgs_backend, server) == [{"title": WALL.title, "href": WALL.source, "body": WALL.text}]


def test_ddgs_tells_nothing_found_from_engines_that_refuse(ddgs_backend: str, server: LocalServer) -> None:
    assert ask_ddgs(ddgs_backend, server, "nothing") == []
    for status in (202, 403, 429, 503):
        server.answers["/"] = answer(b"<html></html>", status, content_type="text/html")
        with pytest.raises(EngineError, match="try later, or other words"):
            ask_ddgs(ddgs_backend, server, "nothing")


@pytest.mark.parametrize(
    ("query", "language", "region"),
    [
        ("长城有多长", "zh-CN", "cn-zh"), ("長城的歷史", "zh-TW", "tw-zh"), ("万里の長城の長さ", "ja-JP", "jp-ja"),
        ("만리장성 길이", "ko-KR", "kr-ko"), ("длина стены", "ru-RU", "ru-ru"), ("довжина стіни", "uk-UA", "ua-uk"),
        ("طول السور", "ar-SA", "sa-ar"), ("طول دیوار چین", "fa-IR", "ir-fa"), ("אורך החומה", "he-IL", "il-he"),
        ("μήκος του τείχους", "el-GR", "gr-el"), ("ความยาวกำแพง", "th-TH", "th-th"),
        ("दीवार की लंबाई", "hi-IN", "in-hi"),
        ("Wikipedia 中的长城", "zh-CN", "cn-zh"), ("great wall", None, None),
    ],
)  # fmt: skip
def test_engines_are_asked_in_the_language_of_the_query(
    server: LocalServer, query: str, language: str | None, region: str | None
) -> None:
    server.answers["/search"] = answer({"results": []})
    server.answers["/res/v1/web/search"] = answer({"web": {"results": []}})
    assert search(SearXNG(server.url), query) == search(Brave("key", server.url), query) == []
    asked = parse_qs(urlsplit(server.asked[0].path).query)
    assert asked.get("language", [None]) == [language]
    locale = locale_of(query)
    assert (locale.region if locale else None) == region
    brave = parse_qs(urlsplit(server.asked[1].path).query)
    assert ("search_lang" in brave) == (language not in (None, "fa-IR"))


def test_ddgs_is_asked_in_a_region(ddgs_backend: str, server: LocalServer) -> None:
    from ddgs.engines import ENGINES

    seen = []
    local = ENGINES["text"][ddgs_backend]

    class Noting(local):  # type: ignore[misc, valid-type]
        def build_payload(self, query: str, region: str, *args: Any, **options: Any) -> Any:
            seen.append(region)
            return super().build_payload(query, region, *args, **options)

    ENGINES["text"][ddgs_backend] = Noting
    ask_ddgs(ddgs_backend, server, region="cn-zh")
    assert seen == ["cn-zh"]


def test_ddgs_runs_in_a_worker_process_and_answers_or_says_why_not() -> None:
    pytest.importorskip("ddgs", reason="needs the extra 'web'")
    try:
        assert len(search(Ddgs("wikipedia"))) <= 3  # where the internet can be reached
    except EngineError as error:
        assert "ddgs found nothing for 'great wall'" in str(error)
    assert WEB.pids


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target", ["{}/secret", "//127.0.0.1:{}/secret", "http://localhost:{}/secret", "file:///etc/hosts"]
)
def test_ddgs_follows_redirects_to_allowed_addresses_only(
    ddgs_backend: str, server: LocalServer, status: int, target: str
) -> None:
    page = server.answers["/"]
    with local_server() as private:
        private.answers["/secret"] = page
        place = target.format(private.url if target.startswith("{}") else private.port)
        server.answers["/"] = answer(b"", status, location=place)
        with pytest.raises(EngineError, match="is refused"):
            ask_ddgs(ddgs_backend, server)
        assert private.asked == []
    server.answers["/"] = answer(b"", status, location="/moved?of=wall")
    server.answers["/moved"] = page
    assert [row["title"] for row in ask_ddgs(ddgs_backend, server)] == [WALL.title]
    with pytest.raises(EngineError, match="127.0.0.1, not an address of the public internet"):
        ask_ddgs(ddgs_backend, server, allowed=False)


def test_ddgs_does_not_reach_a_name_that_becomes_private_between_check_and_connection(server: LocalServer) -> None:
    pytest.importorskip("ddgs", reason="needs the extra 'web'")
    from ddgs.exceptions import DDGSException

    from agentaudio.guarded_proxy import guarded_proxy
    from agentaudio.retrieval.web.ddgs_task import GuardedClient

    answers = [["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    guard = Guard(resolve=resolve)
    with guarded_proxy(guard) as proxy, pytest.raises(DDGSException, match="status 2"):
        GuardedClient(guard, proxy, []).get(f"http://engine.test:{server.port}/")
    assert server.asked == [] and len(answers) == 1


def test_ddgs_reads_no_endless_answer_and_follows_no_circle(ddgs_backend: str, server: LocalServer) -> None:
    server.answers["/"] = answer(b"<p>" + b"wall " * 500_000, content_type="text/html")
    with pytest.raises(EngineError, match="sends more than 2000000 bytes"):
        ask_ddgs(ddgs_backend, server)
    server.answers["/"] = answer(b"", 302, location="/")
    with pytest.raises(EngineError, match="redirects more than 5 times"):
        ask_ddgs(ddgs_backend, server)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[1]", b"null", b"[" * 100_000, b'{"results": 7}', b'{"results": [7, null, {}]}',
     b'{"results": [{"url": "javascript:alert(1)"}, {"url": "http://a b/"}, {"url": 5}]}', b'{"results": null}'],
)  # fmt: skip
def test_malformed_answers_give_nothing_or_an_error(server: LocalServer, content: bytes) -> None:
    server.answers["/search"] = answer(content)
    try:
        assert search(SearXNG(server.url)) == []
    except EngineError as error:
        assert "not answer with a JSON object" in str(error)


def test_an_engine_that_does_not_answer_is_named() -> None:
    with local_server() as gone:
        pass
    with pytest.raises(EngineError, match="searxng cannot be used: 127.0.0.1 cannot be reached"):
        search(SearXNG(gone.url))


def test_the_next_engine_answers_when_one_fails(server: LocalServer) -> None:
    server.answers["/search"] = answer(b"", 500)
    server.answers["/res/v1/web/search"] = answer({"web": {"results": [{**ROW, "description": TEXT}]}})
    engines = Engines([SearXNG(server.url), Brave("key", server.url)])
    assert search(engines) == [WALL]
    asked = len(server.asked)
    assert search(engines, "  great \n wall ") == [WALL] and len(server.asked) == asked  # remembered


def test_an_engine_that_failed_is_skipped_for_longer_and_longer(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("agentaudio.retrieval.web.engines.monotonic", lambda: now[0])
    server.answers["/search"] = answer(b"", 503)
    engines = Engines([SearXNG(server.url)], interval_s=0)

    def asked_after(seconds: float) -> bool:
        now[0] += seconds
        before = len(server.asked)
        with pytest.raises(RetrievalError, match="searxng"):
            search(engines)
        return len(server.asked) > before

    monkeypatch.setattr("agentaudio.retry.random.uniform", lambda least, most: most)
    assert asked_after(0)
    assert not asked_after(1.9) and asked_after(0.2)
    assert not asked_after(3.9) and asked_after(0.2)
    server.answers["/search"] = answer(b"", 429, retry_after="60")
    assert asked_after(8.1)
    assert not asked_after(59.0) and asked_after(1.1)
    now[0] += 60.1
    server.answers["/search"] = answer({"results": [{**ROW, "content": TEXT}]})
    assert search(engines) == [WALL]
    server.answers["/search"] = answer(b"", 503)
    with pytest.raises(RetrievalError):
        search(engines, "other")
    with pytest.raises(RetrievalError, match=r"failed and is skipped for 2 s more \(searxng answers 503; try later\)"):
        search(engines, "other")


BRAVE_LIMIT: dict[str, Any] = {
    "type": "ErrorResponse", "error": {"code": "RATE_LIMITED", "detail": "Request rate limit exceeded for plan."},
}  # fmt: skip
POLICY = "1;w=1, 2000;w=2592000"


@pytest.mark.parametrize(
    ("reply", "words", "reason"),
    [
        (answer({"detail": {"error": "Unauthorized: invalid API key."}}, 401), "its key is wrong", "account"),
        (answer({"error": {"code": "SUBSCRIPTION_TOKEN_INVALID", "detail": "The provided token is invalid."}}, 422),
         r"\(SUBSCRIPTION_TOKEN_INVALID: The provided token is invalid.\); its key is wrong", "account"),
        (answer(b"", 403), "its key is wrong or not permitted", "account"),
        (answer({"detail": {"error": "This request exceeds your plan's set usage limit."}}, 432),
         "answers 432 .*its plan is used up", "account"),
        (answer({"error": "top up"}, 402), "its plan is used up", "account"),
        (answer({"message": "You have used all your monthly credits"}, 429), "its plan is used up", "account"),
        (answer(BRAVE_LIMIT, 429, x_ratelimit_remaining="0, 0", x_ratelimit_policy=POLICY), "is used up", "account"),
        (answer(BRAVE_LIMIT, 429, x_ratelimit_remaining="0, 1200", x_ratelimit_policy=POLICY, retry_after="1"),
         "it is asked too often: try later", "outage"),
        (answer({"detail": {"error": "Too long."}}, 400), r"\(Too long.\); it does not take this query", "query"),
        (answer({"error": {"code": "VALIDATION", "detail": "Unable to validate request parameter(s)"}}, 422),
         "it does not take this query", "query"),
        (answer(b"<html>", 414), "answers 414; it does not take this query", "query"),
        (answer(b"oops", 500), "answers 500; try later", "outage"),
        (answer({"error": "key s3cret\u202e\n is bad" + "x" * 999}, 401), r"key \*\*\* is badx+\); its key", "account"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [Tavily, Brave])
def test_why_an_engine_did_not_answer_is_said(
    server: LocalServer, make: Any, reply: Answer, words: str, reason: str
) -> None:
    server.answers |= {"/search": reply, "/res/v1/web/search": reply}
    with pytest.raises(EngineError, match=words) as raised:
        search(make("s3cret", server.url))
    assert raised.value.reason == reason and "s3cret" not in str(raised.value)
    assert len(str(raised.value)) < 300 and str(raised.value).isprintable()


def test_a_query_that_an_engine_does_not_take_is_not_an_outage(server: LocalServer) -> None:
    server.answers["/search"] = answer({"error": "no"}, 400)
    server.answers["/res/v1/web/search"] = answer({"web": {"results": [{**ROW, "description": TEXT}]}})
    engines = Engines([SearXNG(server.url), Brave("key", server.url)], interval_s=0)
    assert search(engines, "!!") == [WALL]
    server.answers["/search"] = answer({"results": [{**ROW, "title": "Another"}]})
    assert search(engines)[0].title == "Another"
    server.answers["/search"] = answer({"error": "no"}, 400)
    with pytest.raises(RetrievalError, match="searxng answers 400 .*it does not take this query"):
        search(Engines([SearXNG(server.url)]), "!!")


def test_an_account_that_does_not_work_is_not_tried_again_soon_and_named_meanwhile(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("agentaudio.retrieval.web.engines.monotonic", lambda: now[0])
    server.answers["/search"] = answer({"detail": "over"}, 432)
    engines = Engines([Tavily("key", server.url)], interval_s=0)
    for _ in range(3):
        with pytest.raises(RetrievalError, match="its plan is used up"):
            search(engines)
        now[0] += 99.0
    assert len(server.asked) == 1


def test_the_engines_of_searxng_that_failed_are_named(server: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    silent = [["bing", "timeout"], ["google", "Suspended: CAPTCHA"], ["odd"], "plain", 7, [], [None, "x"]]
    server.answers["/search"] = answer({"results": [], "unresponsive_engines": silent})
    words = r"searxng found nothing, and .* failed: bing \(timeout\), google \(Suspended: CAPTCHA\), odd, plain$"
    with pytest.raises(EngineError, match=words):
        search(SearXNG(server.url))
    engines = Engines([SearXNG(server.url)], interval_s=0)
    with pytest.raises(RetrievalError, match=r"google \(Suspended"):
        search(engines, "first")
    row = {"results": [{**ROW, "content": TEXT}], "unresponsive_engines": [[f"e{n}", "timeout"] for n in range(12)]}
    server.answers["/search"] = answer(row)
    with caplog.at_level("INFO", logger="agentaudio.retrieval.web.providers"):
        assert search(engines, "second") == [WALL]
    assert "e9 (timeout) and 2 more" in caplog.text
    server.answers["/search"] = answer({"results": [], "unresponsive_engines": []})
    assert search(engines, "third") == []


def test_queries_to_one_engine_are_spaced_out(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("agentaudio.retrieval.web.engines.monotonic", lambda: 1000.0)
    monkeypatch.setattr("agentaudio.retrieval.web.engines.asyncio.sleep", sleep)
    server.answers["/search"] = answer({"results": []})
    engines = Engines([SearXNG(server.url)], interval_s=2.0)
    for query in "abc":
        assert search(engines, query) == []
    assert slept == [0.0, 2.0, 4.0]
    with pytest.raises(RetrievalError, match="too many queries are waiting for searxng"):
        search(engines, "d")


def test_engines_come_from_the_environment() -> None:
    def names(**environment: str) -> list[str]:
        return [engine.name for engine in Engines.from_environment(environment).engines]

    assert names() == ["ddgs"]
    assert names(BRAVE_API_KEY="k", SEARXNG_URL="http://localhost:8888") == ["searxng", "brave", "ddgs"]
    assert names(BRAVE_API_KEY="k", TAVILY_API_KEY="t", AGENTAUDIO_WEB_SEARCH="brave, tavily") == ["brave", "tavily"]
    with pytest.raises(OptionError, match="did you mean 'searxng'"):
        names(AGENTAUDIO_WEB_SEARCH="searchng")
    with pytest.raises(OptionError, match="'brave', which needs BRAVE_API_KEY"):
        names(AGENTAUDIO_WEB_SEARCH="brave")
    with pytest.raises(OptionError, match="no search engine"):
        Engines([])
