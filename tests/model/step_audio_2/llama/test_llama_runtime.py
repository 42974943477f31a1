"""Step-Audio 2 by llama.cpp: the ids of the native model, several turns and answers, and an end at once."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")
llama_cpp = pytest.importorskip("llama_cpp", reason="installed by make test-native")
pytest.importorskip("gguf", reason="installed by make test-native")

from support.step_audio_2_answers import answer, asked, codes, ending, noise  # noqa: E402
from support.step_audio_2_ids import conversations, gaps, generated  # noqa: E402

from agentaudio.cli import main  # noqa: E402
from agentaudio.conversation import Conversation  # noqa: E402
from agentaudio.errors import BackendError  # noqa: E402
from agentaudio.model.speech_lm import AudioDelta, GenerateOptions  # noqa: E402
from agentaudio.model.step_audio_2.generate import StepAudio2, load  # noqa: E402
from agentaudio.model.step_audio_2.llama.context import Context  # noqa: E402
from agentaudio.model.step_audio_2.llama.convert import FILE_TYPES, write_gguf  # noqa: E402
from agentaudio.model.step_audio_2.llama.precision import WeightType, planned  # noqa: E402
from agentaudio.model.step_audio_2.llama.weights import KEPT_STATES, LlamaWeights  # noqa: E402
from agentaudio.model.step_audio_2.network.checkpoint import read_config, weight_shapes  # noqa: E402

THREAD = "step-audio-2"


def by_llama(folder: Path, weights: WeightType = "f32", **options: Any) -> StepAudio2:
    options = {"dtype": "float32", "threads": 1, "context": 2048, **options}
    return load(str(folder), runtime="llama.cpp", weights=weights, device="cpu", **options)


@pytest.fixture(scope="module")
async def expected(sure: Path) -> dict[str, list[int]]:
    """What the native model says in 32 bits, to each conversation."""
    native = StepAudio2.load(sure, device="cpu", dtype="float32")
    found = {name: await generated(native, *given) for name, given in conversations().items()}
    await native.aclose()
    return found


@pytest.fixture
async def llama(sure: Path) -> AsyncIterator[StepAudio2]:
    model = by_llama(sure)
    yield model
    await model.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(THREAD)]


def runtime(model: StepAudio2) -> LlamaWeights:
    weights = model._weights
    assert isinstance(weights, LlamaWeights)
    return weights


async def test_greedy_ids_are_those_of_the_native_model(llama: StepAudio2, expected: dict[str, list[int]]) -> None:
    assert {name: await generated(llama, *given) for name, given in conversations().items()} == expected
    assert all(len(set(ids)) > 5 for ids in expected.values())


@pytest.mark.parametrize(("weights", "rounding"), [("f16", 0.05 / 8), ("bf16", 0.05)])
async def test_in_16_bits_greedy_ids_are_those_of_the_native_model_too(
    folder: Path, weights: WeightType, rounding: float
) -> None:
    """Each id is the native model's best one. Some processors round what the weights are multiplied with to 16 bits,
    too, others compute in 32; so a token may win whose logit is lower by less than that rounding, which is eight times
    finer in float16."""
    native = StepAudio2.load(folder, device="cpu", dtype="float32")
    model = by_llama(folder, weights)
    found: list[float] = []
    for talk, tools in conversations().values():
        ids = await generated(model, talk, tools, repetition_penalty=1.0)
        found += await gaps(native, talk, tools, ids)
    await model.aclose()
    await native.aclose()
    assert len(found) > 100 and max(found) <= rounding
    assert found.count(0.0) / len(found) > 0.95


@pytest.mark.parametrize("weights", ["q8_0", "q4_k_m"])
async def test_fewer_bits_run_too(sure: Path, weights: WeightType) -> None:
    model = by_llama(sure, weights)
    assert model._open().decoding == f"llama.cpp, {weights}, 1 conversation at a time"
    for given in conversations().values():
        assert await generated(model, *given)
    await model.aclose()


async def test_the_samplers_are_those_of_the_native_model(sure: Path, llama: StepAudio2) -> None:
    native = StepAudio2.load(sure, device="cpu", dtype="float32")
    given = conversations()["spoken history"]
    options: dict[str, Any] = {"temperature": 0.8, "top_p": 0.9, "repetition_penalty": 1.2}
    for seed in range(3):
        assert await generated(llama, *given, seed=seed, **options) == await generated(
            native, *given, seed=seed, **options
        )
    await native.aclose()


@pytest.mark.parametrize("weights", ["q8_0", "q4_k_m"])
def test_quantised_files_are_those_of_llama_cpp(tmp_path: Path, weights: WeightType) -> None:
    """Rows are whole blocks of 256 here, and there are enough layers for each kind."""
    from agentaudio.model.step_audio_2.init_tiny import init_tiny

    text = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "vocab_size": 158_720}
    folder = init_tiny(tmp_path / "wide", text=text)
    paths = {}
    for name in ("f32", weights):
        paths[name] = tmp_path / f"{name}.gguf"
        tensors = planned(weight_shapes(folder), 4, name)
        write_gguf(paths[name], folder, read_config(folder), tensors, name, threads=2)
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.nthread = FILE_TYPES[weights], 1
    theirs = tmp_path / "theirs.gguf"
    llama_cpp._logger.set_verbose(False)
    failed = llama_cpp.llama_model_quantize(str(paths["f32"]).encode(), str(theirs).encode(), ctypes.byref(options))
    assert not failed
    import gguf

    ours = {tensor.name: tensor for tensor in gguf.GGUFReader(paths[weights]).tensors}
    for tensor in gguf.GGUFReader(theirs).tensors:
        assert tensor.tensor_type == ours[tensor.name].tensor_type, tensor.name
        assert np.array_equal(tensor.data, ours.pop(tensor.name).data)
    assert not ours


async def test_a_turn_reads_only_what_is_new(llama: StepAudio2) -> None:
    talk = asked("hello", noise(5))
    first = ending(await answer(llama, talk))
    assert first.usage["cached_tokens"] == 0 < first.usage["input_audio_tokens"]
    again = ending(await answer(llama, talk))
    assert again.usage["cached_tokens"] == again.usage["input_tokens"] - 1
    fresh = await generated(llama, talk)
    llama._kept.clear()
    assert await generated(llama, talk) == fresh


async def test_states_make_room_for_answers_and_are_read_again(sure: Path) -> None:
    model = by_llama(sure, context=1024)
    talks = [asked("x" * 600 + str(number)) for number in range(4)]
    alone = [await generated(model, talk, max_tokens=6) for talk in talks]
    # Each takes most of the cells; the one before makes room.
    assert len(model._kept) <= runtime(model).llama.positions == 1024
    assert [await generated(model, talk, max_tokens=6) for talk in talks] == alone
    for number in range(KEPT_STATES + 5):  # more than there are sequences
        await generated(model, asked(str(number)), max_tokens=2)
    with pytest.raises(BackendError, match="the model's limit is 1,024"):
        await generated(model, asked("x" * 1100))
    await model.aclose()


async def test_several_answers_decode_together(sure: Path, expected: dict[str, list[int]]) -> None:
    model = by_llama(sure, max_rows=3)
    given = conversations()
    found = await asyncio.gather(*(generated(model, *one) for one in given.values()))
    assert dict(zip(given, found, strict=True)) == expected
    assert runtime(model)._seats == model.capabilities.at_once == 3
    await model.aclose()


async def test_one_waits_for_the_other_and_may_give_up(llama: StepAudio2) -> None:
    first = llama.generate(asked("a"), options=GenerateOptions(temperature=0.0, max_tokens=1000))
    await anext(first)
    second = asyncio.create_task(answer(llama, asked("b")))
    await asyncio.sleep(0.2)
    assert not second.done() and not runtime(llama)._seats
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert not runtime(llama)._seats, "the first still has its seat"
    await first.aclose()
    assert runtime(llama)._seats == 1
    assert ending(await answer(llama, asked("b")))


async def test_reading_a_prompt_is_broken_off_at_once(sure: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = by_llama(sure, context=4096)
    entered, flags = threading.Event(), []
    read = Context.read

    def observed(self: Context, *arguments: Any, **options: Any) -> Any:
        flags.append(options["flag"])
        entered.set()
        while not options["flag"].text.value:  # a pass that takes longer than anybody waits
            time.sleep(0.01)
        return read(self, *arguments, **options)

    with monkeypatch.context() as context:
        context.setattr(Context, "read", observed)
        task = asyncio.create_task(answer(model, asked("y" * 3000)))
        await asyncio.to_thread(entered.wait)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert len(flags) == 1  # the pass saw the flag and none followed
    alone = await generated(model, asked("z"))
    assert alone == await generated(model, asked("z"))
    await model.aclose()


async def test_the_event_loop_goes_on_meanwhile(llama: StepAudio2) -> None:
    longest, last, going = 0.0, time.monotonic(), True

    async def tick() -> None:
        nonlocal longest, last
        while going:
            await asyncio.sleep(0)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()

    ticking = asyncio.create_task(tick())
    assert await generated(llama, asked("hello", noise(6, 3.0)))
    going = False
    await ticking
    assert longest < 1.0


async def test_sound_comes_out(sure: Path) -> None:
    model = by_llama(sure, max_tokens=60)
    talk = Conversation()
    talk.add("user", "Say something.")
    options = GenerateOptions(temperature=1.0, seed=1, max_tokens=60)
    deltas = [delta async for delta in model.generate(talk, options=options)]
    sound = [delta for delta in deltas if isinstance(delta, AudioDelta)]
    assert bool(sound) == bool(codes(deltas))
    assert model.capabilities.voices == "any" and model.capabilities.hears
    assert len(model.speech.synthesize(list(range(30)))) == 30 * 960  # type: ignore[union-attr]
    await model.aclose()


async def test_closing_ends_what_runs_and_frees_everything(sure: Path) -> None:
    model = by_llama(sure)
    running = asyncio.create_task(answer(model, asked("a"), options=GenerateOptions(temperature=0, max_tokens=1500)))
    await asyncio.sleep(0.3)
    llama = runtime(model).llama
    await model.aclose()
    with pytest.raises(BackendError, match="closed"):
        await running
    with pytest.raises(BackendError, match="closed"):
        llama.begin()
    with pytest.raises(BackendError, match="closed"):
        await answer(model, asked("b"))


def test_doctor_proves_checkpoint_and_machine(sure: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = ("runtime=llama.cpp", "weights=q8_0", "device=cpu", "context=2048")
    with pytest.raises(SystemExit) as ended:
        main(
            ["doctor", "--model", f"step-audio-2-mini:{sure}", "--json", *(w for o in options for w in ("--option", o))]
        )
    found = {one["what"]: one["line"] for one in json.loads(capfd.readouterr().out)["findings"]}
    assert ended.value.code == 0
    assert list(found) == ["versions", "files", "headers", "memory", "conversion", "one token", "sound"]
    assert "keys and values" in found["memory"] and "for 2,048 positions" in found["memory"]
    assert "q8_0.gguf" in found["conversion"] and "s of sound" in found["sound"]


def test_a_damaged_file_is_named(sure: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentaudio.model.step_audio_2.llama.store import gguf_path

    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path / "cache"))
    path = gguf_path(sure, "bf16")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF\x03\x00\x00\x00 and no more")
    with pytest.raises(BackendError, match=r"does not load .*bf16\.gguf; .*delete it, and it is made again"):
        by_llama(sure, "bf16")
