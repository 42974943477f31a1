"""Watermarks: all speech is marked, whichever door it leaves by, and marks are found again."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import OpenAI
from support.live_room import RATE, Room
from support.models import scripted
from support.realtime_client import realtime_client
from support.rehearsed import Rehearsed
from support.server import KEY, Running, running_server
from support.sounds import tone
from support.watermarks import SHIFT, Failing, Shift, Shortening

from agentaudio import Agent, Audio, tool
from agentaudio.cli import main
from agentaudio.errors import BackendError, OptionError
from agentaudio.provenance.mark_search import find_marks
from agentaudio.provenance.provenance import Origin, Provenance, payload_of
from agentaudio.provenance.watermark import embedded, load_watermark
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.speaker import Speaker
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

ROOT = Path(__file__).parents[2]


def is_marked(sound: Audio) -> bool:
    """Whether every piece of a sound carries the mark of Shift."""
    means = [float(piece.samples.mean()) for piece in sound.chunks(200) if len(piece) > 1_000]
    return bool(means) and all(abs(mean - SHIFT) < SHIFT / 4 for mean in means)


def agent(watermark: Any = None, **more: Any) -> Agent:
    return Agent(Rehearsed(), provenance=Provenance(watermark=watermark or Shift()), **more)


# The doors


@pytest.fixture(scope="module")
def server(library_folder: Path) -> Iterator[Running]:
    with running_server(agent(voices=VoiceSearch(VoiceLibrary(library_folder)))) as running:
        yield running


async def test_turns_are_marked(tmp_path: Path) -> None:
    reply = await agent().run("hello there")
    assert reply.audio is not None and is_marked(reply.audio)
    assert is_marked(Audio.load(reply.save(tmp_path / "a.wav")))
    sounds = [event.audio async for event in agent().stream("hello there") if event.type == "audio.delta"]
    assert sounds and all(map(is_marked, sounds))


async def test_speech_of_a_speaker_is_marked_at_any_tempo_whole_or_in_pieces() -> None:
    for rate in (1.0, 1.5):
        speaker = Speaker(Rehearsed(), provenance=Provenance(watermark=Shift()))
        assert is_marked(Audio.concat([sound async for sound in speaker.speak("one two three", rate=rate)]))

    async def words() -> AsyncIterator[str]:
        for word in ("one. ", "two. ", "three."):
            yield word

    speaker = Speaker.of(agent().setup)
    assert is_marked(Audio.concat([sound async for sound in speaker.speak(words())]))


async def test_notices_of_a_live_conversation_are_marked() -> None:
    @tool(filler="let me look")
    async def look() -> str:
        await asyncio.sleep(0.4)
        return "found"

    model = scripted({"calls": [{"name": "look"}]}, "it is here")
    made = Agent(model, tools=[look], provenance=Provenance(watermark=Shift()))
    async with Room(made.live(ears=None, filler_s=0.1)) as at:
        await at.live.send("where is it")
        while "agent.finished" not in at.types():
            await at.quiet(0.1)
    assert "notice" in at.types()
    sound = np.concatenate(at.heard)
    heard = sound[np.flatnonzero(np.abs(sound) > 1e-4)]
    assert len(heard) > RATE and abs(float(np.median(heard)) - SHIFT) < SHIFT / 4
    for at_s in np.arange(0, len(heard) / RATE - 0.2, 0.2):
        assert abs(float(heard[int(at_s * RATE) : int((at_s + 0.2) * RATE)].mean()) - SHIFT) < SHIFT / 2


@pytest.mark.parametrize("format", ["wav", "pcm"])
def test_speech_and_chat_over_http_are_marked(server: Running, format: Any) -> None:
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        spoken = client.audio.speech.create(input="one two three", model="m", voice="ruby", response_format=format)
        assert is_marked(loaded(spoken.content, format))
        answer = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], modalities=["text", "audio"],
            audio={"voice": "ruby", "format": "pcm16" if format == "pcm" else format},
        )  # fmt: skip
        sound = answer.choices[0].message.audio
        assert sound is not None and is_marked(loaded(base64.b64decode(sound.data), format))


def loaded(content: bytes, format: str) -> Audio:
    return Audio.from_pcm16(content, 24_000) if format == "pcm" else Audio.load(content)


async def test_realtime_speech_is_marked(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(audio={"input": {"turn_detection": None}})
        await client.write("hello")
        await client.responded()
        deltas = [event["delta"] for event in client.of("response.output_audio.delta")]
    assert is_marked(Audio.from_pcm16(b"".join(map(base64.b64decode, deltas)), 24_000))


# What may go wrong


@pytest.mark.parametrize(
    ("watermark", "words"), [(Failing(), "watermark 'shift' failed: ValueError"), (Shortening(), "it must keep rate")]
)
async def test_sound_that_cannot_be_marked_does_not_leave(watermark: Any, words: str) -> None:
    made = agent(watermark)
    events = []
    with pytest.raises(BackendError, match=words):
        async for event in made.stream("hello there"):
            events.append(event.type)
    assert "audio.delta" not in events and "turn.failed" in events
    with pytest.raises(BackendError, match=words):
        await anext(Speaker.of(made.setup).speak("hello there"))


def test_a_watermark_that_is_unknown_or_none_is_refused_at_once() -> None:
    with pytest.raises(OptionError, match="there is no watermark 'nothing'"):
        agent("nothing")
    with pytest.raises(OptionError, match="is not a watermark; it needs name"):
        agent(tone())
    with pytest.raises(OptionError, match="provenance is str; give a Provenance"):
        Agent(Rehearsed(), provenance="local")  # type: ignore[arg-type]


def test_an_empty_sound_is_not_given_to_the_method() -> None:
    assert embedded(Failing(), Audio.silence(0, 24_000), b"") == Audio.silence(0, 24_000)


async def test_the_payload_stands_for_the_voice_that_is_heard(library_folder: Path) -> None:
    voices = VoiceSearch(VoiceLibrary(library_folder))
    mark = Shift()
    made = Agent(Rehearsed(), voices=voices, provenance=Provenance(watermark=mark))
    await made.run("hello", voice="ruby")
    await made.run("hello", voice="walter")
    await made.run("hello")
    of = [payload_of(voices.get(id), "scripted", 3) for id in ("ruby", "walter")] + [payload_of(None, "scripted", 3)]
    assert list(dict.fromkeys(mark.payloads)) == of and len({*of}) == 3 and {len(one) for one in of} == {3}


# Finding marks


def test_marks_are_found_and_compared_with_the_signature(library_folder: Path) -> None:
    library = VoiceLibrary(library_folder)
    marked = Audio(tone(440, 1).samples + SHIFT, 24_000).to_bytes("wav")
    claims = Origin("m", provenance=Provenance(watermark=Shift()), voices=(library.get("ruby"),)).claims()
    (found,) = find_marks(marked, library, claims, [Shift()])
    assert (found.name, found.payload, found.voice, found.signed) == ("shift", "010203", None, False)
    assert found.line == "shift: 010203, which is not the signed one"
    (found,) = find_marks(tone().to_bytes("wav"), library, claims, [Shift()])
    assert found.line == "shift: not found, although the signature says that it is there"
    (found,) = find_marks(marked, library, None, [Failing()])
    assert found.problem is not None and found.problem.startswith("watermark 'shift' failed: ValueError")
    (found,) = find_marks(b"hello", library, None, [Shift()])
    assert found.problem is not None and "not a sound file" in found.problem


# The example


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that pip would install: the module, and the metadata built from pyproject.toml."""
    site = Path(shutil.copytree(ROOT / "examples" / "watermark_package", tmp_path_factory.mktemp("package") / "site"))
    build = "import setuptools.build_meta as build; build.prepare_metadata_for_build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=site, check=True, capture_output=True)
    return site


@pytest.fixture
def installed(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("installed")
def test_the_example_package_works_from_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("c2pa", reason="signing needs the extra provenance")
    ask = ("ask", "--text", "hi", "--model", "scripted", "--tools", "calculate", "--voice", "albert")
    marked = ("--watermark", "tones", "--sign", "local", "--out", "a.mp3")
    for command, code in (
        ((*ask, *marked), 0),
        (("inspect", "a.mp3"), 0),
        (("inspect", "a.mp3", "--json"), 0),
        (("inspect", "a.mp3", "--watermark", "tones:key"), 1),
        ((*ask, "--watermark", "tone"), 1),
    ):
        with pytest.raises(SystemExit) as ended:
            main(list(command))
        assert int(ended.value.code or 0) == code, command
    shown = capsys.readouterr()
    printed = " ".join(shown.out.split())
    payload = payload_of(demo_voices().get("albert"), "", 4).hex()
    assert f"tones-1: {payload}, the voice 'albert', as signed" in printed
    found = json.loads(shown.out[shown.out.index("{") :])
    assert found["watermarks"] == [
        {"name": "tones-1", "payload": payload, "voice": "albert", "signed": True, "problem": None}
    ]
    assert "takes no argument" in shown.err and "did you mean 'tones'" in shown.err


@pytest.mark.usefixtures("installed")
def test_the_mark_of_the_example_survives_compression_and_is_not_found_in_plain_speech() -> None:
    tones = load_watermark("tones")
    for id, payload in (("albert", b"\0\x07\xc8\x1f"), ("gina", b"\xff\xa5\0\x10")):
        clip = demo_voices().get(id).clip.resample(24_000).slice(0, 2.5)
        marked = Audio.concat([tones.embed(piece, payload) for piece in clip.chunks(430)])
        assert np.abs(marked.samples - clip.samples).max() < 0.1
        for format in ("wav", "mp3", "opus"):
            assert tones.detect(Audio.load(marked.to_bytes(format))) == payload
        assert tones.detect(clip) is None
