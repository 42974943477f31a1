"""Step-Audio 2 with sound: its speech tokens become sound in the requested voice."""

from __future__ import annotations

import contextlib
import gc
import shutil
import threading
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2_answers import network  # noqa: E402

from agentaudio import Agent, Audio  # noqa: E402
from agentaudio.conversation import Conversation, TextPart  # noqa: E402
from agentaudio.demo.run import questions_folder  # noqa: E402
from agentaudio.errors import BackendError, ConsentError, VoiceError  # noqa: E402
from agentaudio.model.clip_voice import ClipVoice  # noqa: E402
from agentaudio.model.speech_lm import AudioDelta, Delta, End, GenerateOptions, TokensDelta  # noqa: E402
from agentaudio.model.step_audio_2.generate import StepAudio2  # noqa: E402
from agentaudio.model.step_audio_2.init_tiny import init_tiny  # noqa: E402
from agentaudio.model.step_audio_2.language.interleave import interleave  # noqa: E402
from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder  # noqa: E402
from agentaudio.model.step_audio_2.tokens import BpeVocabulary, TokenIds  # noqa: E402
from agentaudio.voice_library.library import VoiceLibrary, demo_voices  # noqa: E402
from agentaudio.voice_library.voice import Consent  # noqa: E402

IDS = TokenIds()
SAMPLES_PER_TOKEN = 960


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return init_tiny(tmp_path_factory.mktemp("speaking"))


@pytest.fixture
async def model(folder: Path) -> AsyncIterator[StepAudio2]:
    loaded = StepAudio2.load(folder, device="cpu", dtype="float32")
    yield loaded
    await loaded.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name in ("step-audio-2", "step-audio-2-voice")]


@pytest.fixture(scope="module")
def clips() -> list[Audio]:
    """Two people asking something."""
    return [Audio.load(path) for path in sorted(questions_folder().glob("*.flac"))[:2]]


def asked() -> Conversation:
    made = Conversation()
    made.add("user", TextPart("speak"))
    return made


def write(model: StepAudio2, ids: Sequence[int]) -> None:
    """Make the model's answers from these ids, one answer after the other."""
    script = iter(ids)

    def prefer(_: Any, __: Any, logits: Any) -> Any:
        return logits.index_fill(-1, torch.tensor([next(script, IDS.eot)]), 1e4)

    network(model).lm_head.register_forward_hook(prefer)


def spoken(folder: Path, codes: Sequence[int]) -> list[int]:
    """An answer of these speech tokens, after the <tts_start> that the prompt holds."""
    words = BpeVocabulary.load(str(folder / "tokenizer.json")).encode("a")
    return [*interleave(words, codes)[1:], IDS.eot]


def dictate(model: StepAudio2, folder: Path, *answers: Sequence[int]) -> None:
    """Make the model say these speech tokens."""
    write(model, [number for codes in answers for number in spoken(folder, codes)])


async def answer(model: StepAudio2, **arguments: Any) -> list[Delta]:
    return [delta async for delta in model.generate(asked(), **arguments)]


def sound(deltas: Sequence[Delta]) -> Audio:
    return Audio.concat([delta.audio for delta in deltas if isinstance(delta, AudioDelta)])


async def test_all_speech_tokens_are_heard_before_the_end(model: StepAudio2, folder: Path) -> None:
    codes = [(37 * k) % 6561 for k in range(60)]
    dictate(model, folder, codes)
    deltas = await answer(model)
    heard = sound(deltas)
    assert (len(heard), heard.sample_rate) == (SAMPLES_PER_TOKEN * len(codes), 24_000)
    assert not heard.is_silent
    assert isinstance(deltas[-1], End)
    assert len([delta for delta in deltas if isinstance(delta, AudioDelta)]) > 2, "as it comes, not at the end"


async def test_the_voice_that_is_asked_for_is_heard(model: StepAudio2, folder: Path, clips: list[Audio]) -> None:
    codes = [(37 * k) % 6561 for k in range(20)]
    dictate(model, folder, *[codes] * 4)
    voices = [ClipVoice(clips[0], id="one"), ClipVoice(clips[1], id="two"), ClipVoice(clips[0], id="one"), None]
    heard = [sound(await answer(model, voice=voice)).samples for voice in voices]
    assert np.array_equal(heard[0], heard[2])
    assert not np.allclose(heard[0], heard[1]) and not np.allclose(heard[0], heard[3])


async def test_the_default_voice_can_be_chosen(folder: Path, clips: list[Audio]) -> None:
    codes = list(range(20))
    heard = []
    for own in (None, ClipVoice(clips[1], id="own")):
        speech = SpeechDecoder.load(folder, device="cpu", own_voice=own)
        model = StepAudio2.load(folder, device="cpu", dtype="float32", speech=speech)
        dictate(model, folder, codes, codes)
        heard.append(sound(await answer(model)).samples)
        if own is not None:
            asked_for = sound(await answer(model, voice=ClipVoice(clips[1], id="same"))).samples
            assert np.array_equal(heard[-1], asked_for)
        await model.aclose()
    assert not np.allclose(heard[0], heard[1])


def test_a_library_keeps_the_prompts_of_its_voices_until_they_are_revoked(folder: Path, tmp_path: Path) -> None:
    library = VoiceLibrary.create(tmp_path / "voices")
    consent = Consent(basis="synthetic", holder="nobody", scope=("synthesis",))
    clip = demo_voices().get("ruby").clip
    library.add(clip, id="ruby", name="Ruby", description="", licence="CC0-1.0", consent=consent)
    decoder = SpeechDecoder.load(folder, device="cpu")
    made = decoder.prepare(library.get("ruby"))
    (kept,) = library.prompts
    assert (kept.model, kept.version) == ("step-audio-2-token2wav", made.made_by)
    assert SpeechDecoder.load(folder, device="cpu").prepare(library.get("ruby")) == made
    voice = library.get("ruby")
    library.revoke("ruby")
    assert list(library.prompts) == []
    with pytest.raises(ConsentError, match="'ruby' may not be spoken in: it was revoked"):
        decoder.prepare(voice)


async def test_a_written_answer_makes_no_sound(model: StepAudio2) -> None:
    deltas = await answer(model, options=GenerateOptions(speak=False, max_tokens=12))
    assert not [delta for delta in deltas if isinstance(delta, AudioDelta)]


async def test_a_voice_that_cannot_be_spoken_in_is_refused_at_once(model: StepAudio2) -> None:
    silence = ClipVoice(Audio(np.zeros(48_000, np.float32), 16_000), id="nobody")
    heard = []
    with pytest.raises(VoiceError, match="nobody"):
        async for delta in model.generate(asked(), voice=silence, options=GenerateOptions(max_tokens=1500)):
            heard.append(delta)
    assert len(heard) < 500, "not after the whole answer"


async def test_breaking_off_ends_the_voice_too(model: StepAudio2) -> None:
    async with contextlib.aclosing(model.generate(asked(), options=GenerateOptions(max_tokens=2000))) as deltas:
        async for delta in deltas:
            if isinstance(delta, TokensDelta | AudioDelta):
                break
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("step-audio-2-voice")]


async def test_a_folder_without_a_speech_decoder_is_mute(folder: Path, tmp_path: Path) -> None:
    mute = tmp_path / "mute"
    shutil.copytree(folder, mute)
    shutil.rmtree(mute / "token2wav")
    model = StepAudio2.load(mute, device="cpu", dtype="float32")
    assert model.capabilities.voices == "none"
    dictate(model, mute, [1, 2, 3])
    deltas = await answer(model)
    assert [delta for delta in deltas if isinstance(delta, TokensDelta)]
    assert not [delta for delta in deltas if isinstance(delta, AudioDelta)]
    await model.aclose()


async def test_closing_frees_the_weights_and_all_threads(folder: Path) -> None:
    model = StepAudio2.load(folder, device="cpu", dtype="float32")
    weights, kept = weakref.ref(network(model)), model._kept
    deltas = model.generate(asked(), options=GenerateOptions(max_tokens=2000))
    await anext(deltas)
    await model.aclose()
    with pytest.raises(BackendError, match="was closed while it was generating"):
        async for _ in deltas:
            pass
    assert len(kept) == 0
    gc.collect()
    assert weights() is None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("step-audio-2")]


@pytest.mark.parametrize("name", ["flow.pt", "campplus.onnx"])
def test_a_missing_file_of_the_decoder_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "token2wav" / name).unlink()
    with pytest.raises(BackendError, match=name):
        StepAudio2.load(broken, device="cpu")


async def test_the_agent_answers_in_a_retrieved_voice(model: StepAudio2, folder: Path) -> None:
    """A tool call for a voice, then an answer whose sound is in it."""
    vocabulary = BpeVocabulary.load(str(folder / "tokenizer.json"))
    call = [IDS.tool_call, *vocabulary.encode('function\ntimbre_rag\n{"query": "Angus"}'), IDS.tool_call_end]
    codes = [(37 * k) % 6561 for k in range(20)]
    write(model, [IDS.tts_end, *call, IDS.eot, *spoken(folder, codes), *spoken(folder, codes)])
    reply = await Agent(model, tools=["audio_search"], voices="demo").run("speak like Angus")
    assert reply.voice is not None and reply.voice.id == "angus"
    assert reply.audio is not None and len(reply.audio) == SAMPLES_PER_TOKEN * len(codes)
    in_that_voice = sound(await answer(model, voice=demo_voices().get("angus")))
    assert np.array_equal(in_that_voice.samples, reply.audio.samples)


def test_what_is_made_of_the_own_voice_is_kept_on_disk(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path))
    made = SpeechDecoder(folder / "token2wav", device="cpu").prepare()
    again = SpeechDecoder(folder / "token2wav", device="cpu")

    def refuse(_: object) -> None:
        raise AssertionError("it was made before")

    monkeypatch.setattr(again._maker, "make", refuse)
    assert again.prepare() == made
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1
