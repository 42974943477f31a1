"""Tools of the kind `http`: requests to a web service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
import jinja2
import jmespath
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agentaudio.cache import Cache
from agentaudio.errors import AgentAudioError, ServiceUnavailable, ToolError
from agentaudio.http import Fetched, Guard, fetch, guarded_client, parse_url
from agentaudio.retry import retry
from agentaudio.tools.declarative.answer import MAX_EXCERPT_CHARS, check_status, read_answer
from agentaudio.tools.declarative.body import filled_body
from agentaudio.tools.declarative.entry import Entry, redact
from agentaudio.tools.declarative.format import HttpTool, Request
from agentaudio.tools.declarative.placeholder import as_text, fill, fill_all
from agentaudio.tools.quoting import excerpt
from agentaudio.tools.tool import Tool

USER_AGENT = "agentaudio (+https://pypi.org/project/agentaudio)"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
MAX_CACHED = 256
LONGEST_REST_S = 3600.0
"""Longest time for which a service that asks to be left alone is not asked."""


class _Environment(ImmutableSandboxedEnvironment):
    """Templates in which `result.items` is what the answer has under "items", and only else a method of it."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _printed(value: Any) -> Any:
    """A value in a template, as text. Raises ToolError for a method, whose text is an address in memory."""
    if isinstance(value, jinja2.Undefined):
        return value
    if callable(value):
        raise ToolError("its template prints a method; the answer of the service has no value of that name")
    return as_text(value)


_JINJA = _Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, finalize=_printed)


def http_tool(entry: Entry, config: HttpTool) -> Tool:
    """The tool. Raises OptionError, with the line, for settings that would fail in every call."""
    idempotent = config.idempotent
    if idempotent is None:
        idempotent = all(request.method == "GET" for request in (config, *config.steps))
    if not idempotent and config.retries and "retries" in config.model_fields_set:
        raise entry.error(f"{config.method} is not retried unless the tool sets idempotent: true", "retries")
    service = _Service(entry, config, retries=config.retries if idempotent else 0)
    return Tool(
        name=config.name,
        description=config.description,
        arguments=entry.arguments(config.name, config.parameters),
        function=service.ask,
        phrases=tuple(config.phrases),
        timeout_s=config.timeout_s,
        idempotent=idempotent,
        approval=config.approval,
        cancellable=config.cancellable,
        filler=config.filler,
        returns=config.returns,
        untrusted=True,
    )


class _Service:
    """A web service with its secrets, its cache and the hosts that it may reach."""

    def __init__(self, entry: Entry, tool: HttpTool, *, retries: int) -> None:
        self._tool, self._retries = tool, retries
        self._secrets = entry.secrets(tool.secrets)
        for name in set(self._secrets) & set(tool.parameters):
            raise entry.error(f"{name!r} is both a parameter and a secret; rename one", "secrets", name)
        known = {*tool.parameters, *self._secrets}
        hosts = set()
        for number, step in enumerate(tool.steps):
            hosts.add(_check_request(entry, step, known, "steps", number))
            if step.name in known:
                raise entry.error(f"the name {step.name!r} is already used; rename the step", "steps", number, "name")
            known.add(step.name)
        hosts.add(_check_request(entry, tool, known))
        self._guard = Guard(frozenset(hosts) if tool.allow_private else frozenset())
        self._template = None
        if tool.template is not None:
            try:
                self._template = _JINJA.from_string(tool.template)
            except jinja2.TemplateError as error:
                raise entry.error(f"the template cannot be read: {error}", "template") from None
        self._rest_until: dict[str, float] = {}  # by host and port, in seconds of `monotonic`
        self._answers: Cache[Fetched] = Cache(size=MAX_CACHED, keep_s=tool.cache_s)

    async def ask(self, **arguments: Any) -> Any:
        try:
            return await self._ask(arguments)
        except AgentAudioError as error:
            raise ToolError(redact(str(error), self._secrets)) from None

    async def _ask(self, arguments: Mapping[str, Any]) -> Any:
        known: dict[str, Any] = {**arguments, **self._secrets}
        async with guarded_client(self._guard, timeout_s=self._tool.timeout_s) as client:
            for step in self._tool.steps:
                fetched = await self._fetched(client, step, known)
                known[step.name] = await asyncio.to_thread(read_answer, step, fetched, known)
            fetched = await self._fetched(client, self._tool, known)
        if self._tool.returns == "audio":
            check_status(fetched)
            return fetched.body
        # Parsing megabytes of JSON and rendering a template would block the event loop.
        return await asyncio.to_thread(self._answer, fetched, known)

    def _answer(self, fetched: Fetched, known: Mapping[str, Any]) -> Any:
        result = read_answer(self._tool, fetched, known, structured=self._template is not None)
        if self._template is None:
            return self._redact(result)
        shown = {name: value for name, value in known.items() if name not in self._secrets}
        try:
            return redact(self._template.render(**shown, result=result), self._secrets).strip()
        except ToolError:
            raise
        except Exception as error:  # filters raise exceptions of any type for values of another form
            problem = excerpt(str(error), MAX_EXCERPT_CHARS) or type(error).__name__
            raise ToolError(f"the answer of the service does not have the expected form: {problem}") from None

    def _redact(self, value: Any) -> Any:
        if isinstance(value, str):
            return redact(value, self._secrets)
        if isinstance(value, dict):
            return {name: self._redact(item) for name, item in value.items()}
        return [self._redact(item) for item in value] if isinstance(value, list) else value

    async def _fetched(self, client: httpx2.AsyncClient, request: Request, known: Mapping[str, Any]) -> Fetched:
        made = _build_request(client, request, known)
        key = (made.method, str(made.url), repr(made.headers.raw), repr(made.content))
        if (known_answer := self._answers.get(key)) is not None:
            return known_answer

        host = f"{made.url.host}:{made.url.port}"
        if (left_s := self._rest_until.get(host, 0.0) - monotonic()) > 0:
            raise ToolError(f"the service asked to be left alone for {_duration(left_s)} more; try again later")

        async def attempt() -> Fetched:
            return (await fetch(client, made)).require_available()

        try:
            fetched = await retry(
                attempt,
                retries=self._retries,
                first_pause_s=FIRST_PAUSE_S,
                longest_pause_s=LONGEST_PAUSE_S,
                label=f"a request of the tool {self._tool.name}",
            )
        except ServiceUnavailable as error:
            wanted_s = error.retry_after_s or 0.0
            if wanted_s <= 0:
                raise ToolError(f"{error}; try again later") from None
            self._rest_until[host] = monotonic() + min(wanted_s, LONGEST_REST_S)
            raise ToolError(f"{error}; try again later, in {_duration(wanted_s)}") from None
        if self._tool.cache_s and made.method == "GET" and fetched.status < 400:
            self._answers.put(key, fetched)
        return fetched


def _check_request(entry: Entry, request: Request, known: set[str], *place: str | int) -> str:
    """The host of the request, with its port if it has one. Raises OptionError for a wrong url or select."""
    for field in ("url", "query", "headers", "body", "empty"):
        entry.check_names(getattr(request, field), known, *place, field)
    try:
        parts = urlsplit(request.url)
        netloc, port = parts.netloc, parts.port
    except ValueError as error:
        raise entry.error(f"the url cannot be read: {error}", *place, "url") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "{" in netloc or parts.username is not None:
        # A model that could choose the host could send the secrets to it.
        problem = "must begin with http:// or https:// and a host, without placeholders and without a user name"
        raise entry.error(f"a url {problem}", *place, "url")
    if request.select is not None:
        try:
            jmespath.compile(request.select)
        except jmespath.exceptions.JMESPathError as error:
            raise entry.error(f"select is not JMESPath: {' '.join(str(error).split())}", *place, "select") from None
    return f"{parts.hostname}:{port}" if port else parts.hostname


def _build_request(client: httpx2.AsyncClient, request: Request, known: Mapping[str, Any]) -> httpx2.Request:
    url = parse_url(_filled_url(request.url, known))
    query = {name: value for name, value in fill_all(request.query, known).items() if value is not None}
    if query:
        url = url.copy_merge_params(
            {k: [as_text(i, ",") for i in v] if isinstance(v, list) else as_text(v, ",") for k, v in query.items()}
        )
    headers = {
        "user-agent": USER_AGENT,
        "accept": "application/json, text/*;q=0.8, */*;q=0.5",
    }
    for name, text in request.headers.items():
        headers[name.lower()] = fill(text, known, partial(_one_line, name))
    content, kind = filled_body(request.body, headers.get("content-type", ""), known)
    if kind is not None:
        headers.setdefault("content-type", kind)
    return client.build_request(request.method, url, headers=headers, content=content)


def _filled_url(template: str, known: Mapping[str, Any]) -> str:
    """The URL with quoted values. Raises ToolError for values that would make another path of it: none, and `..`."""
    path, mark, query = template.partition("?")
    segments = []
    for part in path.split("/"):
        segment = fill(part, known, joint=",")
        if segment != part and (not segment or {".", ".."}.intersection(re.split(r"[/\\]", segment))):
            raise ToolError(f"{segment[:40]!r} cannot be part of the URL {path}")
        segments.append(fill(part, known, _quoted, joint=","))
    return "/".join(segments) + mark + fill(query, known, _quoted, joint=",")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _quoted(value: str) -> str:
    return quote(value, safe="")


def _one_line(header: str, value: str) -> str:
    if not value.isprintable() or not value.isascii():
        raise ToolError(f"the header {header} takes printable ASCII characters on one line")
    return value
