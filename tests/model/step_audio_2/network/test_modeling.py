"""The model: the same answer with cache, padding, batches or beam search; audio is encoded only once."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2_tiny import IDS, count_encodings, fresh, mel, prompt, said, shared, together  # noqa: E402

from agentaudio.errors import AudioError, BackendError  # noqa: E402
from agentaudio.model.step_audio_2.network.modeling import CACHE  # noqa: E402


def spoken() -> dict[str, Any]:
    return prompt("hello ", mel(9000, 1), " and ", mel(5000, 2), "\n")


def test_cached_decoding_equals_uncached_and_hears_once() -> None:
    model = fresh()
    encodings = count_encodings(model)
    cached = said(model, spoken())
    assert encodings == [2]
    assert said(model, spoken(), use_cache=False) == cached
    assert encodings == [2] * 13


def test_static_cache_equals_dynamic() -> None:
    assert said(shared(), spoken(), cache_implementation="static") == said(shared(), spoken())


def test_audio_changes_the_answer() -> None:
    assert said(shared(), prompt("what? ", mel(9000, 1))) != said(shared(), prompt("what? ", mel(9000, 2)))


def test_left_padded_batch_equals_each_prompt_alone() -> None:
    prompts = [spoken(), prompt("hi"), prompt("a longer question: ", mel(3000, 3)), prompt(mel(12_000, 4), "?")]
    alone = [said(shared(), one)[0] for one in prompts]
    assert said(shared(), together(*prompts)) == alone
    assert said(shared(), together(*prompts), cache_implementation="static") == alone


def test_logits_of_a_padded_batch_equal_those_alone() -> None:
    prompts = [spoken(), prompt("x", mel(3000, 3))]
    with torch.no_grad():
        batched = shared()(**together(*prompts)).logits
        for row, one in zip(batched, prompts, strict=True):
            alone = shared()(**one).logits[0]
            torch.testing.assert_close(row[-len(alone) :], alone, atol=2e-4, rtol=1e-4)


def test_beam_search_gives_each_beam_its_prompts_audio() -> None:
    prompts = [spoken(), prompt("x", mel(3000, 3))]
    alone = [said(shared(), one, num_beams=3)[0] for one in prompts]
    model = fresh()
    encodings = count_encodings(model)
    assert said(model, together(*prompts), num_beams=3) == alone
    assert sum(encodings) == 3


def test_several_samples_of_one_prompt_share_its_audio() -> None:
    model = fresh()
    encodings = count_encodings(model)
    torch.manual_seed(0)
    samples = said(model, spoken(), do_sample=True, num_return_sequences=3, top_k=0)
    assert len(samples) == 3 and samples[0] != samples[1]
    assert encodings == [2]


def test_the_second_turn_continues_the_cache_and_encodes_only_new_sound() -> None:
    model = fresh(pieces_together=False)
    first = spoken()
    with torch.no_grad():
        cache = model(**first, use_cache=True).past_key_values
    whole = prompt("hello ", mel(9000, 1), " and ", mel(5000, 2), "\n", "more: ", mel(7000, 5), "\n")
    expected = said(model, whole)
    encodings = count_encodings(model)
    new = {
        "input_ids": whole["input_ids"],
        "attention_mask": whole["attention_mask"],
        "input_features": torch.from_numpy(mel(7000, 5))[None],
    }
    assert said(model, new, **{CACHE: cache}) == expected
    assert encodings == [1]


def test_pieces_alone_do_not_depend_on_their_neighbours() -> None:
    # The last row of this one reads a frame behind its end, which in a batch belongs to the padding.
    odd = mel(4321, 2)
    batched = prompt(mel(9000, 1), odd)
    features = batched["input_features"], batched["feature_lengths"]
    with torch.no_grad():
        short = torch.from_numpy(odd)[None]
        alone = shared().encode_audio(short, None)[0]
        as_reference = shared().encode_audio(*features)[1]
        independent = fresh(pieces_together=False).encode_audio(*features)[1]
    torch.testing.assert_close(independent, alone)
    assert not torch.allclose(as_reference, alone, atol=1e-3)


def test_features_encoded_before_are_taken_as_they_are() -> None:
    inputs = spoken()
    with torch.no_grad():
        embeds = shared().encode_audio(inputs.pop("input_features"), inputs.pop("feature_lengths"))
    assert said(shared(), inputs | {"audio_embeds": embeds}) == said(shared(), spoken())
    assert said(shared(), inputs | {"audio_embeds": embeds}, num_beams=2) == said(shared(), spoken(), num_beams=2)


def test_a_piece_too_short_for_a_token_is_heard_as_nothing() -> None:
    inputs = prompt("a", mel(1), "b")
    assert inputs["input_ids"].tolist() == [[ord("a"), IDS.audio_start, IDS.audio_end, ord("b")]]
    assert said(shared(), inputs) == said(shared(), {key: inputs[key] for key in ("input_ids", "attention_mask")})


def test_a_generated_audio_start_does_not_fail() -> None:
    inputs = spoken()
    with torch.no_grad():
        cache = shared()(**inputs, use_cache=True).past_key_values
        logits = shared()(input_ids=torch.tensor([[IDS.audio_start]]), past_key_values=cache).logits
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.update(input_ids=p["input_ids"][:, :-20]), "1 <audio_start> but 2 audio pieces"),
        (lambda p: p["input_ids"].__setitem__((0, 0), IDS.audio_start), "3 <audio_start> but 2 audio pieces"),
        (lambda p: p.update(input_ids=p["input_ids"][:, :-4]), "does not fit after <audio_start>"),
        (lambda p: p.pop("input_features"), "there is no audio"),
        (lambda p: p.update(feature_lengths=torch.tensor([59, 500])), "do not fit features of shape"),
    ],
)
def test_audios_and_places_that_do_not_match_are_named(change: Any, message: str) -> None:
    inputs = spoken()
    change(inputs)
    del inputs["attention_mask"]
    with torch.no_grad(), pytest.raises(BackendError, match=message):
        shared()(**inputs)


def test_a_piece_longer_than_the_encoder_names_the_limit() -> None:
    with torch.no_grad(), pytest.raises(AudioError, match="at most 400"):
        shared().encode_audio(torch.zeros(1, 128, 401), None)


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    inputs = spoken()
    labels = inputs["input_ids"].clone()
    labels[labels >= IDS.first_special] = -100
    gradients = []
    for checkpointing in (False, True):
        model = fresh()
        model.train()
        if checkpointing:
            # Its older name warns today.
            getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
        model(**inputs, labels=labels, use_cache=False).loss.backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    # Only the biases of masked keys and unread vocabulary rows could be without one; here none is.
    assert all(gradient is not None for gradient in gradients[0].values())
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_near_full(dtype: str) -> None:
    model = fresh().to(getattr(torch, dtype))
    with torch.no_grad():
        half = model(**spoken()).logits.float()
        full = shared()(**spoken()).logits
    assert torch.isfinite(half).all()
    similarity = torch.nn.functional.cosine_similarity(half, full, dim=-1)
    assert similarity.min() > 0.99
    assert len(said(model, spoken())[0]) == 12


def test_eager_attention_equals_sdpa() -> None:
    model = fresh()
    model.set_attn_implementation("eager")
    with torch.no_grad():
        torch.testing.assert_close(model(**spoken()).logits, shared()(**spoken()).logits, atol=2e-4, rtol=1e-4)


def test_logits_are_made_only_for_the_positions_asked_for() -> None:
    with torch.no_grad():
        whole = shared()(**spoken()).logits
        last = shared()(**spoken(), logits_to_keep=1).logits
        (first, *_) = shared()(**spoken(), logits_to_keep=torch.tensor([0, 3]), return_dict=False)
    torch.testing.assert_close(last, whole[:, -1:])
    torch.testing.assert_close(first, whole[:, [0, 3]])


def test_decode_step_compiles_as_one_graph() -> None:
    from transformers import StaticCache

    model = shared()
    inputs = spoken()
    length = inputs["input_ids"].shape[1]

    def decoded(step: Any) -> Any:
        cache = StaticCache(config=model.config.get_text_config(), max_cache_len=length + 4)
        with torch.no_grad():
            next_id = model(**inputs, past_key_values=cache, use_cache=True).logits[:, -1:].argmax(-1)
            position = torch.tensor([[length]])
            return step(input_ids=next_id, past_key_values=cache, position_ids=position, use_cache=True).logits

    compiled = torch.compile(model.forward, fullgraph=True, backend="eager")
    torch.testing.assert_close(decoded(compiled), decoded(model))
