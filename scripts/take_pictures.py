"""Take the pictures of the page for the docs: a conversation with the demo agent, in light, dark and phone width.

Needs Playwright and a Chromium on the path: `make pictures`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any, Literal

import httpx2
from playwright.sync_api import sync_playwright

from agentaudio.demo.run import demo_agent
from agentaudio.server.app import create_app
from agentaudio.server.serving import Server
from agentaudio.server.settings import ServerSettings

IMAGES = Path(__file__).parents[1] / "docs" / "images"
PICTURES: tuple[tuple[str, int, int, Literal["light", "dark"]], ...] = (
    ("light", 1280, 860, "light"),
    ("dark", 1280, 860, "dark"),
    ("phone", 390, 844, "light"),
)
"""Name, width and height in CSS pixels, and the colours that the browser prefers."""
LONGEST_MS = 300_000
QUESTIONS = ("How far away is the moon?", "Please answer in the voice of a Scottish man.", "What is 17 times 23?")


def serve(started: threading.Event, ports: list[int]) -> None:
    """Serve the demo agent until the process ends."""

    async def run() -> None:
        server = Server(create_app(demo_agent(), ServerSettings()), host="127.0.0.1", port=0)
        serving = asyncio.create_task(server.serve())
        await server.listening.wait()
        ports.append(server.port)
        started.set()
        await serving

    asyncio.run(run())


def wait_for_models(address: str) -> None:
    """Return when the server has loaded its models."""
    for _ in range(LONGEST_MS // 100):
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(f"{address}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    sys.exit("the server does not become ready")


def talk(page: Any, address: str) -> None:
    """Ask the questions, each when the answer before was heard."""
    page.goto(address)
    page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)
    for question in QUESTIONS:
        page.fill("#message", question)
        page.press("#message", "Enter")
        page.wait_for_selector("body[data-state=speaking]", timeout=LONGEST_MS)
        page.wait_for_selector("body[data-state=ready]", timeout=LONGEST_MS)


def main() -> None:
    """Write page-light.png, page-dark.png and page-phone.png."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not on the path; install it: apt install chromium")
    started, ports = threading.Event(), list[int]()
    threading.Thread(target=serve, args=(started, ports), daemon=True).start()
    if not started.wait(60):
        sys.exit("the server does not start")
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        wait_for_models(f"http://127.0.0.1:{ports[0]}")
        for name, width, height, scheme in PICTURES:
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1.5
            )
            talk(page, f"http://127.0.0.1:{ports[0]}")
            page.screenshot(path=str(IMAGES / f"page-{name}.png"))
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
