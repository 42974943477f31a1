"""A real server for tests: uvicorn on 127.0.0.1, in a thread of its own or as a process of `agentaudio serve`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from agentaudio.agent import Agent
from agentaudio.server.app import create_app
from agentaudio.server.serving import Server
from agentaudio.server.settings import ServerSettings
from agentaudio.server.state import ServerState
from agentaudio.storage.store import Store

KEY = "test-key-0123456789"
OTHER_KEY = "other-key-9876543210"


@dataclass(frozen=True)
class Running:
    """A server in a thread of this process. loop: the event loop it runs in"""

    port: int
    state: ServerState
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def running_server(
    agent: Agent, settings: ServerSettings | None = None, *, store: Store | None = None
) -> Iterator[Running]:
    """A server until the block ends. settings: None for one with the keys KEY and OTHER_KEY"""
    with serving(create_app(agent, settings or ServerSettings(keys=(KEY, OTHER_KEY)), store=store)) as running:
        yield running


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[Running]:
    """A server of an application until the block ends."""
    started = threading.Event()
    found: list[Running] = []
    servers: list[Server] = []

    async def serve() -> None:
        server = Server(app, host="127.0.0.1", port=0)
        servers.append(server)
        serving = asyncio.create_task(server.serve())
        await server.listening.wait()
        found.append(Running(server.port, app.state.server, asyncio.get_running_loop()))
        started.set()
        await serving

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(30), "the server does not start"
    try:
        yield found[0]
    finally:
        servers[0].should_exit = True
        thread.join(60)
        assert not thread.is_alive(), "the server does not stop"


@dataclass(frozen=True)
class Process:
    """A server in a process of its own."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def server_process(
    *options: str,
    keys: str = f"{KEY},{OTHER_KEY}",
    log: Path | None = None,
    command: str = "serve",
    program: Sequence[str] = ("-m", "agentaudio"),
) -> Iterator[Process]:
    """`agentaudio serve --port 0 OPTIONS`, or another command, until the block ends.

    log: file for its log; without one, a server that logs more than a pipe holds would stop
    program: arguments of Python that run the command line
    """
    file = subprocess.PIPE if log is None else os.open(log, os.O_WRONLY | os.O_CREAT)
    process = subprocess.Popen(
        [sys.executable, "-u", *program, command, "--port", "0", *options],
        stdout=subprocess.PIPE, stderr=file, text=True,
        env=os.environ | {"AGENTAUDIO_SERVER_KEYS": keys},
    )  # fmt: skip
    if log is not None:
        os.close(file)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r":(\d+)", line)
        assert found, f"the server does not start: {line} {process.communicate(timeout=10)}"
        yield Process(int(found[1]), process)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Seconds until a condition holds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it does not come to hold"
        time.sleep(0.01)
    return time.monotonic() - began
