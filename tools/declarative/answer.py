"""Read the answer of a web service: its text, or the selected part of its JSON."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from typing import Any

import httpx2
import jmespath

from agentaudio.errors import ToolError
from agentaudio.http import Fetched
from agentaudio.tools.declarative.format import Request, Step
from agentaudio.tools.declarative.placeholder import fill
from agentaudio.tools.quoting import excerpt

MAX_EXCERPT_CHARS = 200
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_NO_TEXT = re.compile(
    r"(?:image|audio|video|font|model)/(?!.*\+xml)|application/(?:pdf|zip|gzip|x-tar|msword|vnd\.ms-)"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\ufffd]")


def check_status(fetched: Fetched) -> None:
    """Raises ToolError for an error of the service, with the beginning of its text."""
    if fetched.status >= 400:
        text = "" if _kind_of_binary(fetched) else excerpt(decoded(fetched), MAX_EXCERPT_CHARS)
        raise ToolError(f"the service answered {fetched.status}{f': {text}' if text else ''}")


def read_answer(
    request: Request | Step, fetched: Fetched, known: Mapping[str, Any], *, structured: bool = False
) -> Any:
    """The text of an answer, or the selected part of its JSON; None for an answer without content, such as 204.

    structured: whether JSON is needed in any case

    Raises ToolError for an error of the service, and for an answer that is not text or not the JSON that is needed.
    """
    if fetched.status == 404 and request.empty is not None:
        raise ToolError(fill(request.empty, known))
    check_status(fetched)
    result: Any = None
    if fetched.status not in (204, 205) and (fetched.body.strip() or request.method in ("GET", "HEAD")):
        if kind := _kind_of_binary(fetched):
            hint = "; for sound, the tool file needs returns: audio" if kind.startswith("audio/") else ""
            raise ToolError(f"the service answered with {kind} ({len(fetched.body)} bytes), which is not text{hint}")
        text = decoded(fetched)
        if request.select is None and not structured and not isinstance(request, Step) and request.empty is None:
            return text
        try:
            result = json.loads(text)
        except (ValueError, RecursionError):
            raise ToolError(f"the service did not answer in JSON: {excerpt(text, MAX_EXCERPT_CHARS)}") from None
    try:
        if request.select is not None and result is not None:
            result = jmespath.search(request.select, result)
    except jmespath.exceptions.JMESPathError as error:
        raise ToolError(f"the answer of the service does not have the expected form: {error}") from None
    if result in (None, [], {}, "") and request.empty is not None:
        raise ToolError(fill(request.empty, known))
    return result


def decoded(fetched: Fetched) -> str:
    """The text of an answer: by its byte order mark, else by the charset of its header, else UTF-8."""
    for mark, charset in _MARKS:
        if fetched.body.startswith(mark):
            return fetched.body[len(mark) :].decode(charset, errors="replace")
    charset = httpx2.Response(200, headers=fetched.headers).charset_encoding or "utf-8"
    try:
        return fetched.body.decode(charset, errors="replace").removeprefix("\ufeff")
    except LookupError:
        return fetched.body.decode("utf-8", errors="replace")


def _kind_of_binary(fetched: Fetched) -> str | None:
    """The content type of an answer that is not text, by its header and its first bytes; None for text."""
    kind = fetched.headers.get("content-type", "").partition(";")[0].strip().lower()[:80]
    if _NO_TEXT.match(kind):
        return kind
    start = decoded(Fetched(fetched.url, fetched.status, fetched.headers, fetched.body[:2_000]))
    unreadable = len(_CONTROLS.findall(start[:-4]))  # a character may be cut at the end
    return (kind or "binary data") if unreadable > 0.1 * len(start) or "\0" in start else None
