"""A small checkpoint of random weights in the official layout: tests and CI run the real code on it in seconds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentaudio.errors import MissingExtra, OptionError

try:
    import torch
    from safetensors.torch import save_file
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.network.config import StepAudio2Config
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM
from agentaudio.model.step_audio_2.token2wav.tiny_onnx import write_tiny_onnx
from agentaudio.model.step_audio_2.token2wav.tiny_weights import write_tiny_token2wav
from agentaudio.model.step_audio_2.tokens import (
    ADDED_TOKENS,
    N_TEXT_TOKENS,
    PUBLISHED_IDS,
    QWEN_TOKENS,
    STEP_TOKENS,
    TokenIds,
)

VOCABULARY = 158_720
"""Rows of the embedding, as in the official checkpoints: a multiple of 512 above the 158,352 tokens."""

TINY_TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_attention_groups": 2, "num_key_value_heads": 2, "vocab_size": VOCABULARY, "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000.0, "rope_scaling": None, "max_position_embeddings": 16_384, "max_seq_len": 16_384,
    "eos_token_id": TokenIds().endoftext, "pad_token_id": TokenIds().endoftext,
}  # fmt: skip
TINY_AUDIO = {
    "n_mels": 128, "n_audio_ctx": 1500, "n_audio_state": 32, "n_audio_head": 4, "n_audio_layer": 2,
    "n_codebook_size": 4096, "llm_dim": 32, "kernel_size": 3, "adapter_stride": 2,
}  # fmt: skip

FOR_VLLM = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1, "initializer_range": 0.3}
"""Fields of text_config for vLLM, whose attention takes heads of 32, 64, 128 ... and not of 8. Answers depend on the
sound."""


def init_tiny(
    folder: str | Path,
    *,
    seed: int = 0,
    shards: int = 1,
    dtype: str = "bfloat16",
    text: Mapping[str, Any] = {},
    audio: Mapping[str, Any] = {},
) -> Path:
    """Write a checkpoint that loads like Step-Audio 2 mini and speaks nonsense: 22 MB, with the real token ids.

    folder: created if missing; files of the same names are replaced
    seed: equal seeds give equal weights
    shards: number of safetensors files; several get an index, as the official ones have
    dtype: of the weights: float32, bfloat16 or float16
    text, audio: fields of text_config and audio_encoder_config to override, for other sizes
    returns: the folder

    Raises OptionError for an invalid dtype, number of shards or combination of sizes.
    """
    if shards < 1:
        raise OptionError(f"{shards} shards cannot hold a checkpoint; give 1 or more")
    if dtype not in ("float32", "bfloat16", "float16"):
        raise OptionError(f"weights cannot be {dtype!r}; give float32, bfloat16 or float16")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {**TINY_TEXT, **text, "torch_dtype": dtype}
    sizes["num_attention_groups"] = sizes["num_key_value_heads"]
    written = {
        "architectures": ["StepAudio2ForCausalLM"],
        "model_type": "step_audio_2",
        "torch_dtype": dtype,
        "text_config": sizes,
        "audio_encoder_config": {**TINY_AUDIO, "llm_dim": sizes["hidden_size"], **audio},
    }
    _write_json(folder / "config.json", written)
    _write_weights(folder, random_model(StepAudio2Config.from_pretrained(folder), seed), shards, dtype)
    _write_tokenizer(folder)
    write_tiny_token2wav(folder / "token2wav", seed=seed)
    write_tiny_onnx(folder / "token2wav", seed=seed)
    return folder


def random_model(config: StepAudio2Config, seed: int = 0) -> StepAudio2ForCausalLM:
    """A model of random weights in evaluation mode. It does not change torch's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = StepAudio2ForCausalLM(config)
    model.eval()
    return model


def _write_weights(folder: Path, model: StepAudio2ForCausalLM, shards: int, dtype: str) -> None:
    weights = {name: value.to(getattr(torch, dtype)).contiguous() for name, value in model.state_dict().items()}
    for old in [*folder.glob("model*.safetensors"), *folder.glob("model.safetensors.index.json")]:
        old.unlink()
    if shards == 1:
        _save(weights, folder / "model.safetensors")
        return
    names = list(weights)
    where: dict[str, str] = {}
    for k in range(shards):
        file = f"model-{k + 1:05}-of-{shards:05}.safetensors"
        part = {name: weights[name] for name in names[k * len(names) // shards : (k + 1) * len(names) // shards]}
        _save(part, folder / file)
        where |= dict.fromkeys(part, file)
    size = sum(value.numel() * value.element_size() for value in weights.values())
    _write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": where})


def _save(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    save_file(dict(weights), path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors makes it readable by the owner only


def _write_tokenizer(folder: Path) -> None:
    """One token for each byte and no merges; unused letter tokens fill the ids up to the first added token."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    filler = ("".join(word) for length in (2, 3, 4) for word in itertools.product(letters, repeat=length))
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *filler]
    vocabulary = {piece: number for number, piece in enumerate(pieces[:N_TEXT_TOKENS])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(name, special=name in STEP_TOKENS, normalized=False) for name in ADDED_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    end = QWEN_TOKENS[0]
    _write_json(folder / "added_tokens.json", PUBLISHED_IDS)
    _write_json(folder / "special_tokens_map.json", {"additional_special_tokens": STEP_TOKENS, "pad_token": end})
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": TINY_TEXT["max_position_embeddings"],
        "eos_token": end,
        "pad_token": end,
        "clean_up_tokenization_spaces": False,
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
