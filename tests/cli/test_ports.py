"""`agentaudio serve` on a port that it cannot have."""

from __future__ import annotations

import socket

import pytest

pytest.importorskip("uvicorn", reason="needs the extra 'server'")

from agentaudio.cli import main  # noqa: E402


def test_a_port_that_is_taken_is_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as ended:
        main(["serve", "--model", "scripted", "--port", str(port := taken.getsockname()[1])])
    said = " ".join(capsys.readouterr().err.split())
    assert ended.value.code == 1 and f"cannot listen on 127.0.0.1, port {port}: address already in use" in said
    assert "give another --host or --port" in said and '"level"' not in said
