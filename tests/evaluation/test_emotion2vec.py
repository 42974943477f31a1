"""emotion2vec by FunASR, with a tiny network of its own architecture and random weights; see `make test-emotions`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.emotions import emotions_of
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.scorers.emotional import Emotional
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.sound.audio import Audio

pytest.importorskip("funasr", reason="pip install 'agentaudio[emotions]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # of FunASR and its libraries

LABELS = ("生气/angry", "厌恶/disgusted", "恐惧/fearful", "开心/happy", "中立/neutral", "其他/other", "难过/sad",
          "吃惊/surprised", "<unk>")  # fmt: skip

AUDIO: dict[str, Any] = {
    "type": "AUDIO", "prenet_depth": 1, "prenet_layerdrop": 0.0, "prenet_dropout": 0.0, "start_drop_path_rate": 0.0,
    "end_drop_path_rate": 0.0, "num_extra_tokens": 2, "init_extra_token_zero": True, "mask_noise_std": 0.01,
    "mask_prob_min": None, "mask_prob": 0.5, "inverse_mask": False, "mask_prob_adjust": 0.0, "keep_masked_pct": 0.0,
    "mask_length": 2, "add_masks": False, "remove_masks": False, "mask_dropout": 0.0, "encoder_zero_mask": True,
    "mask_channel_prob": 0.0, "mask_channel_length": 64, "ema_local_encoder": False, "local_grad_mult": 1.0,
    "use_alibi_encoder": True, "alibi_scale": 1.0, "learned_alibi": False, "alibi_max_pos": None,
    "learned_alibi_scale": True, "learned_alibi_scale_per_head": True, "learned_alibi_scale_per_layer": False,
    "num_alibi_heads": 2, "model_depth": 1, "decoder": None, "extractor_mode": "layer_norm", "conv_pos_width": 5,
    "feature_encoder_spec": "[(16, 10, 5)] + [(16, 3, 2)]", "conv_pos_groups": 4, "conv_pos_depth": 1,
    "conv_pos_pre_ln": False,
}  # fmt: skip
NETWORK: dict[str, Any] = {
    "loss_beta": 0.0, "loss_scale": None, "depth": 1, "start_drop_path_rate": 0.0, "end_drop_path_rate": 0.0,
    "num_heads": 2, "norm_eps": 1e-5, "norm_affine": True, "encoder_dropout": 0.0, "post_mlp_drop": 0.0,
    "attention_dropout": 0.0, "activation_dropout": 0.0, "dropout_input": 0.0, "layerdrop": 0.0, "embed_dim": 16,
    "mlp_ratio": 2.0, "layer_norm_first": False, "average_top_k_layers": 1, "end_of_block_targets": False,
    "clone_batch": 1, "normalize": True, "modalities": {"audio": AUDIO},
}  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the published models."""
    import torch
    from funasr.models.emotion2vec.model import Emotion2vec

    folder = tmp_path_factory.mktemp("emotion2vec")
    config: dict[str, Any] = {
        "model": "Emotion2vec", "model_conf": NETWORK, "tokenizer": "CharTokenizer", "vocab_size": len(LABELS),
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True}, "scope_map": ["d2v_model.", "none"],
    }  # fmt: skip
    (folder / "tokens.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    torch.manual_seed(0)
    torch.save(Emotion2vec(**config).state_dict(), folder / "model.pt")
    return folder


def tone(rate_hz: int) -> Audio:
    return Audio((0.1 * np.sin(2 * np.pi * 220 * np.arange(rate_hz) / rate_hz)).astype(np.float32), rate_hz)


def test_each_emotion_has_a_probability_at_any_sample_rate(weights: Path) -> None:
    found = emotions_of(tone(16_000), weights)
    assert list(found) == [
        "angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unk",
    ]  # fmt: skip
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-5) and len(set(found.values())) == len(found)
    assert emotions_of(tone(24_000), weights)["happy"] == pytest.approx(found["happy"], abs=1e-3)


async def test_the_points_are_the_probability_times_the_right_words(weights: Path, tmp_path: Path) -> None:
    speech = tone(16_000).save(tmp_path / "answer.wav")
    scorer = Emotional(ErrorRate("en", ("uro",)), folder=str(weights))
    item = Item("1", reference="what a lovely day", details={"emotion": "Happiness"})
    score = await scorer.score(item, Answer("what a lonely day", sounds=(str(speech),)), None)
    assert score.value == pytest.approx(emotions_of(Audio.load(speech), weights)["happy"] * 0.75)
    other = Item("1", reference="what a day", details={"emotion": "bored"})
    with pytest.raises(EvaluationError, match="wants the emotion 'bored'; the model knows angry, "):
        await scorer.score(other, Answer("what a day", sounds=(str(speech),)), None)


def test_weights_that_cannot_be_read_are_one_clear_error(weights: Path, tmp_path: Path) -> None:
    for name in ("config.yaml", "tokens.txt"):
        (tmp_path / name).write_bytes((weights / name).read_bytes())
    (tmp_path / "model.pt").write_bytes(b"not weights")
    with pytest.raises(EvaluationError, match="the emotion2vec model in .* cannot be loaded"):
        emotions_of(tone(16_000), tmp_path)
