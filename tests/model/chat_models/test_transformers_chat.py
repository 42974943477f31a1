"""Language models of transformers as chat models, with tiny random checkpoints of the real classes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.chats import asked, deltas, words
from support.llm_tiny import CONTEXT, INST, TURNS, language_model
from support.qwen_tiny import Script

from agentaudio.conversation import ToolSpec
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.speech_lm import CallDelta, End
from agentaudio.testing import Answer

torch = pytest.importorskip("torch", reason="torch is installed by make test-local")

from agentaudio.model.chat_models.local_chat import LocalChat  # noqa: E402
from agentaudio.model.chat_models.transformers_chat import load  # noqa: E402

RING = ToolSpec("ring", "Ring the bell.", {
    "type": "object", "properties": {"times": {"type": "integer"}}, "required": ["times"],
    "additionalProperties": False,
})  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_model(tmp_path_factory.mktemp("llama"))


@pytest.fixture
async def chat(folder: Path) -> AsyncIterator[LocalChat]:
    model = load(str(folder), max_tokens=60)
    yield model
    await model.aclose()


async def test_random_weights_answer_and_the_seed_decides(chat: LocalChat) -> None:
    first = await deltas(chat, seed=5, temperature=1.0, max_tokens=12)
    assert words(first) == words(await deltas(chat, seed=5, temperature=1.0, max_tokens=12))
    assert words(first) != words(await deltas(chat, seed=6, temperature=1.0, max_tokens=12))
    assert words(first) != words(await deltas(chat, asked("goodbye"), seed=5, temperature=1.0, max_tokens=12))
    end = first[-1]
    assert isinstance(end, End) and 0 < end.usage["output_tokens"] <= 12 < end.usage["input_tokens"]


async def test_greedy_answers_equal_those_of_transformers(folder: Path, chat: LocalChat) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModelForCausalLM.from_pretrained(folder)
    given = tokenizer.apply_chat_template(
        [{"role": "user", "content": "hello"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    made = network.generate(**given, max_new_tokens=20, do_sample=False)[0, given["input_ids"].shape[1] :]
    text = tokenizer.decode(made, skip_special_tokens=True)
    assert words(await deltas(chat, temperature=0, max_tokens=20)).removesuffix("\ufffd") == text.removesuffix("\ufffd")


async def test_calls_that_do_not_fit_the_schema_become_a_problem_for_the_model(chat: LocalChat) -> None:
    script = Script(chat._weights)
    script.next(Answer("Now.", calls=[("ring", {"times": 2}), ("ring", {"often": 2}), ("ring", {})]))
    found = await deltas(chat, asked(), RING, max_tokens=400)
    calls = [one for one in found if isinstance(one, CallDelta)]
    assert [(one.call.arguments, bool(one.problem)) for one in calls] == [
        ({"times": 2}, False), ({"often": 2}, True), ({}, True),
    ]  # fmt: skip
    assert words(found).strip() == "Now." and found[-1].reason == "tool_calls"  # type: ignore[union-attr]
    script.next(Answer('<tool_call>\n{"name": "ring", "arguments": {times: 2,}}\n</tool_call>'))
    found = await deltas(chat, asked("again"), RING, max_tokens=400)
    assert [one.call.arguments for one in found if isinstance(one, CallDelta)] == [{"times": 2}]


async def test_calls_behind_a_special_token_are_found(tmp_path: Path) -> None:
    model = load(str(language_model(tmp_path, INST, kind="Mistral")), max_tokens=100)
    script = Script(model._weights)
    script.next(Answer('[TOOL_CALLS][{"name": "ring", "arguments": {"times": 3}}]'))
    found = await deltas(model, asked(), RING)
    assert [one.call.arguments for one in found if isinstance(one, CallDelta)] == [{"times": 3}] and not words(found)
    await model.aclose()


async def test_the_token_behind_an_answer_ends_it_although_the_checkpoint_names_another(tmp_path: Path) -> None:
    model = load(str(language_model(tmp_path, TURNS, kind="Gemma2")), max_tokens=50)
    assert not model.calls_tools
    script = Script(model._weights)
    script.next(Answer("Good day.<end_of_turn>never said"))
    found = await deltas(model)
    assert words(found) == "Good day." and found[-1].reason == "stop"  # type: ignore[union-attr]
    await model.aclose()


@pytest.mark.parametrize("thinks", [False, True])
async def test_thoughts_are_not_part_of_the_answer(folder: Path, thinks: bool) -> None:
    model = load(str(folder), thinks=thinks)
    script = Script(model._weights)
    script.next(Answer(("" if thinks else "<think>\n") + "A greeting.</think>\n\nHello."))
    assert words(await deltas(model)) == "Hello."
    assert model._weights is not None and ("<think>" in model._weights.decode(script.prompts[0])) == thinks
    await model.aclose()


async def test_stop_strings_end_an_answer(chat: LocalChat) -> None:
    script = Script(chat._weights)
    script.next(Answer("One two three."))
    found = await deltas(chat, stop=("o th",))
    assert words(found) == "One tw" and found[-1].reason == "stop"  # type: ignore[union-attr]
    with pytest.raises(OptionError, match="none of the strings may be empty"):
        await deltas(chat, stop=("",))


async def test_the_event_loop_goes_on_while_tokens_are_generated(chat: LocalChat) -> None:
    script = Script(chat._weights)
    script.next(Answer("One", stalls=True))
    gaps, last = [], time.monotonic()

    async def tick() -> None:
        nonlocal last
        while True:
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

    ticking = asyncio.ensure_future(tick())
    await deltas(chat, max_tokens=40)
    ticking.cancel()
    assert len(gaps) > 10


async def test_a_cancelled_answer_stops_while_its_prompt_is_read(chat: LocalChat) -> None:
    network: Any = chat._weights
    passes = []

    def slow(module: Any, inputs: Any) -> None:
        passes.append(time.monotonic())
        time.sleep(0.3)

    hook = network.writer.model.layers[0].register_forward_pre_hook(slow)
    second = network.writer.model.layers[1].register_forward_pre_hook(slow)
    answer = asyncio.ensure_future(deltas(chat))
    while not passes:
        await asyncio.sleep(0.01)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    hook.remove()
    second.remove()
    assert len(passes) == 1  # the second layer was not begun
    assert isinstance((await deltas(chat, max_tokens=1))[-1], End)


async def test_a_conversation_that_does_not_fit_is_refused(folder: Path, chat: LocalChat) -> None:
    with pytest.raises(BackendError, match=f"context of .* has {CONTEXT}; begin a new session"):
        await deltas(chat, asked("x" * CONTEXT))
    short = load(str(folder), context=60)
    with pytest.raises(BackendError, match="has 60; begin"):
        await deltas(short, asked("x" * 60))
    found = await deltas(short, asked("x"), temperature=0)
    end = found[-1]
    assert isinstance(end, End) and end.usage["input_tokens"] + end.usage["output_tokens"] <= 60
    await short.aclose()


async def test_closing_the_model_stops_running_and_waiting_answers(folder: Path) -> None:
    model = load(str(folder))
    script = Script(model._weights)
    script.next(Answer("One", stalls=True))
    running = model.chat(asked())
    async with contextlib.aclosing(running):
        await anext(running)
        waiting = asyncio.ensure_future(deltas(model))
        await asyncio.sleep(0.05)
        await model.aclose()
        with pytest.raises(BackendError, match="closed while it was generating"):
            async for _ in running:
                pass
    with pytest.raises(BackendError, match="closed"):
        await waiting
    with pytest.raises(BackendError, match="was closed; load it again"):
        await deltas(model)


def test_a_folder_that_is_no_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="needs a checkpoint: write transformers:"):
        load(None)
    with pytest.raises(BackendError, match="no folder .*nowhere; give a checkpoint's folder or a hub id"):
        load(str(tmp_path / "nowhere"))
    with pytest.raises(OptionError, match="context is 0; give a number above 0"):
        load(str(folder), context=0)
    pickled = tmp_path / "pickled"
    shutil.copytree(folder, pickled)
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(BackendError, match="holds no weights as safetensors"):
        load(str(pickled))
    with pytest.raises(BackendError, match="has no chat template.*take the instruct version"):
        load(str(language_model(tmp_path / "base", None)))


def test_code_of_a_checkpoint_never_runs(folder: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    shutil.copytree(folder, foreign)
    config = json.loads((foreign / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}}
    (foreign / "config.json").write_text(json.dumps(config))
    (foreign / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: ...\n")
    with pytest.raises(BackendError, match="needs code of its own, which is never run"):
        load(str(foreign))
    assert not (tmp_path / "ran").exists()
