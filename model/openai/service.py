"""`Service`: an HTTP API in OpenAI's style, at any address."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import ssl
import weakref
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx2

from agentaudio.errors import BackendError, OptionError, ServiceUnavailable
from agentaudio.http import retry_after_s
from agentaudio.model.api_key import check_key, without_key
from agentaudio.model.openai.sse import EventStream
from agentaudio.retry import pause_s

log = logging.getLogger(__name__)

RETRIES = 2
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
CONNECT_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 64 << 20
RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
_KNOWN = {
    400: "the request was refused",
    401: "the key was refused; check the api_key option or its environment variable",
    403: "the key may not use this; check its permissions and the model's name",
    404: "unknown model or path; check the model's name, and whether base_url must end with /v1",
    413: "the request is too large; shorten the conversation or its sound",
    429: "the rate limit or the plan is used up; wait, or check the account",
}


class Service:
    """Sends requests to one server, and reads JSON, events or bytes.

    name: of what uses the service, for messages
    base_url: such as https://api.openai.com/v1
    api_key: sent as a Bearer token; never shown in messages, logs or `repr`, also where the server repeats it
    stall_timeout_s: longest time without any byte of an answer, in seconds

    A failure before the first byte of an answer is tried again, RETRIES times, with back-off and as
    `Retry-After` asks. Later failures are not: something may have been spoken already.
    Connections are kept open, for each event loop apart. Raises OptionError for a bad address.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        stall_timeout_s: float = STALL_TIMEOUT_S,
    ) -> None:
        self.name = name
        url = _parsed(base_url)
        self._base = str(url).rstrip("/")
        self._headers = dict(headers or {})
        check_key(api_key, f"the api_key of {name}")
        self._key = api_key
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._stall_timeout_s = stall_timeout_s
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI's own service."""
        return httpx2.URL(self._base).host == "api.openai.com"

    def __repr__(self) -> str:
        return f"Service({self.name!r}, {self._base!r})"

    def without_key(self, text: str) -> str:
        """What the server sent, for messages."""
        return without_key(text, self._key)

    async def get(self, path: str) -> Any:
        """GET a JSON document."""
        async with self._response("GET", path) as response:
            return self._json(await self._body(response))

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST JSON, and return the JSON of the answer.

        Raises BackendError when the service cannot be reached, is overloaded, refuses the request, or
        sends something else than JSON.
        """
        async with self._response("POST", path, json=body) as response:
            return self._json(await self._body(response))

    async def post_form(self, path: str, fields: Mapping[str, Any], files: Mapping[str, Any]) -> bytes:
        """POST a multipart form, and return the body of the answer. Raises as `post` does."""
        async with self._response("POST", path, data=fields, files=files) as response:
            return await self._body(response)

    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """POST JSON, and yield the JSON of each server-sent event until `[DONE]`.

        A server that answers in plain JSON although a stream was asked for yields that once.
        Closing the generator closes the connection. Raises as `post` does.
        """
        async with self._response("POST", path, json=body) as response:
            kind = _kind(response)
            if kind == "text/html":
                raise await self._other_kind(kind, "an answer", response)
            if kind == "application/json":
                yield self._event(await self._body(response))
                return
            stream = EventStream()
            with self._network_errors():
                async for piece in response.aiter_bytes():
                    for data in stream.push(piece):
                        if data.strip() == "[DONE]":
                            return
                        yield self._event(data)
            for data in stream.finish():
                if data.strip() != "[DONE]":
                    yield self._event(data)

    async def content(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """POST JSON, and yield the body of the answer as it comes. Raises as `post` does."""
        async with self._response("POST", path, json=body) as response:
            kind = _kind(response)
            if kind in ("application/json", "text/html"):
                raise await self._other_kind(kind, "sound", response)
            with self._network_errors():
                async for piece in response.aiter_bytes():
                    if piece:
                        yield piece

    async def aclose(self) -> None:
        """Close the connections of the running event loop; those of ended loops are gone with them."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    @contextlib.asynccontextmanager
    async def _response(self, method: str, path: str, **content: Any) -> AsyncGenerator[httpx2.Response, None]:
        """An answer with a good status, whose body is not read yet."""
        try:
            response = await self._send(method, path, content)
            try:
                yield response
            finally:
                await response.aclose()
        except ServiceUnavailable as error:
            raise BackendError(str(error)) from None

    async def _send(self, method: str, path: str, content: Mapping[str, Any]) -> httpx2.Response:
        for failures in range(1, RETRIES + 2):
            try:
                with self._network_errors():
                    request = self._client().build_request(
                        method, f"{self._base}/{path.lstrip('/')}", headers=self._headers, **content
                    )
                    response = await self._client().send(request, stream=True)
                if response.is_success:
                    return response
                try:
                    raise await self._refusal(response)
                finally:
                    await response.aclose()
            except ServiceUnavailable as error:
                pause = pause_s(failures, first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)
                if error.retry_after_s is not None:
                    pause = error.retry_after_s
                if failures > RETRIES or pause > LONGEST_PAUSE_S:
                    raise
                log.info("%s; attempt %d of %d in %.1f s", error, failures + 1, RETRIES + 1, pause)
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def _refusal(self, response: httpx2.Response) -> BackendError | ServiceUnavailable:
        """The error for an answer with a bad status; it quotes what the server says, never the request."""
        try:
            said = _reason(self.without_key((await self._body(response)).decode("utf-8", "replace")))
        except (BackendError, ServiceUnavailable):
            said = ""
        status = response.status_code
        if response.is_redirect:
            target = self.without_key(response.headers.get("location", ""))[:200]
            said = f"it redirects to {target}; give that address as base_url"
        what = _KNOWN.get(status, "")
        text = f"{self.name} at {self._base} answered {status}" + "".join(f": {part}" for part in (said, what) if part)
        used_up = status == 429 and "insufficient_quota" in said
        if status in RETRIED and not used_up:
            return ServiceUnavailable(text, retry_after_s(response.headers))
        return BackendError(text)

    async def _other_kind(self, kind: str, wanted: str, response: httpx2.Response) -> BackendError:
        """The error for an answer of another content type."""
        shown = " ".join(self.without_key((await self._body(response)).decode("utf-8", "replace")).split())[:200]
        return BackendError(f"{self.name} at {self._base} sent {kind} instead of {wanted}: {shown!r}; check base_url")

    async def _body(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        with self._network_errors():
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise BackendError(f"{self.name} at {self._base} sends more than {MAX_ANSWER_BYTES} bytes")
        return bytes(body)

    def _json(self, data: bytes | str) -> Any:
        text = data if isinstance(data, str) else data.decode("utf-8-sig", "replace")
        try:
            found = json.loads(text)
            # Errors are shown. An answer may hold any word, also one that is the key of a server without keys.
            return json.loads(self.without_key(text)) if isinstance(found, dict) and found.get("error") else found
        except (ValueError, RecursionError):
            raise BackendError(
                f"{self.name} at {self._base} sent something that is not JSON: {self.without_key(text)[:200]!r}; "
                "check base_url"
            ) from None

    def _event(self, data: bytes | str) -> dict[str, Any]:
        event = self._json(data)
        if not isinstance(event, dict):
            shown = self.without_key(repr(event))[:100]
            raise BackendError(f"{self.name} sent {shown} where a JSON object was expected; check base_url")
        return event

    @contextlib.contextmanager
    def _network_errors(self) -> Any:
        """Turn the HTTP library's exceptions into ServiceUnavailable."""
        try:
            yield
        except httpx2.TimeoutException as error:
            what = "accepted no connection" if isinstance(error, httpx2.ConnectTimeout) else "went silent"
            limit = CONNECT_TIMEOUT_S if isinstance(error, httpx2.ConnectTimeout) else self._stall_timeout_s
            raise ServiceUnavailable(f"{self.name} at {self._base} {what} for {limit:g} s") from None
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            why = self.without_key(str(error)) or type(error).__name__
            raise ServiceUnavailable(
                f"{self.name} at {self._base} cannot be reached or broke off ({why}); check base_url and the server"
            ) from None

    def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            timeout = httpx2.Timeout(self._stall_timeout_s, connect=CONNECT_TIMEOUT_S)
            client = self._clients[loop] = httpx2.AsyncClient(
                timeout=timeout, follow_redirects=False, verify=_authorities()
            )
        return client


@functools.cache
def _authorities() -> ssl.SSLContext:
    return httpx2.create_ssl_context()  # cached: loading them takes tens of milliseconds


def _parsed(base_url: str) -> httpx2.URL:
    try:
        url = httpx2.URL(base_url)
    except (httpx2.InvalidURL, TypeError) as error:
        raise OptionError(f"base_url {base_url!r} is not an address ({error}); write http(s)://HOST/v1") from None
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 80) < 1 << 16:
        raise OptionError(f"base_url {base_url!r} is not an address; write http(s)://HOST/v1")
    if url.userinfo or url.query:
        raise OptionError("base_url holds a user name or a query; give the key as api_key")
    return url


def _kind(response: httpx2.Response) -> str:
    """The content type of an answer."""
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower()


def _reason(body: str) -> str:
    """What an error body says, in a few words: OpenAI's error object, or the first of the text."""
    text = body[:2000]
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(body)
        if isinstance(found, dict):
            error = found.get("error", found.get("detail", found.get("message", found)))
            if isinstance(error, dict):
                parts = [str(error.get(key)) for key in ("code", "message") if error.get(key)]
                text = ": ".join(parts) or json.dumps(error)
            else:
                text = str(error)
    return " ".join(text.split())[:300]
