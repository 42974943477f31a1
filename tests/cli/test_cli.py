"""The commands of `agentaudio`, run from the command line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import command_line
from support.command_line import Done
from support.sounds import tone

from agentaudio import Audio
from agentaudio.cli.question import Kind, read_question

COMMAND = [sys.executable, "-m", "agentaudio"]


Run = Callable[..., Done]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: object, input: bytes = b"") -> Done:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(input)))
        return command_line.run(capfd, *arguments)

    return run


def failed(done: Done, words: str) -> None:
    """One clear line, a non-zero exit code, no traceback."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert words in done.stderr


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.json"
    path.write_text(
        json.dumps(
            [
                {"heard": "what is two and two", "calls": [{"name": "calculate", "arguments": {"expression": "2+2"}}]},
                "Four.",
            ]
        )
    )
    return path


def test_the_answer_to_a_spoken_question_is_saved(run: Run, tmp_path: Path, script: Path) -> None:
    question = tone().save(tmp_path / "question.wav")
    done = run("ask", question, "--model", f"scripted:{script}", "--tools", "calculate", "--out", tmp_path / "a.flac")
    assert done.returncode == 0, done.stderr
    for expected in (
        "input",
        "question.wav",
        "(taken for sound)",
        "what is two and two",
        "calculate(expression='2+2')",
        "2+2 = 4",
        "Four.",
        "saved",
        "a.flac",
    ):
        assert expected in done.stdout
    assert Audio.load(tmp_path / "a.flac").duration > 0.1


@pytest.mark.parametrize("text", [True, False])
def test_standard_input_may_be_sound_or_text(run: Run, text: bool) -> None:
    given = b"hello there" if text else tone().to_bytes("flac")
    done = run("ask", "-", "--model", "scripted", "--json", input=given)
    reply = json.loads(done.stdout)
    assert reply["text"].startswith("I am a script") and reply["stop"] == "answered"
    assert reply["input"] == {"kind": "text" if text else "sound", "place": "standard input"}
    failed(run("ask", "-", "--model", "scripted", input=b""), "standard input is empty")


BAD_FILES = {
    "empty.wav": (b"", "is empty"),
    "letter.wav": (b"Dear Sir or Madam", "not a sound file"),
    "silent.wav": (Audio.silence(1, 16_000).to_bytes(), "is silent"),
    "truncated.wav": (tone().to_bytes()[:-500], "is truncated"),
    "nothing.wav": (Audio.silence(0, 16_000).to_bytes(), "no sound"),
}


@pytest.mark.parametrize("name", [*BAD_FILES, "missing.wav", "nan.wav"])
def test_unusable_sound_files_give_a_one_line_error(run: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    words = "there is no file"
    if name == "nan.wav":
        soundfile.write(path, np.full(100, np.nan), 16_000, subtype="FLOAT")
        words = "NaN"
    elif name in BAD_FILES:
        content, words = BAD_FILES[name]
        path.write_bytes(content)
    failed(run("ask", path, "--model", "scripted", "--out", tmp_path / "a.wav"), words)
    assert not (tmp_path / "a.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ask", "hi", "--model", "embeded"), "did you mean 'embedded'"),
        (("ask", "hi", "--model", "scripted", "--tools", "calclate"), "did you mean 'calculate'"),
        (("ask", "hi", "--model", "scripted", "--voice", "lilly"), "did you mean 'lily'"),
        (("ask", "hi", "--model", "scripted", "--documents", "/nowhere"), "there is no folder"),
        (("ask", "hi", "--model", "scripted", "--voices", "/nowhere"), "there is no folder"),
        (("ask", "hi", "--model", "scripted", "--out", "/proc/a.wav"), "cannot write to /proc"),
        (("ask", "hi", "--model", "scripted", "--out", "answer.doc"), "cannot write '.doc' files"),
        (("ask", "hi", "--model", "scripted:missing.json"), "cannot read the script"),
        (("ask", "hi", "--model", "scripted", "--option", "delays=1"), "did you mean 'delay_s'"),
        (
            ("ask", "hi", "--model", "scripted", "--option", "delay_s=soon"),
            "delay_s 'soon' does not fit; it must be float",
        ),
        (("ask", "hi", "--model", "scripted", "--option", "loop"), "--option loop has no value; write it like"),
        (
            ("ask", "hi", "--model", "scripted", "--option", "loop=no", "--option", "loop=yes"),
            "--option loop is given twice",
        ),
        (("transcribe", "x.wav", "--model", "scripted", "--option", "x=1"), "no such file"),
        (
            ("ask", "question.wav", "--model", "scripted"),
            "there is no file question.wav; check the path, or add --text",
        ),
        (("ask", "./my songs/a.mp3", "--model", "scripted"), "there is no file ./my songs/a.mp3"),
        (("ask", "hello", "--audio", "--model", "scripted"), "no such file"),
        (("ask", "", "--model", "scripted"), "the input is empty; give a question"),
        (("ask", " ", "--text", "--model", "scripted"), "the input is empty; give a question"),
        (("ask", "hello", "--audio", "--text", "--model", "scripted"), "--text and --audio exclude each other"),
        (("ask", "--hello", "--model", "scripted"), "there is no option '--hello'"),
        (("voices", "play", "nobody"), "no voice 'nobody'"),
    ],
)
def test_unknown_names_and_paths_give_a_one_line_error(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    failed(run(*arguments), words)
    assert list(tmp_path.iterdir()) == []


def test_wrong_usage_exits_with_2(run: Run) -> None:
    done = run("ask")
    assert done.returncode == 2 and "requires an argument" in done.stdout + done.stderr
    assert run("ask", "hi", "--nonsense").returncode == 2


@pytest.mark.system
def test_ctrl_c_prints_one_line_and_leaves_no_partial_file(tmp_path: Path) -> None:
    script, waiting = tmp_path / "script.json", tmp_path / "wait.yaml"
    script.write_text(json.dumps([{"say": "word " * 50, "calls": [{"name": "wait"}]}, "done"]))
    waiting.write_text("name: wait\ndescription: Wait.\nkind: command\ncommand: [sleep, '60']\n")
    process = subprocess.Popen(
        [*COMMAND, "ask", "hi", "--model", f"scripted:{script}", "--tools", str(waiting), "--allow-commands",
         "--out", str(tmp_path / "a.wav")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while "wait" not in process.stdout.readline(5000):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr.strip()) == (130, "interrupted")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.json", "wait.yaml"]


def test_voices_are_listed_searched_and_exported(run: Run, tmp_path: Path) -> None:
    cards = json.loads(run("voices", "list", "--json").stdout)["voices"]
    assert len(cards) >= 25 and all(card["licence"] and card["consent"] for card in cards)
    assert "Albert" in run("voices", "search", "a calm old man").stdout
    nothing = run("voices", "search", "a refrigerator door")
    assert nothing.returncode == 1 and "No voice fits" in nothing.stdout
    assert run("voices", "play", "lily", "--out", tmp_path / "lily.wav").returncode == 0
    assert Audio.load(tmp_path / "lily.wav").duration > 2


def test_models_are_listed_with_their_options(run: Run) -> None:
    listed = run("models", "list")
    assert listed.returncode == 0 and "embedded" in listed.stdout and "delay_s" in listed.stdout
    models = {row["name"]: row for row in json.loads(run("models", "list", "--json").stdout)["models"]}
    assert models["scripted"]["options"] == [
        {"name": "delay_s", "type": "float", "required": False, "default": 0.0, "variable": None},
        {"name": "loop", "type": "bool", "required": False, "default": True, "variable": None},
    ]
    assert [option["name"] for option in models["embedded"]["options"]] == ["max_request_chars", "threads"]
    assert "options" in models["step-audio-2-mini"] or "'local'" in models["step-audio-2-mini"]["unavailable"]


def test_options_reach_the_model(run: Run, script: Path) -> None:
    ask = ("ask", "hi", "--model", f"scripted:{script}", "--tools", "calculate", "--json")
    assert run(*ask, "--option", "delay_s=0.0", "--option", "loop=no").returncode == 0
    script.write_text('[{"calls": [{"name": "calculate", "arguments": {"expression": "2+2"}}]}]')
    failed(run(*ask, "--option", "loop=no"), "the script has 1 steps")
    demo = run("demo", "--model", "scripted", "--option", "x=1", "--out", script.parent / "demo")
    failed(demo, "there is no option 'x'")


def test_the_demo_data_is_used_by_default_and_named(run: Run, tmp_path: Path) -> None:
    ask = ("ask", "hi", "--model", "scripted")
    assert "demo documents and voices (use others with --documents FOLDER" in run(*ask).stdout
    (tmp_path / "a.txt").write_text("Some text.")
    assert "demo voices (use others with --voices FOLDER)" in run(*ask, "--documents", tmp_path).stdout
    assert "demo" not in run(*ask, "--tools", "calculate").stdout


@pytest.mark.parametrize(
    ("given", "forced", "kind"),
    [
        ("hello there", None, "text"),
        ("please play song.wav", None, "text"),
        ("what is\nsong.wav", None, "text"),
        ("x" * 5_000, None, "text"),
        ("null \0 byte", None, "text"),
        ("~approximately how long is the nile", None, "text"),
        ("how do i convert mp3 to .wav", None, "text"),
        ("./nowhere is no folder, but what is an .ogg", None, "text"),
        ("/ or ~ before a .flac", None, "text"),
        ("question.wav", None, "sound"),
        ("a sound", None, "sound"),
        ("question.wav", "text", "text"),
        ("missing.wav", "text", "text"),
        ("mic", "text", "text"),
        ("-5 plus 3", "text", "text"),
        ("a sound", "sound", "sound"),
    ],
)
def test_input_that_names_a_file_is_read_as_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, forced: Kind | None, kind: Kind
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("question.wav", "a sound.wav"):
        tone().save(tmp_path / name)
    (tmp_path / "a sound.wav").rename(tmp_path / "a sound")
    question = read_question(given, kind=forced)
    assert question.kind == kind
    assert question.content == (given if kind == "text" else Path(given))


@pytest.mark.parametrize("name", ["notes.txt", "photo.jpg", "weather", "clip.wav", "folder", "./folder", "/dev/null"])
def test_a_file_or_folder_that_is_no_sound_is_not_taken_for_words(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    if not Path(name).exists():
        (tmp_path / name).write_bytes(b"What is the weather?")
    failed(run("ask", name, "--model", "scripted"), "add --text to ask these words")
    assert run("ask", name, "--text", "--model", "scripted").returncode == 0


@pytest.mark.parametrize("content", ["hello there", "\ufeffhello there"])
def test_a_pipe_is_read_as_text_or_sound(tmp_path: Path, content: str) -> None:
    sound = tone().to_bytes("flac")
    for written, kind, expected in ((content.encode(), "text", "hello there"), (sound, "sound", sound)):
        pipe = tmp_path / kind
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(written,))
        writer.start()
        question = read_question(str(pipe))
        writer.join()
        assert (question.kind, question.content, question.place) == (kind, expected, str(pipe))


def test_the_kind_of_standard_input_can_be_forced(run: Run) -> None:
    ask = ("ask", "-", "--model", "scripted", "--json")
    failed(run(*ask, "--text", input=b"\xff\xfe"), "standard input is not UTF-8 text")
    failed(run(*ask, "--audio", input=b"hello there"), "not a sound file")


def test_doctor_shows_what_is_installed(run: Run) -> None:
    assert {"calculate", "audio_search"} <= {row["name"] for row in json.loads(run("tools", "list", "--json").stdout)}
    checks = json.loads(run("doctor", "--json").stdout)["checks"]
    assert next(check for check in checks if check["what"] == "numpy")["found"]


@pytest.mark.parametrize("command", [[], ["ask"], ["demo"], ["voices"], ["voices", "search"], ["doctor"]])
def test_help_describes_each_command(run: Run, command: list[str]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0 and "Usage: agentaudio" in done.stdout


@pytest.mark.system
def test_a_closed_pipe_prints_no_traceback() -> None:
    done = subprocess.run(
        f"{' '.join(COMMAND)} voices list --json | head -c 10", shell=True, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


def without_weights(folder: Path) -> dict[str, str]:
    """An environment in which the embedded engine has no weights, and no network to fetch them."""
    apart = {"AGENTAUDIO_CACHE": str(folder), "HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1", "HF_HOME": str(folder)}
    return os.environ | apart


@pytest.mark.system
def test_without_weights_and_network_no_other_engine_is_measured_in_its_name(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="needs the extra 'embedded'")
    suite = tmp_path / "suite.yaml"
    suite.write_text("name: s\nagent: {}\ndialogues: [{id: a, turns: [{type: hello}]}]\n")
    done = subprocess.run(
        [*COMMAND, "eval", "agent", str(suite), "--model", "embedded", "--out", str(tmp_path / "out")],
        env=without_weights(tmp_path), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and "error: " in done.stderr and "Traceback" not in done.stderr
    assert "embedded-lite" not in done.stderr and not (tmp_path / "out/result.json").exists()


@pytest.mark.system
def test_without_weights_and_network_the_question_is_asked_of_the_lite_engine(tmp_path: Path) -> None:
    for extra in ("pocketsphinx", "espeakng_loader", "pyworld", "ctranslate2"):
        pytest.importorskip(extra, reason="needs the extras 'embedded' and 'espeak'")
    done = subprocess.run(
        [*COMMAND, "ask", "what is 6 times 7", "--json"], env=without_weights(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 0 and "42" in json.loads(done.stdout)["text"]
    assert "going on with embedded-lite" in done.stderr and "licence MIT" in done.stderr
