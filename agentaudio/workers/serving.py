"""The child's side of a `Worker`: answers one request after another."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from agentaudio.workers.messages import Answer, read_message, write_message


def serve(handle: Callable[[dict[str, Any], bytes | bytearray], Answer], largest: int = 2**32 - 1) -> None:
    """Answer requests from standard input until it is closed, or the answer's header has `leave`.

    handle: takes a request's header and bytes; its RuntimeError becomes the answer's `error`
    largest: frame of a request, in bytes; the parent is trusted
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    # The library may print to standard output, which must not mix with the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(EOFError, OSError):
        while True:
            header, content = read_message(sys.stdin.buffer, largest)
            try:
                answer, body = handle(header, content)
            except RuntimeError as error:
                answer, body = {"error": str(error)}, b""
            write_message(answers, answer, body)
            if answer.get("leave"):
                return
            del header, content, answer, body


def _leave_with_parent(parent: int) -> None:
    # A forked child of the parent can keep our input open, so end of input does not show that the parent ended.
    while os.getppid() == parent:
        time.sleep(2)
    os._exit(0)
