"""Pocket TTS with random weights: the package itself encodes clips and speaks, frame by frame."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pocket_tts", reason="the extra pocket-tts is not installed")
pytest.importorskip("onnxruntime", reason="the extra pocket-tts is not installed")

from support.parts import Ears  # noqa: E402
from support.pocket_tts import packaged_config, write_checkpoint  # noqa: E402
from support.sounds import tone  # noqa: E402

from agentaudio import Agent  # noqa: E402
from agentaudio.errors import BackendError, ConsentError, OptionError, VoiceError  # noqa: E402
from agentaudio.model.cascade.cascade import Cascade  # noqa: E402
from agentaudio.model.clip_voice import ClipVoice  # noqa: E402
from agentaudio.model.parts import Synthesiser  # noqa: E402
from agentaudio.model.pocket_tts.load import load  # noqa: E402
from agentaudio.model.pocket_tts.synthesiser import PocketTTS  # noqa: E402
from agentaudio.model.registry import load_chat_model  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402
from agentaudio.testing import SynthesiserContract  # noqa: E402
from agentaudio.voice_library.library import VoiceLibrary, demo_voices  # noqa: E402
from agentaudio.weights.ledger import ledger  # noqa: E402

FRAME = 1920
TEXT = "Mars is the fourth planet of the Sun. It has two small moons."


class TestPocketTTS(SynthesiserContract):
    folder: Path

    @pytest.fixture(autouse=True)
    def _weights(self, short: Path) -> None:
        self.folder = short

    @asynccontextmanager
    async def synthesiser(self) -> AsyncGenerator[Synthesiser[Any], None]:
        async with loaded(self.folder) as pocket:
            yield pocket

    def busy(self, synthesiser: Synthesiser[Any]) -> bool:
        assert isinstance(synthesiser, PocketTTS)
        return synthesiser.busy


@asynccontextmanager
async def loaded(folder: Path, **options: Any) -> AsyncGenerator[PocketTTS, None]:
    pocket = load(str(folder), **options)
    try:
        yield pocket
    finally:
        await pocket.aclose()


async def given(*pieces: str) -> AsyncGenerator[str, None]:
    for piece in pieces:
        yield piece


async def spoken(pocket: PocketTTS, state: Any, text: str = TEXT, **options: Any) -> list[Audio]:
    async with contextlib.aclosing(pocket.speak(given(text), state, **options)) as speech:
        return [sound async for sound in speech]


async def test_it_clones_and_streams_whole_frames_of_80_ms(long: Path) -> None:
    async with loaded(long) as pocket:
        assert (pocket.voices, pocket.sample_rate_hz) == ("clones", 24_000)
        state = await pocket.prepare(demo_voices().get("gina"))
        sounds = await spoken(pocket, state)
        assert len(sounds) > 3 and all(len(sound) % FRAME == 0 and len(sound) > 0 for sound in sounds)
        assert {sound.sample_rate for sound in sounds} == {24_000}


async def test_different_clips_give_different_voices(short: Path) -> None:
    async with loaded(short, temperature=0.0) as pocket:
        speeches = []
        for name in ("gina", "gina", "diana"):
            state = await pocket.prepare(demo_voices().get(name))
            speeches.append(Audio.concat(await spoken(pocket, state, "Mars is the fourth planet of the Sun.")).samples)
        length = min(map(len, speeches))
        first, again, other = (speech[:length] for speech in speeches)
        assert np.abs(first - other).max() > 3 * np.abs(first - again).max()  # whose frames are grouped by chance


async def test_a_state_is_kept_for_each_clip_and_weights(short: Path, long: Path, tmp_path: Path) -> None:
    voices = VoiceLibrary(shutil.copytree(demo_voices().folder, tmp_path / "voices"))
    async with loaded(short) as pocket:
        made = await pocket.prepare(voices.get("gina"))
        assert await pocket.prepare(voices.get("gina")) is made
    async with loaded(short) as again:
        kept = await again.prepare(voices.get("gina"))
        assert kept.version == made.version
        assert all(np.array_equal(kept.arrays[name], made.arrays[name]) for name in made.arrays)
    async with loaded(long) as other:
        assert (await other.prepare(voices.get("gina"))).version != made.version
    paths = [path for path in (tmp_path / "voices").rglob("*.npz") if "pocket-tts" in str(path)]
    assert len(paths) == 2
    for path in paths:
        path.write_bytes(path.read_bytes()[:1000])
    async with loaded(short) as repaired:
        assert (await repaired.prepare(voices.get("gina"))).nbytes == made.nbytes


async def test_a_revoked_voice_is_refused_and_its_states_are_deleted(short: Path, tmp_path: Path) -> None:
    voices = VoiceLibrary(shutil.copytree(demo_voices().folder, tmp_path / "voices"))
    async with loaded(short) as pocket:
        gina = voices.get("gina")
        await pocket.prepare(gina)
        voices.revoke("gina")
        with pytest.raises(ConsentError):
            await pocket.prepare(gina)
        assert not [path for path in (tmp_path / "voices").rglob("*.npz") if "pocket-tts" in str(path)]


async def test_closing_stops_generation_at_once(long: Path) -> None:
    async with loaded(long) as pocket:
        state = await pocket.prepare(None)
        threads = threading.active_count()
        speech = pocket.speak(given(TEXT * 20), state)
        await anext(speech)
        begun = time.monotonic()
        await speech.aclose()
        while pocket.busy:
            await asyncio.sleep(0.005)
        assert time.monotonic() - begun < 1.0
        assert threading.active_count() <= threads + 1


async def test_an_utterance_waits_for_one_phrase_of_another_and_not_for_all(short: Path) -> None:
    async with loaded(short) as pocket:
        state = await pocket.prepare(None)
        endings: list[str] = []

        async def speak(name: str, text: str) -> None:
            await spoken(pocket, state, text)
            endings.append(name)

        await asyncio.gather(speak("long", TEXT * 4), speak("short", "Yes, that is right."))
        assert endings == ["short", "long"]


async def test_closing_the_synthesiser_ends_what_is_spoken_with_an_error(long: Path) -> None:
    async with loaded(long) as pocket:
        state = await pocket.prepare(None)
        speech = pocket.speak(given(TEXT * 20), state)
        await anext(speech)
        await pocket.aclose()
        with pytest.raises(BackendError, match="was closed; load it again"):
            async for _ in speech:
                pass
        with pytest.raises(BackendError, match="was closed; load it again"):
            await spoken(pocket, state)


async def test_a_long_text_is_spoken_in_pieces(short: Path) -> None:
    async with loaded(short) as pocket:
        state = await pocket.prepare(None)
        sounds = await spoken(pocket, state, "and then we went on along the river " * 30)
        assert Audio.concat(sounds).duration > 18 * 0.48


@pytest.mark.parametrize(
    ("text", "said"),
    [("a" + "b" * 3000 + ".", "the word 'abbb.* is too long for Pocket TTS"), ("今天北京的天气怎么样", "Latin script")],
)
async def test_a_text_that_cannot_be_spoken_is_refused_in_one_line(short: Path, text: str, said: str) -> None:
    async with loaded(short) as pocket:
        with pytest.raises(BackendError, match=said) as error:
            state = await pocket.prepare(None)
            await spoken(pocket, state, text)
        assert "\n" not in str(error.value)


async def test_a_variant_speaks_its_language_and_refuses_others(small: Path) -> None:
    async with loaded(small, variant="english_2m_2026-10", int8=True, steps=2) as pocket:
        assert pocket.languages == ("en",)
        state = await pocket.prepare(None)
        assert Audio.concat(await spoken(pocket, state, language="en-GB")).duration > 0.5
        with pytest.raises(OptionError, match="speaks en, and not 'de-AT'; load the weights of that language"):
            await spoken(pocket, state, language="de-AT")


@pytest.mark.parametrize(("clip", "said"), [
    (Audio.silence(3, 24_000), "silent"), (tone(220, 3), "no speech"),
    (Audio(np.random.default_rng(0).normal(0, 0.1, 72_000), 24_000), "no speech"),
])  # fmt: skip
async def test_a_clip_too_poor_to_prepare_is_refused_in_one_line(short: Path, clip: Audio, said: str) -> None:
    async with loaded(short) as pocket:
        with pytest.raises(VoiceError, match=f"voice 'poor': .*{said}") as error:
            await pocket.prepare(ClipVoice(clip, id="poor"))
        assert "\n" not in str(error.value)


async def test_a_turn_of_an_agent_is_spoken_in_a_retrieved_voice(short: Path) -> None:
    cascade = Cascade(Ears(), load_chat_model("router"), load(str(short)))
    reply = await Agent(cascade, voices="demo").run("what is 6 times 7", voice="gina")
    await cascade.aclose()
    assert reply.imitation == "cloned" and reply.voice is not None and reply.voice.id == "gina"
    assert reply.audio is not None and reply.audio.sample_rate == 24_000


async def test_weights_of_the_published_shapes_fill_the_file_of_the_ledger_and_speak(tmp_path: Path) -> None:
    folder = write_checkpoint(
        tmp_path / "full", config=packaged_config("english_2026-04"), dtype="bfloat16", save_config=False
    )
    assert (folder / "model.safetensors").stat().st_size == ledger()["pocket-tts"].files["model.safetensors"].size
    async with loaded(folder, variant="english_2026-04") as pocket:
        state = await pocket.prepare(demo_voices().get("gina"))
        assert Audio.concat(await spoken(pocket, state, "Yes, that is right.")).duration > 0.4


async def test_damaged_and_foreign_weights_are_refused_in_one_line(short: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(short, tmp_path / "damaged"))
    content = (damaged / "model.safetensors").read_bytes()
    (damaged / "model.safetensors").write_bytes(content[: len(content) // 2])
    cases = [(damaged, {}, "cannot be loaded"), (short, {"variant": "english_2026-04"}, "cannot be loaded")]
    for folder, options, said in cases:
        async with loaded(folder, **options) as pocket:
            with pytest.raises(BackendError, match=said) as error:
                await pocket.prepare(None)
            assert "\n" not in str(error.value) and len(str(error.value)) < 600


async def test_weights_without_the_encoder_that_clones_are_refused(short: Path, tmp_path: Path) -> None:
    import safetensors.torch

    folder = Path(shutil.copytree(short, tmp_path / "open"))
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["flow_lm.speaker_proj_weight"].zero_()
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    async with loaded(folder) as pocket:
        with pytest.raises(BackendError, match="without the encoder that clones voices; accept the terms"):
            await pocket.prepare(None)
