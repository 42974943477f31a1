"""Real clients hold spoken conversations with a real `agentaudio serve` process, each in an environment of its own.

`make test-clients` installs the clients and runs this; elsewhere AGENTAUDIO_CLIENTS names the folder of their
environments. What holds is published as a matrix (see conftest.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clients import CLIENTS, MODELS, Client
from support.ear import Ear, whisper_folder
from support.server import KEY, Process, server_process

from agentaudio.demo.run import questions_folder
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.consent_sentence import SENTENCES
from agentaudio.voice_library.library import demo_voices

ENVIRONMENTS = os.environ.get("AGENTAUDIO_CLIENTS", "")
pytestmark = [
    pytest.mark.skipif(not ENVIRONMENTS, reason="needs the clients: make test-clients"),
    pytest.mark.usefixtures("cell"),
]

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE = float(os.environ.get("PATIENCE", "1"))
"""Factor of all times that are waited for: more than 1 on a machine that does much else."""
LONGEST_S = 400 * PATIENCE
WISHED, CHANGED, LENDER = "albert", "claire", "angus"
"""The voices that the user wishes for aloud, that the client's program changes to, and of the person who lends one."""
OPTIONS = ("--voice-name", f"shimmer={CHANGED}", "--limit", f"first_word_s={30 * PATIENCE}")
"""Pipecat's speech service takes OpenAI's names only."""
WORD_S = 0.3
"""What a word of the scripted model lasts."""
STORY = " ".join(["The great wall is long and the answer to this question is longer still."] * 8)
QUESTIONS = {
    "museum": "national-museum", "story": "great-wall", "interruption": "time-in-tokyo", "wish": "calm-old-man",
    "moon": "distance-of-the-moon",
}  # fmt: skip
MUSEUM = {"name": "opening_hours", "arguments": {"museum": "national museum"}}
REALTIME: list[dict[str, Any]] = [
    {"heard": "when is the national museum open today", "say": "One moment.", "calls": [MUSEUM]},
    {"say": "It is open until the evening."},
    {"heard": "give me a brief introduction to the great wall of china", "say": STORY},
    {"heard": "what is the time in tokyo right now", "say": "It is nine in the morning in Tokyo."},
    {"heard": "please answer in the voice of a calm old man", "calls": [
        {"name": "audio_search", "arguments": {"query": "a calm old man"}}
    ]},
    {"say": "I sound like an old man now."},
    {"heard": "how far away from the earth is the moon", "say": "It is far away from here."},
]  # fmt: skip
CHAT: list[dict[str, Any]] = [REALTIME[0] | {"say": ""}, REALTIME[1], {"say": "It is far away from here."}]
SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "realtime": REALTIME,
    "chat": CHAT,
    "speech": [{"say": "Hello."}],
    "transcription": [{"heard": "when is the national museum open today"}],
    "voices": [{"heard": SENTENCES["en"]}],
}


Held = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The questions as WAV files of 24 kHz; a consent, and a sample in the same voice."""
    folder = tmp_path_factory.mktemp("sounds")
    made = {name: Audio.load(questions_folder() / f"{file}.flac") for name, file in QUESTIONS.items()}
    clip = demo_voices().get(LENDER).clip
    made |= {"sample": clip.slice(0, 3.2), "consent": clip.slice(clip.duration - 2.6)}
    for name, sound in made.items():
        sound.resample(24_000).save(folder / f"{name}.wav")
    return {name: str(folder / f"{name}.wav") for name in made}


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo voices, to which a client may add."""
    return Path(shutil.copytree(demo_voices().folder, tmp_path_factory.mktemp("voices") / "voices"))


@pytest.fixture(scope="session")
def embedded(voices: Path) -> Iterator[Process]:
    whisper_folder("base")
    with server_process("--voices", str(voices), *OPTIONS) as server:
        until_ready(server)
        yield server


@pytest.fixture(scope="session")
def lent(embedded: Process, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A consent that can be heard, and a sample in the same voice: both spoken by the server."""
    folder = tmp_path_factory.mktemp("lent")
    texts = {"consent": SENTENCES["en"], "sample": "We have time for a bowl of soup before we go to the station."}
    for name, text in texts.items():
        body = json.dumps({"input": text, "voice": LENDER, "response_format": "wav"}).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
        asked = urllib.request.Request(f"{embedded.url}/v1/audio/speech", body, headers)
        with urllib.request.urlopen(asked) as answer:
            (folder / f"{name}.wav").write_bytes(answer.read())
    return {name: str(folder / f"{name}.wav") for name in texts}


@pytest.fixture(scope="session", params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session", params=CLIENTS, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.param
    return found


@pytest.fixture(scope="session")
def held(
    model: str,
    client: Client,
    sounds: dict[str, str],
    voices: Path,
    versions: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Held:
    """Runs the client's program for a task, once; returns what it reports."""
    known: dict[str, dict[str, Any]] = {}

    def hold(task: str) -> dict[str, Any]:
        if task not in client.tasks:
            pytest.skip(f"{client.name} has no {task}")
        if task not in known:
            folder = tmp_path_factory.mktemp(f"{client.name}-{task}")
            if model == "embedded":
                server = request.getfixturevalue("embedded")
                lent = request.getfixturevalue("lent") if task == "voices" else {}
                known[task] = run(client, task, server, sounds | lent, folder)
            else:
                script = folder / "script.json"
                greeting = [{"say": "Hello."}] if client.greets and task == "realtime" else []
                script.write_text(json.dumps(greeting + SCRIPTS[task]), encoding="utf-8")
                options = (
                    "--model",
                    f"scripted:{script}",
                    "--option",
                    "delay_s=0.1",
                    "--voices",
                    str(voices),
                    *OPTIONS,
                )
                with server_process(*options) as server:
                    until_ready(server)
                    known[task] = run(client, task, server, sounds, folder)
        versions[client.name] = known[task]["version"]
        return known[task]

    return hold


@pytest.fixture(scope="session")
def ear() -> Iterator[Ear]:
    whisper_folder("base")
    ear = Ear()
    yield ear
    ear.close()


def until_ready(server: Process) -> None:
    end = time.monotonic() + 120 * PATIENCE
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{server.url}/readyz") as answer:
                assert answer.status == 200
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not become ready")


def run(client: Client, task: str, server: Process, sounds: dict[str, str], folder: Path) -> dict[str, Any]:
    job = {
        "url": server.url, "key": KEY, "task": task, "voice": CHANGED, "sounds": sounds, "folder": str(folder),
    }  # fmt: skip
    command = [*interpreter(client), json.dumps(job)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    (folder / "stderr.txt").write_text(done.stderr, encoding="utf-8")
    assert done.returncode == 0, f"{client.name} {task} in {folder}:\n{done.stderr[-3000:]}"
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    (folder / "facts.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return facts


def interpreter(client: Client) -> list[str]:
    if client.name == "node":
        return ["node", str(PROGRAMS / "node" / "agents.mjs")]
    python = Path(ENVIRONMENTS) / f"clients-{client.name}" / "bin" / "python"
    return [str(python), str(PROGRAMS / f"{client.name.replace('-', '_')}_client.py")]


def sound_of(fact: dict[str, Any]) -> Audio:
    return Audio.load(fact["sound"])


def assert_spoken(model: str, fact: dict[str, Any], ear: Ear) -> None:
    """The sound of an answer is there and says its words."""
    sound = sound_of(fact)
    assert not sound.is_silent
    if model == "scripted":
        assert sound.duration == pytest.approx(WORD_S * len(fact["words"].split()), abs=0.15), fact
    else:
        assert ear.wer(fact["words"], sound) < 35, (fact, ear.hear(sound))


def likeness(sound: Audio, voice: str) -> float:
    """How much a sound is like a demo voice: cosine of speaker embeddings."""
    encoder = EmbeddedSpeakerEncoder()
    return float(encoder.encode(sound) @ encoder.encode(demo_voices().get(voice).clip))


@pytest.mark.column("spoken turn")
def test_a_spoken_question_is_heard_and_answered_aloud(model: str, held: Held, ear: Ear) -> None:
    facts = held("realtime")
    assert facts["errors"] == []
    assert "national museum" in facts["heard"][0].lower()
    assert_spoken(model, facts["call"], ear)


@pytest.mark.column("call")
def test_the_clients_own_tool_is_called_and_its_result_is_spoken(model: str, held: Held) -> None:
    facts = held("realtime")["call"]
    assert [call["museum"].lower() for call in facts["calls"]] == ["national museum"]
    assert "until the evening" in facts["words"]


@pytest.mark.column("interruption")
def test_an_interruption_stops_the_sound_and_is_answered(model: str, held: Held, ear: Ear) -> None:
    facts = held("realtime")
    cut, after = facts["interruption"], facts["after"]
    if model == "scripted":
        assert sound_of(cut).duration < WORD_S * len(STORY.split()) / 2
    assert after["words"] and not set(after["words"].split()) <= set(cut["words"].split())
    assert "tokyo" in after["words"].lower()
    assert_spoken(model, after, ear)


@pytest.mark.column("voice by a wish")
def test_the_voice_changes_when_the_user_wishes_it(model: str, held: Held, ear: Ear) -> None:
    facts = held("realtime")
    assert_spoken(model, facts["wish"], ear)
    if model == "embedded":
        before, now = (likeness(sound_of(facts[name]), WISHED) for name in ("call", "wish"))
        assert now > before + 0.05, (before, now)


@pytest.mark.column("voice")
def test_the_voice_changes_by_the_clients_own_api(model: str, client: Client, held: Held, ear: Ear) -> None:
    facts = held("realtime")
    assert_spoken(model, facts["voice"], ear)
    if model == "embedded":
        before, now = (likeness(sound_of(facts[name]), CHANGED) for name in ("wish", "voice"))
        assert now > before + 0.05, (before, now)
    elif facts["voices"]:
        assert facts["voices"][-1] == CHANGED


@pytest.mark.column("chat")
def test_chat_completions_call_speak_and_stream(model: str, client: Client, held: Held, ear: Ear) -> None:
    facts = held("chat")
    assert [call["museum"].lower() for call in facts["calls"]] == ["national museum"]
    if "finish" in facts:
        assert facts["finish"] == "tool_calls" and facts["usage"]
    for name in ("answer", "voice"):
        if "sound" in facts.get(name, {}):
            assert_spoken(model, facts[name], ear)
    assert "until the evening" in facts["answer"]["words"]


@pytest.mark.column("speech")
def test_speech_says_the_words_in_the_voice_asked_for(model: str, held: Held, ear: Ear) -> None:
    facts = held("speech")
    for name in ("answer", "voice"):
        assert_spoken(model, facts[name], ear)
    if model == "embedded":
        assert likeness(sound_of(facts["voice"]), CHANGED) > likeness(sound_of(facts["answer"]), CHANGED) + 0.05


@pytest.mark.column("transcription")
def test_transcriptions_write_down_the_question(held: Held, sounds: dict[str, str]) -> None:
    facts = held("transcription")
    for name in ("whole", "streamed"):
        if name in facts:
            assert "national museum" in facts[name].lower()
    if "duration" in facts:
        assert facts["duration"] == pytest.approx(Audio.load(sounds["museum"]).duration, abs=0.1)


@pytest.mark.column("voices")
def test_a_voice_is_found_lent_used_and_taken_back(model: str, held: Held, ear: Ear) -> None:
    facts = held("voices")
    assert facts["listed"] and facts["deleted"] and facts["refused"] == "voice_not_found"
    assert facts["found"][0] == CHANGED
    assert_spoken(model, facts["answer"], ear)
    if model == "embedded":
        assert likeness(sound_of(facts["answer"]), LENDER) > likeness(sound_of(facts["answer"]), CHANGED)
