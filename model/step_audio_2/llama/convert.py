"""Writes the language model of a checkpoint as a GGUF file of the architecture qwen2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.step_audio_2.llama.precision import Planned, WeightType
from agentaudio.model.step_audio_2.llama.quantise import NUMBERS, converted
from agentaudio.model.step_audio_2.network.checkpoint import Tensors
from agentaudio.model.step_audio_2.network.config import STOP_IDS, StepAudio2Config

ARCHITECTURE = "qwen2"
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""Kinds of tokens. Source: llama.h, enum llama_token_type."""
FILE_TYPES: dict[WeightType, int] = {"f32": 0, "f16": 1, "q8_0": 7, "q4_k_m": 15, "bf16": 32}
"""What `general.file_type` calls the precision. Source: llama.h, enum llama_ftype."""
QUANTIZATION_VERSION = 2
"""Source: ggml.h, GGML_QNT_VERSION."""


def check_convertible(config: StepAudio2Config) -> None:
    """Raises BackendError for a configuration that a GGUF file of this architecture cannot hold."""
    text = config.text_config
    kind = (text.rope_parameters or {}).get("rope_type", "default")
    if kind != "default":
        raise BackendError(f"config.json scales positions ({kind!r}), which is not converted; use runtime=torch")
    if text.hidden_act != "silu":
        raise BackendError(f"config.json has the activation {text.hidden_act!r}, not silu; use runtime=torch")


def write_gguf(
    path: Path,
    folder: Path,
    config: StepAudio2Config,
    tensors: Sequence[Planned],
    weights: WeightType,
    *,
    threads: int = 1,
    progress: Callable[[int], None] = lambda written: None,
) -> None:
    """Convert the tensors of a checkpoint folder one by one: memory holds only the largest of them.

    path: written from the beginning
    tensors: of the file, see `planned`
    threads: how many convert at the same time
    progress: called with the bytes that were written after each tensor

    Raises BackendError for a checkpoint that cannot be read or converted, MissingExtra without gguf, and OSError.
    """
    check_convertible(config)
    try:
        import gguf
    except ImportError as error:
        raise MissingExtra("Step-Audio 2 by llama.cpp", "llama-cpp") from error
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    try:
        _describe(writer, config, weights)
        _add_tokenizer(writer, folder, config.text_config.vocab_size)
        for tensor in tensors:
            kind = gguf.GGMLQuantizationType(NUMBERS[tensor.type])
            # No numpy type is looked at, as the kind is given.
            writer.add_tensor_info(tensor.name, tensor.shape, None, tensor.nbytes, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        written = 0
        with Tensors(folder) as source:
            for tensor in tensors:
                writer.write_tensor_data(_converted(source, tensor, threads))
                written += tensor.nbytes
                progress(written)
    finally:
        writer.close()


def _converted(source: Tensors, tensor: Planned, threads: int) -> Any:
    name = tensor.source

    def rows(begin: int, end: int) -> Any:
        return source.get(name) if len(tensor.shape) == 1 else source.rows(name, begin, end)

    try:
        return converted(rows, tensor.shape, tensor.type, threads)
    except BackendError as error:
        raise BackendError(f"{name} cannot be converted to {tensor.type}: {error}") from error


def _describe(writer: Any, config: StepAudio2Config, weights: WeightType) -> None:
    text = config.text_config
    writer.add_name("Step-Audio 2, language model")
    writer.add_description("Reads text, and the rows of an audio encoder that is not in this file.")
    writer.add_file_type(FILE_TYPES[weights])
    writer.add_quantization_version(QUANTIZATION_VERSION)
    writer.add_vocab_size(text.vocab_size)
    writer.add_context_length(text.max_position_embeddings)
    writer.add_embedding_length(text.hidden_size)
    writer.add_block_count(text.num_hidden_layers)
    writer.add_feed_forward_length(text.intermediate_size)
    writer.add_head_count(text.num_attention_heads)
    writer.add_head_count_kv(text.num_key_value_heads)
    writer.add_rope_freq_base(float(text.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(text.rms_norm_eps)


def _add_tokenizer(writer: Any, folder: Path, size: int) -> None:
    """The tokenizer, for programs of llama.cpp; agentaudio makes the ids itself. Rows without a token are unused."""
    path = folder / "tokenizer.json"
    tokens = [f"[PAD{number}]" for number in range(size)]
    kinds = [UNUSED] * size
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        for piece, number in data["model"]["vocab"].items():
            tokens[number], kinds[number] = piece, NORMAL
        for token in data["added_tokens"]:
            name, number = token["content"], token["id"]
            named = re.fullmatch(r"<\|.*\|>", name)  # llama.cpp takes these for control tokens in any case
            tokens[number], kinds[number] = name, CONTROL if token["special"] or named else USER_DEFINED
        merges = [one if isinstance(one, str) else " ".join(one) for one in data["model"]["merges"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BackendError(f"{path} is not the byte-level BPE tokenizer of {size:,} tokens ({error!r})") from error
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    # llama.cpp wants the key, and the writer leaves out what is empty.
    writer.add_token_merges(merges or [" "])
    writer.add_eos_token_id(STOP_IDS[0])
    writer.add_pad_token_id(STOP_IDS[1])
    writer.add_add_bos_token(False)
