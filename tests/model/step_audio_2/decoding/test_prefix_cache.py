"""The prefix cache: a known prefix is not computed again, and answers are the same."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

import contextlib  # noqa: E402
from typing import Any  # noqa: E402

from support.step_audio_2 import byte_vocabulary  # noqa: E402
from support.step_audio_2_tiny import count_encodings, fresh  # noqa: E402

from agentaudio.conversation import AudioPart, Conversation, SpeechPart  # noqa: E402
from agentaudio.model.step_audio_2.decoding import weights as reading  # noqa: E402
from agentaudio.model.step_audio_2.decoding.prefix_cache import PrefixCache, States, usable  # noqa: E402
from agentaudio.model.step_audio_2.decoding.weights import Weights  # noqa: E402
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder  # noqa: E402
from agentaudio.model.step_audio_2.language.segments import Prompt  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402

VOCABULARY = byte_vocabulary()


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    """Small tensors are slower on several threads, most of all where other programs run too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights(fresh(pieces_together=False), VOCABULARY, contextlib.nullcontext())


def noise(seed: int, seconds: float = 0.5) -> Audio:
    return Audio(np.random.default_rng(seed).normal(0, 0.1, round(16_000 * seconds)), 16_000)


def conversation(*turns: Audio | str) -> Conversation:
    """Sounds of the user and answers in turn."""
    made = Conversation()
    made.add("system", "be brief")
    for turn in turns:
        if isinstance(turn, str):
            made.add("assistant", SpeechPart(turn))
        else:
            made.add("user", "hear:", AudioPart(turn))
    return made


def prompt(*turns: Audio | str) -> Prompt:
    return PromptBuilder(VOCABULARY).build(conversation(*turns), reply="text")


def read(weights: Weights, kept: PrefixCache, read: Prompt) -> tuple[Any, int]:
    """The logits after a prompt, and how much of it was known."""
    states = kept.take(read)
    found = len(states)
    with torch.inference_mode():
        logits = weights.read(read, states, lambda: True)
    assert len(states) == states.cache.get_seq_length() == len(read.ids)
    kept.put(states)
    return logits, found


def step(weights: Weights, states: States, *ids: int) -> Any:
    """The logits after some more tokens."""
    output = weights.model(torch.tensor([ids]), past_key_values=states.cache, use_cache=True, logits_to_keep=1)
    states.positions += ids
    return output.logits[0, -1]


def test_second_turn_encodes_only_its_own_sound_and_gives_the_same_logits(weights: Weights) -> None:
    first, second = prompt(noise(0)), prompt(noise(0), "yes", noise(1))
    expected, found = read(weights, PrefixCache(0), second)
    assert found == 0
    kept = PrefixCache(10_000)
    read(weights, kept, first)
    encoded = count_encodings(weights.model)
    logits, found = read(weights, kept, second)
    assert encoded == [1]
    assert found == len(first.ids)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_a_prefix_that_ends_inside_a_sound_is_cut_before_it(weights: Weights) -> None:
    sound = noise(0)
    altered = Audio(np.concatenate([sound.samples[:-1], [0.5]]), 16_000)
    for first, second in ((noise(0), noise(1)), (sound, altered), (noise(0, 0.5), noise(0, 0.7))):
        kept = PrefixCache(10_000)
        read(weights, kept, prompt(first))
        wanted = prompt(second)
        begun = wanted.ids.index(VOCABULARY.ids.audio_start)
        expected, _ = read(weights, PrefixCache(0), wanted)
        logits, found = read(weights, kept, wanted)
        assert found == begun
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("samples", [100, 8000])  # the short one stands between its marks without a token
def test_only_whole_sounds_and_never_the_whole_prompt_are_usable(samples: int) -> None:
    made = prompt(noise(0, samples / 16_000))
    begin = made.ids.index(VOCABULARY.ids.audio_start)
    end = made.ids.index(VOCABULARY.ids.audio_end)
    for known in range(len(made.ids) + 1):
        found = usable(made, made.positions[:known])
        inside = begin < known < end
        assert found == min(begin if inside else known, len(made.ids) - 1)


def test_equal_sound_that_was_loaded_again_is_recognised(weights: Weights) -> None:
    kept = PrefixCache(10_000)
    read(weights, kept, prompt(noise(0)))
    encoded = count_encodings(weights.model)
    _, found = read(weights, kept, prompt(Audio(noise(0).samples.copy(), 16_000), "yes"))
    assert found == len(prompt(noise(0)).ids) and encoded == []


def test_equal_long_sounds_are_compared_quickly(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def equal(mine: Audio, theirs: object) -> bool:
        compared.append(mine)
        return mine is theirs

    monkeypatch.setattr(Audio, "__eq__", equal)
    kept = PrefixCache(10_000)
    for _ in range(2):
        made = prompt(noise(0, 10.0))
        kept.put(States(made.positions[:-1]))
        assert kept.take(made).positions == made.positions[:-1]
    assert compared == []


def test_long_prompts_are_read_in_chunks_that_leave_sounds_whole(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prompt(noise(0, 1.0), "yes", noise(1, 1.0), "no", noise(2, 0.01))
    expected, _ = read(weights, PrefixCache(0), made)
    for size in (14, 17, 30):
        monkeypatch.setattr(reading, "PREFILL_CHUNK", size)
        logits, _ = read(weights, PrefixCache(0), made)
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_several_go_on_from_the_same_states(weights: Weights) -> None:
    kept = PrefixCache(10_000)
    base = prompt(noise(0))
    read(weights, kept, base)
    one, two = kept.take(prompt(noise(0), "a")), kept.take(prompt(noise(0), "b"))
    with torch.inference_mode():
        step(weights, one, 65, 65, 65)
        after = step(weights, two, 66)
        states = States()
        weights.read(base, states, lambda: True)
        states.crop(len(two) - 1)
        torch.testing.assert_close(step(weights, states, 66), after, atol=1e-4, rtol=1e-4)


def test_the_cache_is_bounded_and_drops_prefixes_of_longer_entries(weights: Weights) -> None:
    first, second = prompt(noise(0)), prompt(noise(0), "yes", noise(1))
    kept = PrefixCache(len(second.ids) + 10)
    read(weights, kept, first)
    read(weights, kept, second)
    assert len(kept) == len(second.ids)
    read(weights, kept, prompt(noise(7)))
    assert len(kept) == len(first.ids)  # the newest one
    read(weights, kept, prompt(noise(0), "yes", noise(1), "no" * 20, noise(2)))
    assert len(kept) <= len(second.ids) + 10
    kept.clear()
    assert len(kept) == 0


def test_reading_stops_when_it_is_not_wanted(weights: Weights) -> None:
    answers = iter([True, True, False, False])
    states = States()
    with torch.inference_mode():
        assert weights.read(prompt(noise(0)), states, lambda: next(answers, False)) is None
