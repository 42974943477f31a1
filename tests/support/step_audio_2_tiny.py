"""A small Step-Audio 2 with random weights, large enough for unambiguous greedy choices."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from agentaudio.model.step_audio_2.network.features import batch, log_mel, token_count
from agentaudio.model.step_audio_2.tokens import TokenIds

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

IDS = TokenIds()
TEXT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_attention_groups": 2,
    "num_key_value_heads": 2,
    "vocab_size": 151_700,
    "max_position_embeddings": 4096,
    "initializer_range": 0.5,
    "rope_theta": 1e6,
    "eos_token_id": IDS.endoftext,
    "pad_token_id": IDS.endoftext,
}
AUDIO = {"n_audio_ctx": 200, "n_audio_state": 16, "n_audio_head": 2, "n_audio_layer": 2, "llm_dim": 16}


def config(**fields: Any) -> Any:
    from agentaudio.model.step_audio_2.network.config import StepAudio2Config

    return StepAudio2Config(text_config=dict(TEXT), audio_encoder_config=dict(AUDIO), **fields)


def fresh(seed: int = 0, **fields: Any) -> Any:
    """A new model, which the test may change."""
    from agentaudio.model.step_audio_2.init_tiny import random_model

    model = random_model(config(**fields), seed)
    # A model with random weights may stop at any token; tests need a fixed number of them.
    model.generation_config.eos_token_id = None
    return model


@cache
def shared() -> Any:
    """The model that most tests share. Do not change it."""
    return fresh()


def mel(samples: int, seed: int = 0) -> Any:
    return log_mel(np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32))


def prompt(*pieces: str | Any) -> dict[str, Any]:
    """Model inputs for text (a token for each byte) and log-mels."""
    ids: list[int] = []
    mels = []
    for piece in pieces:
        if isinstance(piece, str):
            ids += piece.encode()
        else:
            ids += [IDS.audio_start, *[IDS.audio_patch] * token_count(piece.shape[1]), IDS.audio_end]
            mels.append(piece)
    stacked = batch(mels)
    tokens = torch.tensor([ids])
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    if mels:
        inputs["input_features"] = torch.from_numpy(stacked.input_features)
        inputs["feature_lengths"] = torch.from_numpy(stacked.feature_lengths)
    return inputs


def together(*prompts: dict[str, Any]) -> dict[str, Any]:
    """Prompts in one batch, padded on the left."""
    longest = max(one["input_ids"].shape[1] for one in prompts)
    pad = [(longest - one["input_ids"].shape[1], 0) for one in prompts]
    padded = torch.nn.functional.pad
    rows = list(zip(prompts, pad, strict=True))
    heard = [one for one in prompts if "input_features" in one]
    frames = max(one["input_features"].shape[2] for one in heard)
    return {
        "input_ids": torch.cat([padded(p["input_ids"], w, value=IDS.endoftext) for p, w in rows]),
        "attention_mask": torch.cat([padded(p["attention_mask"], w) for p, w in rows]),
        "input_features": torch.cat(
            [padded(p["input_features"], (0, frames - p["input_features"].shape[2])) for p in heard]
        ),
        "feature_lengths": torch.cat([p["feature_lengths"] for p in heard]),
    }


def said(model: Any, inputs: dict[str, Any], tokens: int = 12, **options: Any) -> list[list[int]]:
    """The ids that the model generates, greedily by default; a list for each prompt or sample."""
    options = {"do_sample": False, "pad_token_id": IDS.endoftext, **options}
    out = model.generate(**inputs, max_new_tokens=tokens, **options)
    rows: list[list[int]] = out[:, inputs["input_ids"].shape[1] :].tolist()
    return rows


def count_encodings(model: Any) -> list[int]:
    """A list to which each run of the encoder appends its number of audios."""
    sizes: list[int] = []
    model.encoder.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    return sizes
