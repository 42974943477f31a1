"""A checkpoint of random weights in the official layout, so that tests and CI run the real code in seconds."""

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
from agentaudio.model.step_audio_2.tokens import TokenIds

VOCABULARY = 158_720
TEXT_TOKENS = TokenIds().first_special

_QWEN = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|> "
    "<|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|> "
    "<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|>"
).split()
_STEP = (
    "<|EOT|> <|BOT|> <|CALL_START|> <|CALL_END|> <|THINK_START|> <|THINK_END|> <|IMG_START|> <|IMG_END|> "
    "<|META_START|> <|META_END|> <im_patch> <im_start> <im_end> <dream> <dream_start> <dream_end> <|MASK_1e69f|> "
    "<|UNMASK_1e69f|> <video_start> <video_end> <patch_start> <patch_end> <patch_newline> <audio_start> <audio_end> "
    "<audio_patch> <audio_patch_pad> <|SC|> <tts_start> <tts_end> <tts_pad>"
).split()
ADDED_TOKENS = (*_QWEN, *_STEP, *(f"<audio_{n}>" for n in range(6656)))
"""In the order of their ids, which begin behind Qwen2.5's text tokens."""

_TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_attention_groups": 2, "num_key_value_heads": 2, "vocab_size": VOCABULARY, "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000.0, "rope_scaling": None, "max_position_embeddings": 16_384, "max_seq_len": 16_384,
    "eos_token_id": TokenIds().endoftext, "pad_token_id": TokenIds().endoftext,
}  # fmt: skip
_AUDIO = {
    "n_mels": 128, "n_audio_ctx": 1500, "n_audio_state": 32, "n_audio_head": 4, "n_audio_layer": 2,
    "n_codebook_size": 4096, "llm_dim": 32, "kernel_size": 3, "adapter_stride": 2,
}  # fmt: skip


def init_tiny(
    folder: str | Path,
    *,
    seed: int = 0,
    shards: int = 1,
    dtype: str = "bfloat16",
    text: Mapping[str, Any] = {},
    audio: Mapping[str, Any] = {},
) -> Path:
    """Write a checkpoint that loads like Step-Audio 2 mini and speaks nonsense: 22 MB, real token ids.

    folder: made where it is missing; files of the same names in it are replaced
    seed: the same weights for the same seed
    shards: safetensors files; several come with an index, as the official ones do
    dtype: of the weights: float32, bfloat16 or float16
    text, audio: fields of text_config and audio_encoder_config to set, for other sizes
    returns: the folder

    Raises OptionError for a dtype, number of shards or sizes that cannot be.
    """
    if shards < 1:
        raise OptionError(f"{shards} shards cannot hold a checkpoint; give 1 or more")
    if dtype not in ("float32", "bfloat16", "float16"):
        raise OptionError(f"weights cannot be {dtype!r}; give float32, bfloat16 or float16")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {**_TEXT, **text, "torch_dtype": dtype}
    sizes["num_attention_groups"] = sizes["num_key_value_heads"]
    written = {
        "architectures": ["StepAudio2ForCausalLM"],
        "model_type": "step_audio_2",
        "torch_dtype": dtype,
        "text_config": sizes,
        "audio_encoder_config": {**_AUDIO, "llm_dim": sizes["hidden_size"], **audio},
    }
    _write_json(folder / "config.json", written)
    _write_weights(folder, random_model(StepAudio2Config.from_pretrained(folder), seed), shards, dtype)
    _write_tokenizer(folder)
    write_tiny_token2wav(folder / "token2wav", seed=seed)
    write_tiny_onnx(folder / "token2wav", seed=seed)
    return folder


def random_model(config: StepAudio2Config, seed: int = 0) -> StepAudio2ForCausalLM:
    """A model of random weights, in evaluation mode; it leaves torch's random state alone."""
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
    path.chmod(0o644)  # safetensors leaves it to its owner alone


def _write_tokenizer(folder: Path) -> None:
    """Bytes are tokens and nothing is merged; letters fill the ids up to where the special tokens begin."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    filler = ("".join(word) for length in (2, 3, 4) for word in itertools.product(letters, repeat=length))
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *filler]
    vocabulary = {piece: number for number, piece in enumerate(pieces[:TEXT_TOKENS])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(name, special=name in _STEP, normalized=False) for name in ADDED_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    ids = {name: TEXT_TOKENS + n for n, name in enumerate(ADDED_TOKENS)}
    _write_json(folder / "added_tokens.json", ids)
    _write_json(folder / "special_tokens_map.json", {"additional_special_tokens": _STEP, "pad_token": _QWEN[0]})
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": _TEXT["max_position_embeddings"],
        "eos_token": _QWEN[0],
        "pad_token": _QWEN[0],
        "clean_up_tokenization_spaces": False,
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
