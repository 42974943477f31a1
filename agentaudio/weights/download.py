"""One file over HTTP: continued where it stopped, and verified before it appears."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from agentaudio.errors import NetworkError, ServiceUnavailable
from agentaudio.http import TEMPORARY_STATUSES, Guard, following, guarded_client, parse_url, retry_after_s
from agentaudio.retry import pause_s
from agentaudio.weights.placing import SourceFailed, SourceSilent, fault, unwritable
from agentaudio.weights.threads import finish

CONNECT_TIMEOUT_S = 4.0
ANSWER_TIMEOUT_S = 8.0
"""Time for the look-up of the host, the connection, redirects and the header of the answer."""
STALL_TIMEOUT_S = 20.0
"""Longest silence between two pieces of a file."""
MAX_FAILURES = 4
"""Failures in a row, without a further byte, after which a source that has sent bytes is given up."""
MAX_REFUSALS = 2
"""Temporary refusals (429, 502, 503, 504) after which a source that has sent nothing is given up."""
LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a file is.

    headers: sent to the site of the URL, and not to another that it redirects to
    refusal: what a status other than 200 and 206 means, for the error message
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    refusal: Callable[[int], str] = lambda status: f"the server answered {status}"


async def download(
    address: Address,
    path: Path,
    *,
    size: int,
    sha256: str,
    report: Callable[[int], None],
    allowed: frozenset[str] = frozenset(),
) -> None:
    """Download a file to `path`.

    What arrives is kept beside `path`, and a later call continues it, from this address or another. A
    connection that breaks or stalls in the middle is made again; an address that does not answer is given
    up at once.

    report: called with the number of bytes that are there
    allowed: hosts, besides that of the URL, whose addresses may be private

    Raises SourceSilent when the address does not answer, SourceFailed when it does not have the file or has
    another, and WeightsError when the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{sha256[:12]}.part")
    guard = Guard(allowed | Guard.for_service(parse_url(address.url)).allowed)
    async with guarded_client(guard, timeout_s=STALL_TIMEOUT_S, connect_timeout_s=CONNECT_TIMEOUT_S) as client:
        transfer = _Transfer(client, address, part, size, report)
        try:
            resumed = await transfer.receive()
            wrong = await finish(fault, part, size, sha256)
            if wrong and resumed:  # perhaps the earlier bytes were another file's
                await finish(part.unlink)
                await transfer.receive()
                wrong = await finish(fault, part, size, sha256)
            if wrong:
                await finish(part.unlink)
                raise SourceFailed(wrong.replace(part.name, path.name))
            await finish(_appear, part, path)
        except OSError as error:
            raise unwritable(path, error) from None


class _Transfer:
    """held: bytes of the part file that are there"""

    def __init__(
        self, client: httpx2.AsyncClient, address: Address, part: Path, size: int, report: Callable[[int], None]
    ) -> None:
        self._client, self._address, self._part, self._size, self._report = client, address, part, size, report
        self.held = 0
        self._answered = False

    async def receive(self) -> bool:
        """Receive what is missing of the part file. Returns whether an earlier one was continued."""
        handle = await finish(_open, self._part)
        try:
            start = self.held = os.fstat(handle).st_size
            self._report(self.held)
            failures = 0
            while self.held < self._size:
                before = self.held
                try:
                    await self._attempt(handle)
                except ServiceUnavailable as error:
                    failures = 1 if self.held > before else failures + 1
                    refused = error.retry_after_s is not None
                    most = MAX_FAILURES if self.held != start else MAX_REFUSALS if refused else 0
                    pause = error.retry_after_s or pause_s(failures, first_s=0.2, longest_s=LONGEST_PAUSE_S)
                    if failures > most or pause > LONGEST_PAUSE_S:
                        raise (SourceFailed if self._answered else SourceSilent)(str(error)) from None
                    await asyncio.sleep(pause)
                except NetworkError as error:
                    raise SourceFailed(str(error)) from None
            return start > 0
        finally:
            await finish(os.close, handle)

    async def _attempt(self, handle: int) -> None:
        """Request what is missing, and write what arrives. Raises ServiceUnavailable when it ends early."""
        headers = {"accept-encoding": "identity", **self._address.headers}
        if self.held:
            headers["range"] = f"bytes={self.held}-"
        request = self._client.build_request("GET", self._address.url, headers=headers)
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    response = await stack.enter_async_context(following(self._client, request))
            except TimeoutError:
                raise ServiceUnavailable(f"{request.url.host} did not answer in time") from None
            self._answered = True
            if not self._continues(response):
                await finish(os.ftruncate, handle, 0)
                self.held = 0
            async for piece in response.aiter_raw():
                if self.held + len(piece) > self._size:
                    raise SourceFailed(f"it sends more than {self._size} bytes")
                await finish(_write, handle, piece, self.held)
                self.held += len(piece)
                self._report(self.held)
        if self.held < self._size:
            raise ServiceUnavailable("the connection ended early")

    def _continues(self, response: httpx2.Response) -> bool:
        """Whether the answer continues the part file, or begins again. Raises SourceFailed for other answers."""
        status, headers = response.status_code, response.headers
        if status in TEMPORARY_STATUSES:
            raise ServiceUnavailable(self._address.refusal(status), retry_after_s(headers) or 0.0)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise SourceFailed("it is compressed, which was not asked for")
        if status == 206:
            given = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("content-range", "").strip())
            if given is None or int(given[1]) != self.held or given[3] not in ("*", str(self._size)):
                raise SourceFailed(f"it answers with another range: {headers.get('content-range', 'none')[:60]}")
            return True
        if status != 200:
            raise SourceFailed(self._address.refusal(status))
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) != self._size:
            raise SourceFailed(f"it has {length} bytes instead of {self._size}")
        return False


def _open(part: Path) -> int:
    part.parent.mkdir(parents=True, exist_ok=True)
    return os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _write(handle: int, piece: bytes, at: int) -> None:
    left = memoryview(piece)
    while left:
        written = os.pwrite(handle, left, at)
        at += written
        left = left[written:]


def _appear(part: Path, path: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, path)
