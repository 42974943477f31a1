"""Tasks that behave as parsers do on bad content. Worker processes of the tests import this module."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from agentaudio.errors import AudioError

Answer = tuple[Any, bytes]


def echo(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    return request, bytes(content)


def spin(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    while True:
        pass


def sleep_for(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    time.sleep(request["seconds"])
    return None, b""


def hold_the_interpreter(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    return len(str(9 ** (10**7))), b""


def fill_memory(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    return len([bytearray(10**6) for _ in range(10**4)]), b""


def answer_much(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    return None, bytes(request["size"])


def die(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    os.kill(os.getpid(), request.get("signal", signal.SIGSEGV))
    return None, b""


def leave(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    os._exit(0)


def close_output(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    os.closerange(0, 100)
    return None, b""


def recurse(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    return recurse(request, content)


def refuse(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    raise AudioError("this is not sound")


def fail(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    raise KeyError("xref")


def environment(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    return sorted(os.environ), b""


def place(request: dict[str, Any], content: bytes | bytearray) -> Answer:
    return {"session": os.getsid(0), "group": os.getpgid(0), "niceness": os.nice(0)}, b""
