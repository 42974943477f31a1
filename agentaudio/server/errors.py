"""The error shape of the protocols, `{"error": {message, type, param, code}}`, for everything that goes wrong.

No message holds a path, a key or a trace: those of requests are written here, and those of failures on the server
are replaced by a general sentence; the log has the rest.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from agentaudio.errors import (
    AgentAudioError,
    AudioError,
    ConsentError,
    ConversationError,
    LimitError,
    NetworkError,
    OptionError,
    ServiceUnavailable,
    ToolArgumentError,
    VoiceNotFound,
)
from agentaudio.escaping import visible

log = logging.getLogger(__name__)

_PATH_LIKE = re.compile(r"[/\\\\~][\w.]")
_CODES = {
    400: "invalid_request",
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
    429: "rate_limit_exceeded",
    503: "server_unavailable",
    504: "timeout",
}


class ApiError(Exception):
    """An answer in the protocol's error shape.

    status: of HTTP
    param: the field of the request that caused it
    code: for programs; by default that of the status
    headers: of the answer
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.headers = status, visible(message), param, headers
        self.code = code or _CODES.get(status, "server_error" if status >= 500 else "invalid_request")

    @property
    def type(self) -> str:
        """The class of error that SDKs know."""
        if self.status == 401:
            return "authentication_error"
        if self.status == 403:
            return "permission_error"
        if self.status == 429:
            return "rate_limit_error"
        return "server_error" if self.status >= 500 else "invalid_request_error"

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        return JSONResponse(self.body(), self.status, headers=None if self.headers is None else dict(self.headers))

    def raw(self) -> bytes:
        """The answer as bytes of HTTP/1.1, where no framework sends it."""
        made = self.response()
        head = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()]
        lines = [*head, *(name + b": " + value for name, value in made.raw_headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(made.body)


def as_api_error(error: BaseException) -> ApiError:
    """What a client may know of an error. Errors of the server itself are logged, without what they quote."""
    match error:
        case ApiError():
            return error
        case VoiceNotFound() | ConsentError():  # a voice that may not be used is treated as unknown
            return ApiError(
                404, "there is no such voice; GET /v1/audio/voices lists them", code="voice_not_found", param="voice"
            )
        case AudioError():
            return ApiError(400, _shown(error, "the sound cannot be read or used"), code="invalid_audio")
        case ConversationError():
            message = _shown(error, "the conversation is not valid")
            return ApiError(400, message, code="invalid_conversation", param="messages")
        case OptionError() | ToolArgumentError():
            message = _shown(error, "the model does not support what the request asks for")
            return ApiError(400, message, code="unsupported_value")
        case LimitError():
            return ApiError(504, "the answer took longer than the server allows")
        case ServiceUnavailable():
            return ApiError(503, "a service that the answer needs is not available now; try again later")
        case NetworkError():
            return ApiError(400, "the address cannot be read", code="invalid_url")
    log_failure(error)
    if isinstance(error, AgentAudioError):
        return ApiError(500, "the agent failed to answer; try again", code="model_error")
    return ApiError(500, "the server failed to answer; try again")


def _shown(error: AgentAudioError, instead: str) -> str:
    """The message of an error that the request caused; `instead` when it may hold a path."""
    return instead if _PATH_LIKE.search(str(error)) else str(error)


def log_failure(error: BaseException) -> None:
    """Log the classes and places of an error and its causes, but no message: those may quote what users said."""
    lines: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(lines) < 8:
        frames = traceback.extract_tb(seen.__traceback__)
        places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in frames[-4:][::-1])
        lines.append(f"{type(seen).__name__} at {places or 'unknown'}")
        seen = seen.__cause__ or seen.__context__
    message = f"request failed: {'; caused by '.join(lines)}"
    log.error(
        "%s", message, extra={"facts": {"message": message}}
    )  # `ServerLog` writes what is filled in only as facts


def install_error_handlers(app: FastAPI) -> None:
    """Give every error of the app the protocol's shape, also those of the framework."""

    async def api_error(_: Request, error: Exception) -> Response:
        return as_api_error(error).response()

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return invalid_request(error.errors(), error.body).response()

    async def status(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        phrase = HTTPStatus(error.status_code).phrase.lower()
        return ApiError(error.status_code, phrase, headers=error.headers).response()

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(AgentAudioError, api_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, status)
    app.add_exception_handler(Exception, api_error)


def invalid_request(problems: Sequence[Mapping[str, Any]], body: Any) -> ApiError:
    """The error for a body that does not fit its description.

    problems: as pydantic lists them, those of all forms that a value may have; the one that fits best is told of
    """
    if not problems:
        return ApiError(400, "the request cannot be read")
    problem = max(problems, key=lambda one: len(_path(one, body)))
    if problem.get("type") == "json_invalid":
        return ApiError(400, "the body is not valid JSON", code="invalid_json")
    param = ".".join(str(part)[:60] for part in _path(problem, body)[:8]) or None
    message = str(problem.get("msg", "invalid")).removeprefix("Value error, ")[:300]
    return ApiError(400, f"{param}: {message}" if param else message, code="invalid_value", param=param)


def _path(problem: Mapping[str, Any], body: Any) -> list[str | int]:
    """Where in a request a problem is, without the names of the forms that pydantic has tried there."""
    where, *place = problem.get("loc", ()) or ("body",)
    if where != "body":
        return place
    found: list[str | int] = []
    for number, part in enumerate(place, 1):
        if isinstance(body, dict) and part in body or isinstance(body, list) and part in range(len(body)):
            found.append(part)
            body = body[part]
        elif problem.get("type") == "missing" and number == len(place):
            found.append(part)
    return found
