"""`Gate`: what every HTTP request passes before its route, and every answer after it."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentaudio.server.access import new_request_id, report
from agentaudio.server.auth import ANYONE, Caller, check_place, key_of
from agentaudio.server.errors import ApiError, as_api_error
from agentaudio.server.serving_state import Serving

OPEN = ("/", "/healthz", "/readyz", "/v1/audio/models", "/kokoro/v1/audio/models")
"""Paths without a key. Readers that let people choose a model of speech ask for the list without one."""
VOICE_LISTS = ("/v1/audio/voices", "/kokoro/v1/audio/voices")
"""Paths that the setting `public_voices` opens."""
OPEN_FOLDER = "/page/"
WITH_SECRETS = ("/v1/realtime", "/realtime")
"""Paths that a client secret opens, with those below them."""


class Gate:
    """Checks host, origin, key and rate, bounds body and time, and ends the work for a client that is gone."""

    def __init__(self, app: ASGIApp, state: Serving) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Passage(self._app, self._state, scope, receive, send).run()


class _Passage:
    """One request on its way."""

    def __init__(self, app: ASGIApp, state: Serving, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._state, self._scope, self._receive, self._send = app, state, scope, receive, send
        self._began = time.perf_counter()
        self._id = new_request_id()
        self._status = 0
        self._bytes_in = self._bytes_out = 0
        self._whole = asyncio.Event()  # the body has been read
        self._gone = asyncio.Event()  # the client has gone, or does not read any more
        self._sent = False  # the whole answer
        self._caller: Caller | None = None

    async def run(self) -> None:
        try:
            self._admit()
            async with AsyncExitStack() as held:
                self._scope["state"]["held"] = held
                await self._answer()
        except Exception as error:
            if not self._status:
                with suppress(OSError):
                    await as_api_error(error).response()(self._scope, self._receive, self._checked_send)
            else:
                as_api_error(error)  # logs it; the answer has begun and stays cut off
        finally:
            self._report()

    def _admit(self) -> None:
        """Check the request before its body is read. Raises ApiError."""
        state, path = self._state, self._scope["path"]
        headers = Headers(scope=self._scope)
        check_place(headers, state.settings)
        self._scope.setdefault("state", {})["request_id"] = self._id
        if self._scope["method"] in ("GET", "HEAD") and (path in OPEN or path.startswith(OPEN_FOLDER)):
            return
        key = key_of(headers)
        if key is None and state.settings.public_voices and self._scope["method"] == "GET" and path in VOICE_LISTS:
            self._admitted(ANYONE)
            return
        with_secret = any(path == one or path.startswith(f"{one}/") for one in WITH_SECRETS)
        self._admitted(state.keys.caller(key, secrets_too=with_secret))
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > state.settings.body_bytes:
            raise self._too_large()

    def _admitted(self, caller: Caller) -> None:
        """Note who calls, and count the request. Raises ApiError."""
        self._caller = self._scope["state"]["caller"] = caller
        if self._state.drain.begun:
            raise ApiError(503, "the server is stopping; connect again", headers={"retry-after": "1"})
        self._state.limits.take_request(caller)

    async def _answer(self) -> None:
        work = asyncio.ensure_future(self._app(self._scope, self._checked_receive, self._checked_send))
        watch = asyncio.ensure_future(self._watch())
        try:
            async with asyncio.timeout(self._state.settings.answer_s):
                await asyncio.wait([work, watch], return_when=asyncio.FIRST_COMPLETED)
                if self._sent:  # what is left of the work is clearing up
                    await asyncio.wait([work])
            if not work.done():
                work.cancel()
            with suppress(asyncio.CancelledError):
                await work
        except TimeoutError:
            raise ApiError(504, "the answer took longer than the server allows") from None
        finally:
            work.cancel()
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    async def _watch(self) -> None:
        """Return when the client has gone."""
        await self._whole.wait()
        while not self._gone.is_set():
            if (await self._receive())["type"] == "http.disconnect":
                self._gone.set()

    async def _checked_receive(self) -> Message:
        if self._whole.is_set():
            await self._gone.wait()
            return {"type": "http.disconnect"}
        try:
            async with asyncio.timeout(self._state.settings.stalled_s):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers={"connection": "close"}) from None
        if message["type"] == "http.disconnect":
            self._gone.set()
            self._whole.set()
            return message
        self._bytes_in += len(message.get("body", b""))
        if self._bytes_in > self._state.settings.body_bytes:
            raise HTTPException(413, headers={"connection": "close"})
        if not message.get("more_body", False):
            self._whole.set()
        return message

    async def _checked_send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["x-request-id"] = self._id
            headers.setdefault("cache-control", "no-store")
            headers.setdefault("x-content-type-options", "nosniff")
            message["headers"] = headers.raw
        else:
            self._bytes_out += len(message.get("body", b""))
        try:
            async with asyncio.timeout(self._state.settings.stalled_s):
                await self._send(message)
        except TimeoutError:
            self._gone.set()
            self._whole.set()
            raise OSError("the client does not read the answer") from None
        self._sent = message["type"] == "http.response.body" and not message.get("more_body", False)

    def _too_large(self) -> ApiError:
        most = self._state.settings.body_bytes
        return ApiError(413, f"a request may have {most} bytes", headers={"connection": "close"})

    def _report(self) -> None:
        route: Any = self._scope.get("route")
        report(
            self._state.metrics, request_id=self._id, method=self._scope["method"],
            route=getattr(route, "path", "other"), status=self._status, seconds=time.perf_counter() - self._began,
            caller=self._caller, bytes_in=self._bytes_in, bytes_out=self._bytes_out,
        )  # fmt: skip
