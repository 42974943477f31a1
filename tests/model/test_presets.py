"""The preset nearest to a reference voice, and what a reply says of how its voice was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.openai_server import chat_server, spoken_answer
from support.parts import Beeps, Ears, Mind
from support.sounds import tone

from agentaudio import Agent, load_model
from agentaudio.errors import ConsentError, OptionError
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.parts import SynthesiserVoices
from agentaudio.model.presets import Presets
from agentaudio.resources import open_voices
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import VoiceLibrary

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")
PCM = tone(duration_s=0.5, sample_rate=24_000).to_pcm16()


def voice(name: str):  # type: ignore[no-untyped-def]
    return open_voices("demo").library.get(name)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples of three presets: the second halves of clips of the demo voices, louder and at another rate."""
    folder = tmp_path_factory.mktemp("presets")
    for preset, name in (("deep", "angus"), ("high", "ruby"), ("plain", "gina")):
        clip: Audio = voice(name).clip
        half = clip.slice(clip.duration / 2, clip.duration)
        Audio(np.clip(half.samples * 1.5, -1, 1), half.sample_rate).resample(24_000).save(folder / f"{preset}.wav")
    return folder


async def test_the_nearest_preset_speaks_for_a_voice(samples: Path) -> None:
    (samples / "._left.wav").write_bytes(b"\x00\x05\x16\x07" + bytes(100))  # of macOS
    presets = Presets.from_folder(samples)
    for name, preset in (("angus", "deep"), ("ruby", "high"), ("gina", "plain")):
        nearest = await presets.nearest(voice(name))
        assert nearest.name == preset and 0.6 < (nearest.similarity or 0) < 1


async def test_a_voice_that_may_not_be_used_gets_no_preset(samples: Path, library: VoiceLibrary) -> None:
    with pytest.raises(ConsentError):
        await Presets.from_folder(samples).nearest(library.get("secret"))


def test_presets_need_samples(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no samples of preset voices"):
        Presets.from_folder(tmp_path)
    with pytest.raises(OptionError, match="no folder"):
        Presets.from_folder(tmp_path / "nowhere")


async def test_a_server_speaks_in_the_preset_nearest_to_the_retrieved_voice(samples: Path) -> None:
    async with chat_server(spoken_answer(("Hello.", PCM))) as server:
        model = load_model("openai:gpt-audio", base_url=server.url, voice="alloy", presets=samples)
        server.clients.append(model)
        agent = Agent(model, voices="demo")
        assert (await agent.run("hello")).imitation is None
        reply = await agent.run("hello", voice="angus")
        assert reply.imitation == "preset" and reply.voice is not None and reply.voice.id == "angus"
        assert [request.json["audio"]["voice"] for request in server.requests] == ["alloy", "deep"]


@pytest.mark.parametrize(
    ("voices", "imitation"), [("clones", "cloned"), ("moves", "moved"), ("presets", "preset"), ("fixed", None)]
)
async def test_a_reply_says_how_its_voice_was_made(voices: SynthesiserVoices, imitation: str | None) -> None:
    beeps = Beeps()
    beeps.voices = voices
    model = Cascade(Ears(), Mind(), beeps)
    assert model.capabilities.imitates == imitation
    if imitation is None:
        return
    reply = await Agent(model, voices="demo").run("hello", voice="ruby")
    assert reply.imitation == imitation and reply.to_dict()["imitation"] == imitation
    assert (await Agent(model).run("hello")).imitation is None


async def test_a_reply_measures_how_near_its_voice_came() -> None:
    class Echo(Beeps):
        """Speaks each word as the whole clip of a voice."""

        sample_rate_hz = 16_000

        def __init__(self, clip: Audio) -> None:
            super().__init__()
            self.voices = "clones"
            self.clip = clip.resample(16_000)

        async def speak(self, text, state, *, language=None):  # type: ignore[no-untyped-def]
            async for _ in text:
                yield self.clip

    near = await Agent(Cascade(None, Mind(), Echo(voice("angus").clip)), voices="demo").run("hello", voice="angus")
    far = await Agent(Cascade(None, Mind(), Echo(voice("ruby").clip)), voices="demo").run("hello", voice="angus")
    assert (near.voice_similarity() or 0) > 0.95 > 0.75 > (far.voice_similarity() or 1)
    assert (await Agent(Cascade(None, Mind(), None)).run("hello")).voice_similarity() is None
