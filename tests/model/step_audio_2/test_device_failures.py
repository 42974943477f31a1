"""A device that fails while the model answers: one line, and the conversation is not lost."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from agentaudio import Agent, GenerateOptions  # noqa: E402
from agentaudio.errors import BackendError  # noqa: E402
from agentaudio.events import TextSpoken, TurnFailed  # noqa: E402
from agentaudio.model.step_audio_2.decoding.weights import Weights  # noqa: E402
from agentaudio.model.step_audio_2.generate import StepAudio2  # noqa: E402

LOST = getattr(torch, "AcceleratorError", RuntimeError)


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (LOST("CUDA error: unspecified launch failure\nCompile with ..."), "the GPU failed or is gone"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...\nmore"), "memory is full"),
    ],
)
async def test_a_device_that_fails_in_mid_answer_ends_the_turn_and_the_next_one_goes_on(
    model: StepAudio2, failure: Exception, line: str
) -> None:
    assert isinstance(model._weights, Weights)
    tokens = 0

    def fail_in_the_seventh_pass(*_: object) -> None:
        nonlocal tokens
        tokens += 1
        if tokens == 7:
            raise failure

    model._weights.model.lm_head.register_forward_pre_hook(fail_in_the_seventh_pass)
    session = Agent(model, options=GenerateOptions(max_tokens=20, seed=1, speak=False)).session()
    events = []
    with pytest.raises(BackendError, match=line) as caught:
        async for event in session.stream("Hello"):
            events.append(event)
    assert "\n" not in str(caught.value)
    assert any(isinstance(event, TextSpoken) for event in events) and isinstance(events[-1], TurnFailed)
    assert [(message.role, message.failed) for message in session.conversation] == [
        ("user", False),
        ("assistant", True),
    ]
    reply = await session.run("And now?")
    assert 0 < reply.usage["output_tokens"] <= 20
