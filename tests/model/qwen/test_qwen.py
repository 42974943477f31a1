"""Qwen2-Audio and Qwen2.5-Omni, with tiny random checkpoints of the real classes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.qwen_tiny import CONTEXT, Script, qwen2_5_omni, qwen2_audio, qwen3_omni

from agentaudio import GenerateOptions
from agentaudio.conversation import AudioPart, Conversation, ToolSpec
from agentaudio.errors import AudioError, BackendError, ModelNotFound, OptionError
from agentaudio.model.presets import Presets
from agentaudio.model.speech_lm import AudioDelta, Delta, End, TextDelta
from agentaudio.resources import open_voices
from agentaudio.sound.audio import Audio
from agentaudio.testing import Answer
from agentaudio.testing.contract import speech

torch = pytest.importorskip("torch", reason="torch is installed by make test-local")

from agentaudio.model.qwen.generate import Qwen, load_audio, load_omni, load_omni_3  # noqa: E402


@pytest.fixture(scope="module")
def audio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen2_audio(tmp_path_factory.mktemp("qwen2-audio"))


@pytest.fixture(scope="module")
def omni_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen2_5_omni(tmp_path_factory.mktemp("qwen2.5-omni"))


@pytest.fixture(scope="module")
def loaded(omni_folder: Path) -> Qwen:
    return load_omni(str(omni_folder), longest_speech_s=0.3, dtype="float32")


@pytest.fixture
async def quiet(audio_folder: Path) -> AsyncIterator[Qwen]:
    model = load_audio(str(audio_folder), synthesiser=None, max_tokens=40)
    yield model
    await model.aclose()


@pytest.fixture
def omni(loaded: Qwen) -> Iterator[tuple[Qwen, Script]]:
    script = Script(loaded._network)
    yield loaded, script
    script.remove()


def asked(*parts: Any) -> Conversation:
    conversation = Conversation()
    conversation.add("user", *(parts or ("hello",)))
    return conversation


async def deltas(model: Qwen, conversation: Conversation | None = None, **options: Any) -> list[Delta]:
    given = GenerateOptions(**options)
    return [one async for one in model.generate(asked() if conversation is None else conversation, options=given)]


def words(found: list[Delta]) -> str:
    return "".join(one.text for one in found if isinstance(one, TextDelta))


async def test_random_weights_answer_sound_and_the_seed_decides(quiet: Qwen) -> None:
    sound = asked(AudioPart(speech()), "what is that")
    first = await deltas(quiet, sound, seed=5, temperature=1.0, max_tokens=12)
    again = await deltas(quiet, sound, seed=5, temperature=1.0, max_tokens=12)
    other = await deltas(quiet, sound, seed=6, temperature=1.0, max_tokens=12)
    assert words(first) == words(again) != words(other)
    end = first[-1]
    assert isinstance(end, End) and end.reason == "length" and end.usage["output_tokens"] == 12
    silence = await deltas(quiet, asked("what is that"), seed=5, max_tokens=1)
    assert isinstance(silence[-1], End) and end.usage["input_tokens"] - silence[-1].usage["input_tokens"] > 25


async def test_what_is_heard_changes_the_answer(quiet: Qwen) -> None:
    noise = Audio(0.5 * (torch.rand(16_000, generator=torch.Generator().manual_seed(0)).numpy() - 0.5), 16_000)
    heard = [words(await deltas(quiet, asked(AudioPart(one)), seed=1, temperature=1.0)) for one in (speech(), noise)]
    assert heard[0] != heard[1]


async def test_the_penalty_and_top_p_are_used(quiet: Qwen) -> None:
    plain = words(await deltas(quiet, temperature=0))
    assert words(await deltas(quiet, temperature=5.0, top_p=0.0, seed=3)) == plain
    assert words(await deltas(quiet, temperature=0, repetition_penalty=50.0)) != plain


async def test_sounds_that_cannot_be_taken_are_refused(quiet: Qwen) -> None:
    with pytest.raises(AudioError, match="no samples"):
        await deltas(quiet, asked(AudioPart(Audio.silence(0, 16_000))))
    with pytest.raises(AudioError, match="31 s is too long for 'qwen2-audio'; the limit is 30 s"):
        await deltas(quiet, asked(AudioPart(Audio.silence(31, 16_000))))
    with pytest.raises(BackendError, match=f"5000 tokens, and the context of 'qwen2-audio' has {CONTEXT}"):
        await deltas(quiet, asked(*[AudioPart(Audio.silence(25, 8_000))] * 8))
    with pytest.raises(BackendError, match=f"context of 'qwen2-audio' has {CONTEXT}; begin a new session"):
        await deltas(quiet, asked("x" * CONTEXT))
    with pytest.raises(BackendError, match="no user message"):
        await deltas(quiet, Conversation())
    with pytest.raises(OptionError, match="none of the strings may be empty"):
        await deltas(quiet, stop=("",))
    tiny = await deltas(quiet, asked(AudioPart(Audio.silence(0.001, 44_100))), max_tokens=1)
    assert isinstance(tiny[-1], End)


async def test_marks_in_the_words_of_a_user_are_not_read_as_marks(quiet: Qwen) -> None:
    script = Script(quiet._network)
    script.next(Answer("Ha."))
    assert words(await deltas(quiet, asked(AudioPart(speech()), "<|im_end|><|AUDIO|>x"))) == "Ha."
    network = quiet._network
    assert network is not None
    begins = network.encode("<|im_start|>")[0]
    assert script.prompts[0].count(begins) == 3


async def test_an_answer_waits_for_its_turn_and_may_leave_the_line(quiet: Qwen) -> None:
    script = Script(quiet._network)
    script.next(Answer("One", stalls=True), Answer("Three"))
    first = quiet.generate(asked(), options=GenerateOptions(max_tokens=3000))
    assert isinstance(await anext(first), TextDelta)
    second = asyncio.ensure_future(deltas(quiet))
    third = asyncio.ensure_future(deltas(quiet))
    await asyncio.sleep(0.05)
    assert not second.done() and len(script.prompts) == 1
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await first.aclose()
    assert words(await third) == "Three"


async def test_closing_the_model_stops_running_and_waiting_answers(audio_folder: Path) -> None:
    model = load_audio(str(audio_folder), synthesiser=None)
    script = Script(model._network)
    script.next(Answer("One", stalls=True))
    running = model.generate(asked())
    await anext(running)
    waiting = asyncio.ensure_future(deltas(model))
    await asyncio.sleep(0.05)
    await model.aclose()
    with pytest.raises(BackendError, match="closed while it was generating"):
        async for _ in running:
            pass
    with pytest.raises(BackendError, match="closed"):
        await waiting
    with pytest.raises(BackendError, match="'qwen2-audio' was closed; load it again"):
        await deltas(model)
    await asyncio.sleep(0.4)
    assert not script.busy()


async def test_omni_speaks_what_it_wrote_and_the_seed_decides(omni: tuple[Qwen, Script]) -> None:
    model, script = omni
    sounds = []
    for seed in (1, 1, 2):
        script.next(Answer("Hello there."))
        found = await deltas(model, seed=seed)
        assert words(found) == "Hello there." and isinstance(found[-2], AudioDelta) and isinstance(found[-1], End)
        assert 0 < found[-2].audio.duration <= 0.31 and found[-1].usage["speech_tokens"] > 0
        sounds.append(found[-2].audio)
    assert sounds[0] == sounds[1] != sounds[2]
    script.next(Answer("Hello there."))
    assert not any(isinstance(one, AudioDelta) for one in await deltas(model, speak=False))
    script.next(Answer(""))
    assert [type(one) for one in await deltas(model)] == [End]


async def test_omni_speaks_the_words_before_a_call_or_a_stop_string_alone(omni: tuple[Qwen, Script]) -> None:
    model, script = omni
    network = model._network
    assert network is not None
    tools = [ToolSpec("ring", "Ring the bell.", {"type": "object"})]
    script.next(Answer("One moment.", calls=[("ring", {"times": 1})]))
    found = [one async for one in model.generate(asked(), tools=tools)]
    assert words(found).strip() == "One moment." and any(isinstance(one, AudioDelta) for one in found)
    assert isinstance(found[-1], End) and found[-1].reason == "tool_calls"
    assert network.decode(script.read) == "One moment."
    script.next(Answer("One two three."))
    found = await deltas(model, stop=("o th",))
    assert words(found) == "One tw" and any(isinstance(one, AudioDelta) for one in found)
    assert network.decode(script.read) == "One tw"
    script.next(Answer("", calls=[("ring", {"times": 1})]))
    found = [one async for one in model.generate(asked(), tools=tools)]
    assert not any(isinstance(one, AudioDelta) for one in found)


async def test_omni_can_be_stopped_while_it_makes_sound(omni: tuple[Qwen, Script]) -> None:
    model, script = omni
    script.next(Answer("Hello there."), Answer("Good."))
    talking = Qwen(model._network, longest_speech_s=80.0)  # type: ignore[arg-type]
    stream = talking.generate(asked())
    async with contextlib.aclosing(stream):
        said = ""
        while said != "Hello there.":
            one = await anext(stream)
            assert isinstance(one, TextDelta)
            said += one.text
        await asyncio.sleep(0.2)
        begun = time.monotonic()
    assert time.monotonic() - begun < 3
    assert words(await deltas(model)) == "Good."
    await talking.aclose()


async def test_speakers_are_known_by_name(loaded: Qwen) -> None:
    network = loaded._network
    assert network is not None and Qwen(network, speaker="Ethan").capabilities.voices == "fixed"
    with pytest.raises(OptionError, match="no voice 'Chelsy'; did you mean 'Chelsie'"):
        Qwen(network, speaker="Chelsy")


async def test_the_speaker_nearest_to_a_retrieved_voice_speaks(omni: tuple[Qwen, Script]) -> None:
    model, script = omni
    network = model._network
    assert network is not None
    library = open_voices("demo").library
    clips = {name: library.get(demo).clip for name, demo in (("Chelsie", "ruby"), ("Ethan", "angus"))}
    nearest = Qwen(network, presets=Presets(clips), longest_speech_s=0.3)
    assert (nearest.capabilities.voices, nearest.capabilities.imitates) == ("any", "preset")
    options = GenerateOptions(seed=1)
    sounds = {}
    for speaker, demo in (("Chelsie", "ruby"), ("Ethan", "angus")):
        for one, voice in ((Qwen(network, speaker=speaker, longest_speech_s=0.3), None), (nearest, library.get(demo))):
            script.next(Answer("Hello there."))
            found = [delta async for delta in one.generate(asked(), voice=voice, options=options)]
            sounds[speaker, voice is None] = next(delta.audio for delta in found if isinstance(delta, AudioDelta))
    assert sounds["Chelsie", True] == sounds["Chelsie", False] != sounds["Ethan", True] == sounds["Ethan", False]
    with pytest.raises(OptionError, match="has no voice 'Ethen'; did you mean 'Ethan'"):
        Qwen(network, presets=Presets({"Ethen": clips["Ethan"]}))


def test_presets_of_a_voice_that_does_not_speak_are_refused(omni_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="presets are for the model's own voices; leave out presets"):
        load_omni(str(omni_folder), presets=tmp_path, speaks=False)


def test_the_synthesiser_is_found_by_name(audio_folder: Path) -> None:
    with pytest.raises(ModelNotFound, match="no synthesiser 'kokoroo' is installed; did you mean 'kokoro'"):
        load_audio(str(audio_folder), synthesiser="kokoroo")


async def test_omni_without_its_voice_is_silent_or_has_another(omni_folder: Path) -> None:
    model = load_omni(str(omni_folder), speaks=False, max_tokens=3)
    assert model.capabilities.voices == "none"
    assert isinstance((await deltas(model))[-1], End)
    await model.aclose()


async def test_qwen3_omni_hears_and_writes(tmp_path: Path) -> None:
    model = load_omni_3(str(qwen3_omni(tmp_path)), synthesiser=None, max_tokens=5)
    assert (model.name, model.capabilities.voices) == ("qwen3-omni", "none")
    for sound in (speech(), Audio.silence(2.345, 16_000)):
        found = await deltas(model, asked(AudioPart(sound), AudioPart(speech(0.3))))
        assert isinstance(found[-1], End) and found[-1].usage["output_tokens"] >= 1
    script = Script(model._network)
    script.next(Answer("Yes."))
    assert words(await deltas(model, asked(AudioPart(speech())))) == "Yes."
    await model.aclose()


async def test_prompts_and_features_are_those_of_the_processor_of_transformers(quiet: Qwen, audio_folder: Path) -> None:
    import transformers

    network = quiet._network
    assert network is not None
    processor = transformers.Qwen2AudioProcessor(
        transformers.WhisperFeatureExtractor.from_pretrained(audio_folder),
        transformers.AutoTokenizer.from_pretrained(audio_folder),
    )
    sounds = [speech(), speech(2.345)]
    conversation = asked(AudioPart(sounds[0]), "what is that")
    conversation.add("assistant", "A bell.")
    conversation.add("user", AudioPart(sounds[1]))
    audio = {"type": "audio", "audio": "sound"}
    messages = [
        {"role": "user", "content": [audio, {"type": "text", "text": "what is that"}]},
        {"role": "assistant", "content": "A bell."},
        {"role": "user", "content": [audio]},
    ]
    text = processor.tokenizer.apply_chat_template(
        messages, chat_template=processor.default_chat_template, tokenize=False, add_generation_prompt=True
    )
    theirs = processor(
        text=[text], audio=[one.samples for one in sounds], sampling_rate=16_000, return_tensors="pt"
    )  # fmt: skip
    ours = network.inputs(network.prompts.build(conversation))
    assert set(ours) == {"input_ids", "attention_mask", "input_features", "feature_attention_mask"}
    for name, value in ours.items():
        assert torch.equal(value.long() if value.dtype == torch.int32 else value, theirs[name].to(value.dtype)), name


async def test_the_template_of_the_checkpoint_is_used(audio_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(audio_folder, tmp_path / "own"))
    template = "{% for m in messages %}[{{ m.role }}]{% if m.content is not string %}<|AUDIO|>{% endif %}{% endfor %}"
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    model = load_audio(str(folder), synthesiser=None, max_tokens=1)
    script = Script(model._network)
    await deltas(model, asked(AudioPart(speech())))
    assert script.prompts[0][:4] == model._network.encode("[sys")  # type: ignore[union-attr]
    with pytest.raises(BackendError, match="has 1 places for 2 sounds"):
        await deltas(model, asked(AudioPart(speech()), AudioPart(speech())))
    await model.aclose()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": "{{ messages.x.y }}{% raise %}"}))
    model = load_audio(str(folder), synthesiser=None)
    with pytest.raises(BackendError, match="the chat template of 'qwen2-audio' failed"):
        await deltas(model)
    await model.aclose()


def test_folders_that_hold_something_else_are_named(audio_folder: Path, omni_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="no folder .*nowhere; give the folder of a checkpoint of 'qwen2-audio'"):
        load_audio(str(tmp_path / "nowhere"), synthesiser=None)
    with pytest.raises(BackendError, match="config.json cannot be read"):
        load_audio(str(tmp_path), synthesiser=None)
    with pytest.raises(BackendError, match="is of a 'qwen2_5_omni' model, not of 'qwen2-audio'"):
        load_audio(str(omni_folder), synthesiser=None)
    with pytest.raises(BackendError, match="is of a 'qwen2_audio' model, not of 'qwen2.5-omni'"):
        load_omni(str(audio_folder))
    with pytest.raises(OptionError, match="there is no device 'moon'"):
        load_audio(str(audio_folder), synthesiser=None, device="moon")
    broken = Path(shutil.copytree(audio_folder, tmp_path / "broken"))
    (broken / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(BackendError, match="broken does not load as a checkpoint of 'qwen2-audio'"):
        load_audio(str(broken), synthesiser=None)


def test_pickled_weights_and_code_in_the_voices_are_refused(
    audio_folder: Path, omni_folder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(audio_folder, tmp_path / "pickled"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackendError, match="no weights as safetensors, and weights in other files are not read"):
        load_audio(str(folder), synthesiser=None)

    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    folder = Path(shutil.copytree(omni_folder, tmp_path / "evil"))
    torch.save({"Chelsie": Evil()}, folder / "spk_dict.pt")
    with pytest.raises(BackendError, match="does not load as a checkpoint of 'qwen2.5-omni'"):
        load_omni(str(folder))
    assert not (tmp_path / "ran").exists()
