"""Tiny random checkpoints of Qwen2-Audio and Qwen2.5-Omni, of the real classes, and a script for their words."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from agentaudio.testing import Answer

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>",
           "<|IMAGE|>", "<|VIDEO|>", "<|vision_bos|>", "<|vision_eos|>", "<|quiet|>", "<tts_bos>", "<tts_eos>",
           "<tts_pad>")  # fmt: skip
CONTEXT = 4096
CODES = 40
"""Speech tokens of the tiny codec; behind them come pad, begin, end and mask."""


def tokenizer(folder: Path) -> dict[str, int]:
    """Write a tokenizer whose vocabulary is bytes and special tokens; their ids."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL))
    made.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("</tool_call>", normalized=False)])
    fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.save_pretrained(folder)
    ids = {name: number for name in SPECIAL if (number := made.token_to_id(name)) is not None}
    return ids | {"size": made.get_vocab_size()}


def qwen2_audio(folder: Path) -> Path:
    """Write a random Qwen2-Audio of one layer."""
    import torch
    import transformers

    ids = tokenizer(folder)
    torch.manual_seed(0)
    config = transformers.Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder", "d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2,
            "encoder_ffn_dim": 16, "num_mel_bins": 128,
        },
        text_config={
            "model_type": "qwen2", "vocab_size": ids["size"], "hidden_size": 16, "intermediate_size": 16,
            "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
            "max_position_embeddings": CONTEXT, "bos_token_id": None, "eos_token_id": ids["<|im_end|>"],
        },
        audio_token_index=ids["<|AUDIO|>"],
    )  # fmt: skip
    transformers.Qwen2AudioForConditionalGeneration(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)
    return folder


def qwen2_5_omni(folder: Path) -> Path:
    """Write a random Qwen2.5-Omni of one layer in each network, with two speakers."""
    import torch
    import transformers

    ids = tokenizer(folder)
    torch.manual_seed(0)
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 1, 1]}
    layers = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": CONTEXT, "rope_parameters": rope,
    }  # fmt: skip
    places = {
        "audio_token_index": ids["<|AUDIO|>"], "image_token_index": ids["<|IMAGE|>"],
        "video_token_index": ids["<|VIDEO|>"], "audio_start_token_id": ids["<|audio_bos|>"],
        "audio_end_token_id": ids["<|audio_eos|>"],
        "vision_start_token_id": ids["<|vision_bos|>"], "vision_end_token_id": ids["<|vision_eos|>"],
    }  # fmt: skip
    config = transformers.Qwen2_5OmniConfig(
        thinker_config={
            **places,
            "audio_config": {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16,
                             "output_dim": 16, "num_mel_bins": 128},
            "vision_config": {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
                              "out_hidden_size": 16, "fullatt_block_indexes": [0]},
            "text_config": {**layers, "vocab_size": ids["size"], "eos_token_id": ids["<|im_end|>"]},
        },
        talker_config={
            **places, **layers, "vocab_size": CODES + 4, "embedding_size": 16, "head_dim": 8,
            "tts_text_start_token_id": ids["<tts_bos>"], "tts_text_end_token_id": ids["<tts_eos>"],
            "tts_text_pad_token_id": ids["<tts_pad>"], "tts_codec_pad_token_id": CODES,
            "tts_codec_start_token_id": CODES + 1, "tts_codec_end_token_id": CODES + 2,
            "tts_codec_mask_token_id": CODES + 3,
        },
        token2wav_config={
            "dit_config": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "head_dim": 8,
                           "emb_dim": 8, "num_embeds": CODES + 1, "mel_dim": 8, "enc_emb_dim": 8, "enc_dim": 8,
                           "enc_channels": [8, 8, 8, 8, 24], "enc_attention_channels": 8, "enc_se_channels": 8,
                           "enc_res2net_scale": 2, "look_ahead_layers": [0], "look_backward_layers": [0]},
            "bigvgan_config": {"mel_dim": 8, "upsample_initial_channel": 64},
        },
    )  # fmt: skip
    transformers.Qwen2_5OmniForConditionalGeneration(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=300).save_pretrained(folder)
    speakers = {
        name: {"bos_token": ids["<tts_bos>"], "cond": torch.randn(1, 8), "ref_mel": torch.randn(1, 30, 8)}
        for name in ("Chelsie", "Ethan")
    }
    torch.save(speakers, folder / "spk_dict.pt")
    return folder


def qwen3_omni(folder: Path) -> Path:
    """Write a random Qwen3-Omni of one layer, without the networks that make sound."""
    import torch
    import transformers

    ids = tokenizer(folder)
    torch.manual_seed(0)
    config = transformers.Qwen3OmniMoeConfig(
        enable_audio_output=False,
        thinker_config={
            "audio_token_id": ids["<|AUDIO|>"], "image_token_id": ids["<|IMAGE|>"],
            "video_token_id": ids["<|VIDEO|>"], "audio_start_token_id": ids["<|audio_bos|>"],
            "vision_start_token_id": ids["<|vision_bos|>"],
            "audio_config": {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16,
                             "output_dim": 16, "num_mel_bins": 128, "downsample_hidden_size": 4},
            "vision_config": {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
                              "out_hidden_size": 16, "deepstack_visual_indexes": [0], "num_position_embeddings": 4},
            "text_config": {"vocab_size": ids["size"], "hidden_size": 16, "intermediate_size": 16,
                            "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
                            "head_dim": 8, "moe_intermediate_size": 8, "num_experts": 4, "num_experts_per_tok": 2,
                            "max_position_embeddings": CONTEXT, "eos_token_id": ids["<|im_end|>"],
                            "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0,
                                                "mrope_section": [2, 1, 1]}},
        },
        talker_config={"speaker_id": {}, "text_config": {"num_hidden_layers": 1, "hidden_size": 16},
                       "code_predictor_config": {"num_hidden_layers": 1, "hidden_size": 16}},
    )  # fmt: skip
    transformers.Qwen3OmniMoeForConditionalGeneration(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=300).save_pretrained(folder)
    return folder


class Script:
    """Makes a network say given answers: the scores of its last layer are replaced by certainty.

    A pass over several tokens begins an answer, except that words before a call or a stop string are read
    twice when they are spoken.

    prompts: token ids of these passes; read: those of the passes after the last of them
    """

    def __init__(self, network: Any) -> None:
        self._network = network
        self.answers: list[Answer] = []
        self.prompts: list[list[int]] = []
        self.read: list[int] = []
        self._tokens: list[int] = []
        self._answer, self._begins = Answer(), False
        self._last_s = 0.0
        writer = network.writer
        self._hooks = (
            writer.register_forward_pre_hook(self._note, with_kwargs=True),
            writer.lm_head.register_forward_hook(self._say),
        )

    def next(self, *answers: Answer) -> None:
        """The network's next answers."""
        self.answers = list(answers)

    def remove(self) -> None:
        """Let the network choose its own words again."""
        for hook in self._hooks:
            hook.remove()

    def busy(self) -> bool:
        """Whether the network has worked in the last moments."""
        return time.monotonic() - self._last_s < 0.3

    def _note(self, module: Any, positional: Any, named: dict[str, Any]) -> None:
        ids = named["input_ids"][0].tolist()
        self._begins = len(ids) > 1  # its last layer may see the last position alone
        if self._begins:
            self.prompts.append(ids)
            self.read = []
        else:
            self.read += ids

    def _say(self, module: Any, inputs: Any, scores: Any) -> Any:
        self._last_s = time.monotonic()
        quiet = self._network.encode("<|quiet|>")[0]
        again = self.prompts[-2:-1] == self.prompts[-1:] and bool(self._answer.calls or self._tokens)
        if self._begins and not again:
            self._answer = self.answers.pop(0) if self.answers else Answer("Nothing.")
            calls = [
                f"\n<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"
                for name, arguments in self._answer.calls
            ]
            self._tokens = self._network.encode(self._answer.say + "".join(calls))
        if self._tokens:
            token = self._tokens.pop(0)
        elif self._answer.fails:
            raise RuntimeError("the network is broken")
        elif self._answer.stalls or self._answer.cut:
            time.sleep(0.01 if self._answer.stalls else 0)
            token = quiet
        else:
            token = self._network.encode("<|im_end|>")[0]
        certain = scores.new_full(scores.shape, -100.0)
        certain[..., token] = 100.0
        return certain
