"""Names, cards, documents, results and answers with control characters or markup, in every command."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from support.models import calls
from support.voices import Bands

from agentaudio.cli import main
from agentaudio.escaping import visible
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

pytestmark = pytest.mark.hostile

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")

ATTACKS = {
    "colour": "\x1b[31mred\x1b[0m",
    "clipboard": "\x1b]52;c;ZWNobyBoaQ==\x07",
    "title": "\x1b]0;owned\x1b\\",
    "link": "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "c1": "\x9b2J\x9d0;owned\x9c",
    "overwrite": "safe\rerror\x08\x08\x7f",
    "direction": "\u202etxt.exe\u202c \u2066x\u2069",
    "hidden": "a\u200bb\u2060c\ufeffd\u00ade",
    "markup": "[/bold] [red]x[/red] [link=http://evil.example]y[/link] [/]",
    "unclosed": "[bold [/ :smile: [green]ok",
    "line": "x\x0b\x0cy\u2028z\u2029",
}
ALL = " ".join(ATTACKS.values())
MIXED = {
    "colour": ATTACKS["colour"],
    "mixed": "\x1b]52;c;aGk=\x07\x9b2J\r\x08\x7f\u202ex\u200b\ufeff\u2028 [/bold] [red] :smile:",
    "unclosed": ATTACKS["unclosed"],
}
ATTACKS |= MIXED
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; nothing that it prints may hold a hidden character."""

    def run(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        printed = captured.out + captured.err
        hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
        wrong = {char for char in printed if char != "\n" and unicodedata.category(char) in hidden}
        assert not wrong, (arguments, sorted(map(hex, map(ord, wrong))))
        assert "Traceback" not in printed, printed
        return int(ended.value.code or 0), printed

    return run


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose cards hold an attack each, and all of them."""
    folder = tmp_path_factory.mktemp("voices")
    library = VoiceLibrary.create(folder / "library")
    library.encoder = Bands()
    for (name, attack), voice in zip(ATTACKS.items(), demo_voices(), strict=False):
        clip = voice.clip.save(folder / f"{name}.wav")
        common = {
            "id": name, "name": f"{name} {attack}", "description": f"A calm voice {attack}", "licence": "CC0-1.0",
            "transcript": attack, "tags": (attack[:40],), "style": attack, "accent": attack,
            "consent": {"basis": "licence", "holder": attack, "scope": ("synthesis",)},
        }  # fmt: skip
        assert ingest(library, clip, common=common).added == [name]
    return folder / "library"


@pytest.mark.parametrize("name", MIXED)
def test_voices_are_shown_as_text(run: Run, library: Path, tmp_path: Path, name: str) -> None:
    assert visible(ATTACKS[name]).split()[0] in run("voices", "show", name, "--voices", library)[1]
    for command in (
        ("list",), ("search", f"calm {ATTACKS[name]}"), ("stats",), ("check",), ("policy", "--voices", library),
        ("play", name, "--out", tmp_path / f"{ATTACKS[name].replace('/', ' ')}.wav"),
        ("export", name, tmp_path / f"{ATTACKS[name].replace('/', ' ')}.zip"),
        ("show", ATTACKS[name]), ("remove", name, "--voices", library),
    ):  # fmt: skip
        options = () if "--voices" in command else ("--voices", library)
        run("voices", *command, *options)
        json_too = command[0] in ("list", "search", "stats", "check")
        if json_too:
            json.loads(run("voices", *command, *options, "--json")[1])
    assert json.loads(run("voices", "show", name, "--voices", library, "--json")[1])["transcript"] == ATTACKS[name]


def test_changes_of_a_library_are_reported_as_text(run: Run, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    names = {name: attack.replace("/", " ") for name, attack in ATTACKS.items()}
    for (name, attack), voice in zip(names.items(), demo_voices(), strict=False):
        voice.clip.save(clips / f"{name} {attack}.wav")
        (clips / f"broken {name} {attack}.wav").write_bytes(b"Dear Sir or Madam")
    rights = ("--licence", "CC0-1.0", "--basis", "licence", "--holder", ALL)
    library = tmp_path / names["colour"]
    common = ("--voices", library, "--encoder", "embedded", *rights)
    code, printed = run("voices", "ingest", clips, *common)
    assert code == 1 and "broken colour \\x1b[31m" in printed and f"{len(ATTACKS)} refused" in printed
    json.loads(run("voices", "ingest", clips, *common, "--json")[1])
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "name", ALL])
        rows.writerows([attack, attack, attack] for attack in ATTACKS.values())
    run("voices", "ingest", tmp_path / "rows.csv", *common)
    run("voices", "add", clips / f"link {names['link']}.wav", *common, "--name", ALL)
    run("voices", "reindex", "--voices", library)
    for held in VoiceLibrary(library):
        run("voices", "revoke", held.id, "--voices", library)
        run("voices", "remove", held.id, "--voices", library)
        run("voices", "remove", held.id, "--voices", library, "--yes")
        break
    for attack in ATTACKS.values():
        run("voices", "revoke", attack, "--voices", library)
        run("voices", "list", "--voices", tmp_path / attack)


@pytest.mark.parametrize("name", MIXED)
def test_a_turn_is_printed_as_text(run: Run, tmp_path: Path, library: Path, name: str) -> None:
    attack = ATTACKS[name]
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / f"{attack.replace('/', ' ')}.md").write_text(f"# Moon {attack}\n\nThe moon is far away {attack}.\n")
    script = tmp_path / "script.json"
    made = calls(
        (attack, {attack: attack}), ("calculate", {"expression": attack}), ("search_documents", {"query": "moon"}),
        ("audio_search", {"query": name}),
    )  # fmt: skip
    script.write_text(json.dumps([{"heard": attack, **made}, f"Says {attack}"]))
    ask = (
        "ask", "--text", f"hi {attack}", "--model", f"scripted:{script}", "--documents", documents, "--voices", library,
        "--out", tmp_path / f"{attack.replace('/', ' ')}.wav",
    )  # fmt: skip
    code, printed = run(*ask)
    assert code == 0 and visible(attack).split()[0] in printed
    reply = json.loads(run(*ask, "--json")[1])
    assert reply["text"].split() == f"Says {attack}".split()
    run("ask", attack, "--audio", "--model", f"scripted:{script}")
    run("ask", f"{attack.replace(' ', '')}.wav", "--model", f"scripted:{script}")
    run("ask", "hi", "--model", attack)
    run("ask", "hi", "--model", "scripted", "--option", attack)
    run("ask", "hi", "--model", "scripted", "--tools", attack)
    run("ask", "hi", "--model", "scripted", "--voice", attack)
    run("ask", "hi", f"--{attack}")
    if name != "mixed":
        return
    run("demo", "--model", f"scripted:{script}", "--out", tmp_path / "demo")
    sound = Audio.silence(0.1, 16_000).save(tmp_path / "s.wav")
    for command in ("transcribe", "translate", "describe", "tokenize"):
        run(command, sound, "--model", f"scripted:{script}")
        run(command, tmp_path / attack, "--model", attack)
    run("revoice", sound, "--voice", attack, "--voices", library, "--out", tmp_path / "x.wav")
    run("model", "init-tiny", tmp_path / "tiny", "--dtype", attack)


@pytest.mark.parametrize("name", MIXED)
def test_tools_are_printed_as_text(run: Run, tmp_path: Path, name: str) -> None:
    attack = ATTACKS[name]
    folder = tmp_path / "tools"
    folder.mkdir()
    quoted = json.dumps(attack)
    (folder / "good.yaml").write_text(
        f"name: odd\ndescription: {quoted}\nkind: command\ncommand: [cat, {json.dumps(str(folder / 'said'))}]\n"
    )
    (folder / "said").write_text(attack)
    (folder / f"bad {attack.replace('/', ' ')}.yaml").write_text(f"name: {quoted}\nkind: {quoted}\n{quoted}: 1\n")
    (folder / "syntax.toml").write_text(f"x = {attack}")
    for json_too in ((), ("--json",)):
        run("tools", "list", folder, *json_too)
        run("tools", "list", attack, *json_too)
        run("tools", "run", "odd", "--tools", folder / "good.yaml", "--allow-commands", *json_too)
        run("tools", "run", "calculate", "--args", json.dumps({"expression": attack}), *json_too)
        run("tools", "run", "calculate", "--args", json.dumps({attack: attack}), *json_too)
    run("tools", "check", folder)
    run("tools", "check", folder / "good.yaml")
    run("tools", "run", attack)
    run("tools", "run", "calculate", "--args", attack)
    run("models", "list", attack)
    run("doctor", attack)
    run("tools", "schema")
    run("models", "list")
    run("doctor")


def test_warnings_of_the_library_are_printed_as_text(tmp_path: Path) -> None:
    (tmp_path / f"{ATTACKS['colour']}.yaml").write_text("name: 1")
    command = [sys.executable, "-m", "agentaudio", "ask", "hi", "--model", "scripted", "--tools", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "\\x1b[31mred" in done.stderr and "\x1b" not in done.stderr + done.stdout


def test_joiners_stay_where_scripts_need_them() -> None:
    for text in ("می\u200cخواهم", "क्\u200dष", "👩\u200d🔬", "Grüße 你好\n\tok"):
        assert visible(text) == text
    assert visible("pay\u200dpal\u200c") == "pay\\u200dpal\\u200c"
    assert visible("\ud800\U000e0041") == "\\ud800\\U000e0041"


def test_warnings_of_libraries_are_shown_as_text(tmp_path: Path) -> None:
    code = """
        import sys, warnings
        from agentaudio.cli import main
        try:
            main(["tools"])
        except SystemExit:
            pass
        warnings.warn(sys.argv[1], stacklevel=1)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), MIXED["mixed"].replace("\n", " ")]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TERM": "dumb"})
    assert "UserWarning" in ran.stderr and "\\x1b]52" in ran.stderr and "\x1b" not in ran.stderr
