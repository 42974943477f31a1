"""What the log of the server says of a failure."""

from __future__ import annotations

import io
import json
import logging

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

from agentaudio.server.errors import log_failure  # noqa: E402
from agentaudio.server.log import ServerLog  # noqa: E402


def test_a_failure_is_logged_by_class_and_place_and_without_its_words() -> None:
    written = io.StringIO()
    handler = ServerLog(written)
    logger = logging.getLogger("agentaudio.server.errors")
    logger.addHandler(handler)
    try:
        try:
            raise KeyError("what the user said")
        except KeyError as error:
            log_failure(error)
    finally:
        logger.removeHandler(handler)
    line = json.loads(written.getvalue())
    assert line["message"].startswith("request failed: KeyError at test_a_failure_is_logged")
    assert line["level"] == "error" and "user" not in written.getvalue()
