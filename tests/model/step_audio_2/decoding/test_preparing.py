"""Whether decoding is compiled, and what is said when it is not."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2 import byte_vocabulary  # noqa: E402
from support.step_audio_2_tiny import fresh  # noqa: E402

from agentaudio.model.step_audio_2.decoding.weights import Weights  # noqa: E402


def weights(compiled: bool | None, **attributes: Any) -> Weights:
    model = fresh()
    for name, value in attributes.items():
        setattr(model, name, value)
    return Weights(model, byte_vocabulary(), contextlib.nullcontext(), compiled=compiled, max_rows=1)


@pytest.mark.parametrize(
    ("compiled", "attributes", "reason"),
    [
        (None, {}, "the device is cpu"),
        (False, {}, "compiled is False"),
        (True, {"is_quantized": True}, "the weights are quantized"),
        (True, {"hf_device_map": {"model": 0, "lm_head": "cpu"}}, "the layers are on several devices"),
    ],
)
def test_what_is_in_the_way_of_compiling_is_said(
    compiled: bool | None, attributes: dict[str, Any], reason: str
) -> None:
    made = weights(compiled, **attributes)
    made.prepare()
    assert made.decoding == f"eager, because {reason}"
    assert not made.batch.compiled
    made.batch.close()


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_prepared_decoding_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compile = torch.compile
    # Without the code generation, which takes most of a minute.
    monkeypatch.setattr(torch, "compile", lambda step, options, **rest: compile(step, backend="eager", **rest))
    made = weights(True)
    assert made.decoding == "eager, because warm_up was not called"
    made.prepare()
    assert made.decoding == "compiled" and made.batch.compiled
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    made.prepare()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs
    made.batch.close()


def test_a_compiler_that_fails_is_logged_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def fail(*_: Any, **__: Any) -> None:
        tried.append(1)
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(torch, "compile", fail)
    made = weights(True)
    with caplog.at_level(logging.WARNING):
        made.prepare()
        made.prepare()
    assert "no compiler here" in made.decoding and made.decoding.startswith("eager, because compiling failed")
    assert "no compiler here" in caplog.text and len(tried) == 1
    made.batch.close()
