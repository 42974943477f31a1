"""Logits and greedy continuations of the whole model against the reference vectors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.step_audio_2_vectors import Tensors, Vectors

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from transformers import DynamicCache  # noqa: E402

from agentaudio.model.step_audio_2.decoding.batching import Answer, DecodeBatch  # noqa: E402
from agentaudio.model.step_audio_2.decoding.buckets import Buckets  # noqa: E402
from agentaudio.model.step_audio_2.decoding.passes import Passes  # noqa: E402
from agentaudio.model.step_audio_2.decoding.prefix_cache import States  # noqa: E402
from agentaudio.model.step_audio_2.decoding.sampling import Samplers  # noqa: E402
from agentaudio.model.step_audio_2.network.config import StepAudio2Config  # noqa: E402
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM  # noqa: E402
from agentaudio.model.step_audio_2.settings import Sampling  # noqa: E402

NAME = "03_llm.safetensors"


@pytest.fixture
def vectors(request: pytest.FixtureRequest) -> Vectors:
    return Vectors.chosen(request.config)


def built(vectors: Vectors, tensors: Tensors) -> Any:
    """The model of the vectors. Of its two vocabulary matrices only some rows are stored; the others are zero."""
    settings = {key: value for key, value in vectors.entry(NAME)["config"].items() if key != "model_type"}
    model = StepAudio2ForCausalLM(StepAudio2Config(**settings)).eval()
    weights = {}
    for key, value in tensors.items():
        if key.startswith("weights/"):
            name, _, rows = key.removeprefix("weights/").partition("#")
            weights[name] = torch.tensor(value)
            if rows:
                whole = torch.zeros(model.state_dict()[name].shape)
                whole[torch.tensor(tensors["active_ids"])] = weights[name]
                weights[name] = whole
    model.load_state_dict(weights)
    model.generation_config.eos_token_id = None
    return model


def cases(tensors: Tensors) -> Iterator[tuple[str, dict[str, Any]]]:
    """The model inputs for each prompt of the vectors."""
    for key in tensors:
        if key.endswith("/input_ids"):
            case = key.removesuffix("/input_ids")
            ids = torch.tensor(tensors[key])
            prompt = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            if f"{case}/mel" in tensors:
                prompt["input_features"] = torch.tensor(tensors[f"{case}/mel"])
                prompt["feature_lengths"] = torch.tensor(tensors[f"{case}/wav_lens"]) + 2
            yield case, prompt


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_logits(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    model, active = built(vectors, tensors), tensors["active_ids"]
    for case, prompt in cases(tensors):
        logits = model(**prompt).logits[0][:, active]
        vectors.check(NAME, f"{case}/logits_active", logits, tensors[f"{case}/logits_active"])


@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_greedy_continuations(vectors: Vectors, cache: str) -> None:
    tensors = vectors.tensors(NAME)
    model, active = built(vectors, tensors), tensors["active_ids"]
    how: dict[str, Any] = {"do_sample": False, "pad_token_id": 151643, "cache_implementation": cache}
    for case, prompt in cases(tensors):
        length = prompt["input_ids"].shape[1]
        new = len(tensors[f"{case}/greedy_ids"])
        said = model.generate(**prompt, **how, max_new_tokens=new, output_logits=True, return_dict_in_generate=True)
        assert said.sequences[0, length:].tolist() == tensors[f"{case}/greedy_ids"].tolist(), case
        steps = torch.cat(said.logits)[:, active]
        vectors.check(NAME, f"{case}/greedy steps", steps, tensors[f"{case}/greedy_step_logits_active"])
        if f"{case}/greedy_eos_ids" in tensors:
            stop = int(tensors[f"{case}/greedy_eos_id"])
            said = model.generate(**prompt, **how, max_new_tokens=new, eos_token_id=stop)
            assert said[0, length:].tolist() == tensors[f"{case}/greedy_eos_ids"].tolist(), case


def test_repetition_penalty(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    model = built(vectors, tensors)
    for case, prompt in cases(tensors):
        for key, expected in tensors.items():
            found = re.fullmatch(rf"{case}/greedy_rp([\d.]+)_ids", key)
            if found:
                said = model.generate(
                    **prompt,
                    do_sample=False,
                    pad_token_id=151643,
                    max_new_tokens=len(expected),
                    repetition_penalty=float(found[1]),
                )
                assert said[0, prompt["input_ids"].shape[1] :].tolist() == expected.tolist(), key


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def decoded(model: Any, batch: DecodeBatch, prompt: dict[str, Any], count: int, penalty: float) -> list[int]:
    """The ids of a greedy answer, as `Generation` makes them."""
    ids = prompt["input_ids"][0].tolist()
    states = States(ids, DynamicCache())
    logits = model(**prompt, past_key_values=states.cache, use_cache=True, logits_to_keep=1).logits[0, -1]
    samplers = Samplers(1, len(logits), model.device)
    samplers.set(0, Sampling(0.0, 1.0, penalty), ids)
    said = [int(samplers.choose(logits[None], torch.tensor([len(ids) - 1])))]
    # `append` returns None, which does not end the answer.
    batch.run(Answer(states, said[0], samplers, count - 1, said.append))  # type: ignore[arg-type]
    return said


@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.parametrize("way", ["alone", "in one batch", "read late", "compiled"])
def test_all_ways_of_decoding_give_the_greedy_ids(vectors: Vectors, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = vectors.tensors(NAME)
    model = built(vectors, tensors)
    wanted: list[tuple[str, dict[str, Any], float, list[int]]] = []
    for case, prompt in cases(tensors):
        wanted.append((f"{case}/greedy_ids", prompt, 1.0, tensors[f"{case}/greedy_ids"].tolist()))
        for key, expected in tensors.items():
            if found := re.fullmatch(rf"{case}/greedy_rp([\d.]+)_ids", key):
                wanted.append((key, prompt, float(found[1]), expected.tolist()))
    rows = 1 if way == "alone" else len(wanted)
    passes = Passes(model, rows)
    if way == "compiled":
        # What the compiler traces, less the code that it generates; benchmarks/decode_counts.py runs that too.
        compile = torch.compile
        monkeypatch.setattr(torch, "compile", lambda step, options, **rest: compile(step, backend="eager", **rest))
        longest = max(prompt["input_ids"].shape[1] + len(ids) for _, prompt, _, ids in wanted)
        passes.prepare(Buckets((rows,), (longest,)))
    batch = DecodeBatch(passes, contextlib.nullcontext(), reads_late=way == "read late")
    with ThreadPoolExecutor(rows) as threads:
        said = list(threads.map(lambda one: decoded(model, batch, one[1], len(one[3]), one[2]), wanted))
    batch.close()
    batch.wait_closed()
    for (key, _, _, greedy), ids in zip(wanted, said, strict=True):
        assert ids == greedy, key
