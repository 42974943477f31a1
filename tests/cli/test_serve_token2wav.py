"""What `agentaudio serve-token2wav` refuses before it loads anything."""

from __future__ import annotations

import importlib.util

import pytest

from agentaudio.cli import main


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "no key is set"),
        (["--rows", "0"], "--rows is 0; give a number from 1 to 256"),
        (["--port", "70000"], "--port is 70000"),
        (["--tls-cert", "/nowhere.pem"], "there is no file /nowhere.pem"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTAUDIO_SERVER_KEYS", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["serve-token2wav", "folder", *options])
    assert ended.value.code == 1 and said in " ".join(capsys.readouterr().err.split())


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_the_extra_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve-token2wav", "folder"])
    assert "agentaudio[local]" in capsys.readouterr().err
