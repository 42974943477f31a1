"""A page in Debian's Firefox for tests, by WebDriver BiDi: Playwright drives only its own build of Firefox."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
STARTS_S = 120.0
NO_SOUND_CARD = {"PULSE_SERVER": "unix:/nowhere"}
"""So that the page has no output, whatever machine it is."""
PREFERENCES: dict[str, Any] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.enabled": False,
}
"""A microphone that hums without being asked for, and sound without a click."""


class FirefoxPage:
    """One page. Its scripts run as those of the console: they return what JSON can hold."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._context = ""

    async def open(self, url: str, *, before: str = "") -> None:
        """Load a page. before: statements that run before its own scripts"""
        await self._command("session.new", capabilities={})
        tree = await self._command("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]
        if before:
            await self._command("script.addPreloadScript", functionDeclaration=f"() => {{ {before} }}")
        await self._command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def run(self, expression: str) -> Any:
        """The value of an expression, or what its promise brings."""
        found = await self._command(
            "script.evaluate", expression=f"(async () => JSON.stringify(await ({expression}) ?? null))()",
            target={"context": self._context}, awaitPromise=True, userActivation=True,
        )  # fmt: skip
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    async def until(self, expression: str, at_most_s: float = 60.0) -> None:
        """Wait until an expression is true."""
        try:
            async with asyncio.timeout(at_most_s):
                while not await self.run(expression):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            state = await self.run("document.body.dataset.state")
            raise AssertionError(f"not within {at_most_s:g} s: {expression}; the page is {state}") from None

    async def _command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        async for text in self._socket:
            answer: dict[str, Any] = json.loads(text)
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                result: dict[str, Any] = answer["result"]
                return result
        raise AssertionError("Firefox has closed the connection")


@contextlib.asynccontextmanager
async def firefox_page(profile: Path, **preferences: Any) -> AsyncGenerator[FirefoxPage, None]:
    """A page in a Firefox of its own, which ends with the block. profile: an empty folder"""
    lines = [
        f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in (PREFERENCES | preferences).items()
    ]
    (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        str(FIREFOX), "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env=os.environ | NO_SOUND_CARD,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(STARTS_S):
            found = None
            while found is None:
                line = (await process.stderr.readline()).decode()
                assert line, "Firefox does not start"
                found = re.search(r"BiDi listening on (ws://\S+)", line)
        reading = asyncio.create_task(process.stderr.read())  # a full pipe would stop it
        async with connect(f"{found[1]}/session", max_size=None) as socket:
            yield FirefoxPage(socket)
        reading.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
