"""The log of a server: a line of JSON for each request and warning, without what users said and heard."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, TextIO


class ServerLog(logging.Handler):
    """Writes records as JSON lines.

    Records of requests have their facts, see `gate`. Of others only the fixed part of the message is written, and the
    class of an exception: names and texts that are filled in may come from users.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if (facts := getattr(record, "facts", None)) is not None:
            line |= facts
        else:
            line["message"] = str(record.msg).strip()
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        try:
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.handleError(record)


def log_to(stream: TextIO, *, requests: bool) -> None:
    """Send all records of this process to `stream`: warnings, and requests if wanted."""
    root = logging.getLogger()
    root.handlers[:] = [ServerLog(stream)]
    root.setLevel(logging.WARNING)
    logging.getLogger("agentaudio.server").setLevel(logging.INFO if requests else logging.WARNING)
