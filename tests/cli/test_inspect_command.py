"""`agentaudio inspect`, and the option `--sign` of the commands that write spoken files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentaudio.cli import main

pytest.importorskip("c2pa", reason="signing needs the extra provenance")

ASK = ("ask", "hello there", "--text", "--model", "scripted", "--tools", "calculate")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    shown = capsys.readouterr()
    return int(ended.value.code or 0), " ".join(shown.out.split()), shown.err


def test_a_signed_answer_shows_its_signer_its_voice_and_its_consent(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *ASK, "--voice", "albert", "--sign", "local", "--out", "a.wav")[0] == 0
    code, shown, _ = run(capsys, "inspect", "a.wav")
    assert code == 0
    for words in (
        "intact: the file is as it was signed", "agentaudio (self-signed)", "signed by this installation",
        "Albert (albert)", "kokoro bm_lewis", "Apache-2.0", "synthetic, for synthesis, demo", "scripted",
    ):  # fmt: skip
        assert words in shown, words
    assert "verified" not in shown


def test_a_file_that_was_changed_and_one_that_was_not_signed_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *ASK, "--sign", "local", "--out", "a.mp3")
    content = bytearray(Path("a.mp3").read_bytes())
    content[-500] ^= 1
    Path("a.mp3").write_bytes(content)
    code, shown, _ = run(capsys, "inspect", "a.mp3")
    assert code == 1 and "broken: the file was changed after it was signed" in shown
    run(capsys, *ASK, "--out", "b.mp3")
    code, shown, _ = run(capsys, "inspect", "b.mp3")
    assert code == 1 and "none: the file does not say where it comes from" in shown


def test_findings_are_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *ASK, "--voice", "albert", "--sign", "local", "--out", "a.flac")
    code, shown, _ = run(capsys, "inspect", "a.flac", "--json")
    found = json.loads(shown)
    assert code == 0 and found["signature"] == "intact" and found["signer"]["standing"] == "this installation"
    assert found["claims"]["voices"][0]["id"] == "albert" and found["watermarks"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*ASK, "--sign", "local", "--out", "a.opus"), "'opus' files cannot be signed"),
        ((*ASK, "--sign", "nowhere", "--out", "a.wav"), "cannot read nowhere/certificate.pem"),
        ((*ASK, "--watermark", "nothing"), "there is no watermark 'nothing'"),
        (("inspect", "missing.wav"), "cannot read missing.wav: No such file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    code, _, error = run(capsys, *arguments)
    assert code == 1 and words in error and error.count("\n") == 1
