"""`Network`: a checkpoint of a Qwen model in memory, with its tokenizer and feature extractor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from agentaudio.errors import AudioError, BackendError
from agentaudio.model.generation.checkpoint import Placement, check_safetensors
from agentaudio.model.generation.decoding import Sampling
from agentaudio.model.qwen.family import Family
from agentaudio.model.qwen.prompt import Messages, Prompts, Written
from agentaudio.sound.audio import Audio

INPUT_RATE_HZ = 16_000
SHORTEST_AUDIO_S = 0.1
"""Shorter sounds are padded with silence, so that each has tokens."""

LARGEST_FILE = 10_000_000
"""Bytes of a file that is read whole: config.json, chat_template.json, spk_dict.pt."""


class Network:
    """The parts of a checkpoint.

    family: its kind
    whole: the network of transformers
    writer: the part of it that generates text
    """

    def __init__(self, family: Family, whole: Any, tokenizer: Any, extractor: Any, template: str | None) -> None:
        self.family, self.whole, self._tokenizer, self._extractor = family, whole, tokenizer, extractor
        self.writer = whole.thinker if family.thinker else whole
        config = self.writer.config
        self._sound_id = int(config.audio_token_id)
        self._sound = str(tokenizer.convert_ids_to_tokens(self._sound_id))
        self.context = int(config.text_config.max_position_embeddings)
        names = ("<|im_end|>", "<|endoftext|>", tokenizer.eos_token)
        self.ends = frozenset(tokenizer.convert_tokens_to_ids(name) for name in names if name in tokenizer.get_vocab())

        def write(messages: Messages, tools: list[dict[str, Any]]) -> str:
            try:
                return str(
                    tokenizer.apply_chat_template(
                        messages,
                        tools=tools or None,
                        chat_template=template,
                        tokenize=False,
                        add_generation_prompt=True,
                    )
                )
            except Exception as error:  # of Jinja, and of what the template does
                raise BackendError(f"the chat template of {family.name!r} failed: {error}") from error

        self.prompts = Prompts(
            family,
            tokenizer.get_added_vocab(),
            self._sound,
            template=write if template else None,
            template_has_tools=bool(template) and "tools" in str(template),
        )

    @classmethod
    def load(
        cls, family: Family, folder: Path, *, device: Any, dtype: Any, quantization_config: Any, speaks: bool
    ) -> Network:
        """Load a checkpoint folder, in evaluation mode.

        Weights are read from safetensors only, and no code of the folder runs. Of Qwen2.5-Omni, spk_dict.pt is read
        by `torch.load` with `weights_only`, which takes tensors and plain data.
        speaks: False leaves out the networks that make sound

        Raises BackendError when the folder does not hold such a checkpoint, OptionError for an unavailable device.
        """
        kind = _read_json(folder, "config.json", family).get("model_type")
        if kind != family.model_type:
            raise BackendError(
                f"{folder / 'config.json'} is of a {kind!r} model, not of {family.name!r}; give another folder"
            )
        check_safetensors(folder)
        if speaks and (folder / "spk_dict.pt").is_file() and (folder / "spk_dict.pt").stat().st_size > LARGEST_FILE:
            raise BackendError(f"{folder / 'spk_dict.pt'} is larger than {LARGEST_FILE} bytes; download it again")
        placement = Placement(device, dtype, quantization_config)
        try:
            network_class = getattr(transformers, family.network)
            config = network_class.config_class.from_pretrained(folder, local_files_only=True)
            if family.thinker and not speaks:
                config.enable_audio_output = False
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
            network = network_class.from_pretrained(folder, config=config, local_files_only=True, **placement.options)
        except Exception as error:  # of files, of torch, of the networks
            raise BackendError(
                f"{folder} does not load as a checkpoint of {family.name!r}: {str(error)[:300]}"
            ) from error
        placement.put(network)
        return cls(family, network, tokenizer, extractor, _template(folder, tokenizer, family))

    @property
    def device(self) -> Any:
        return self.writer.get_input_embeddings().weight.device

    @property
    def sampling(self) -> Sampling:
        """The settings of the checkpoint's generation_config.json."""
        return Sampling.of(self.writer.generation_config)

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def inputs(self, written: Written) -> dict[str, Any]:
        """A prompt as the network takes it: (1, tokens) ids and masks, (sounds, mels, frames) features.

        Raises AudioError for a sound that is empty or too long, BackendError when the template lost a sound.
        """
        features, counts = self._features(written.sounds) if written.sounds else ({}, [])
        pieces = written.text.split(self._sound)
        if len(pieces) != len(counts) + 1:
            raise BackendError(
                f"the chat template of {self.family.name!r} has {len(pieces) - 1} places for {len(counts)} sounds; "
                "use the template of the official checkpoint"
            )
        ids = self.encode(
            pieces[0] + "".join(self._sound * n + piece for n, piece in zip(counts, pieces[1:], strict=True))
        )
        tokens = torch.tensor([ids], device=self.device)
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), **features}

    def _features(self, sounds: Sequence[Audio]) -> tuple[dict[str, Any], list[int]]:
        longest = self.family.longest_audio_s
        for sound in sounds:
            if not len(sound):
                raise AudioError("a sound holds no samples; record it again")
            if sound.duration > longest + 0.01:
                raise AudioError(
                    f"a sound of {sound.duration:.0f} s is too long for {self.family.name!r}; "
                    f"the limit is {longest:.0f} s, cut it into shorter ones"
                )
        if (total := 25 * sum(sound.duration for sound in sounds)) > self.context:
            raise BackendError(
                f"the sounds of the conversation take {total:.0f} tokens, and the context of {self.family.name!r} "
                f"has {self.context}; begin a new session"
            )
        shortest = round(SHORTEST_AUDIO_S * INPUT_RATE_HZ)
        samples = [sound.resample(INPUT_RATE_HZ).samples[: round(longest * INPUT_RATE_HZ)] for sound in sounds]
        samples = [np.pad(one, (0, max(0, shortest - len(one)))) for one in samples]
        made = self._extractor(
            samples, sampling_rate=INPUT_RATE_HZ, return_attention_mask=True, return_tensors="pt",
            padding="max_length" if self.family.padded else "longest",
        )  # fmt: skip
        mask = made["attention_mask"].to(self.device)
        values = made["input_features"].to(self.device, self.writer.dtype)
        counts = [self.family.tokens(int(frames)) for frames in mask.sum(-1)]
        return {"input_features": values, "feature_attention_mask": mask}, counts


def _read_json(folder: Path, name: str, family: Family) -> Mapping[str, Any]:
    path = folder / name
    if not folder.is_dir():
        raise BackendError(
            f"no folder {folder}; give the folder of a checkpoint of {family.name!r}, or the hub id {family.hub_id}"
        )
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"it is larger than {LARGEST_FILE} bytes")
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackendError(f"{path} cannot be read ({error}); download the checkpoint again") from error
    return read if isinstance(read, dict) else {}


def _template(folder: Path, tokenizer: Any, family: Family) -> str | None:
    """The chat template of a folder: of the processor, else of the tokenizer; None when it has none."""
    if (folder / "chat_template.json").is_file():
        found = _read_json(folder, "chat_template.json", family).get("chat_template")
        if isinstance(found, str):
            return found
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) else None
