"""Checkpoints of Pocket TTS with random weights, written by the package itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

VOCABULARY = 4000


def write_tokenizer(path: Path) -> None:
    """A tokenizer of VOCABULARY tokens: characters, and pairs of letters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = "abcdefghijklmnopqrstuvwxyz"
    single = ["▁", *letters, *letters.upper(), *"0123456789", *".,!?;:'-–—…’‘äöüßéèàçñ"]
    triples = (a + b + c for a in letters for b in letters for c in letters)
    more = ["...", *(a + b for a in letters for b in letters), *triples]
    pieces = ["<unk>", *single, *more][:VOCABULARY]
    model = models.Unigram([(piece, -float(12 - 2 * len(piece))) for piece in pieces], unk_id=0, byte_fallback=False)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    assert tokenizer.get_vocab_size() == VOCABULARY
    tokenizer.save(str(path))


def packaged_config(variant: str) -> dict[str, Any]:
    """The package's configuration of a model that Kyutai publishes."""
    import pocket_tts

    path = Path(pocket_tts.__file__).parent / "config" / f"{variant}.yaml"
    config: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return config


def tiny_config() -> dict[str, Any]:
    """That of its smallest English model, with fewer and narrower layers."""
    config = packaged_config("english_2m_2026-10")
    config["flow_lm"]["transformer"] |= {"num_layers": 2}
    config["mimi"]["seanet"] |= {"n_filters": 8, "dimension": 64}
    config["mimi"]["transformer"] |= {
        "d_model": 64, "num_heads": 2, "num_layers": 1, "dim_feedforward": 64, "input_dimension": 64,
        "output_dimensions": [64],
    }  # fmt: skip
    config["mimi"]["decoder_seanet"] |= {"n_filters": 8}
    return config


def write_checkpoint(
    folder: Path,
    *,
    config: dict[str, Any] | None = None,
    speech: str = "short",
    seed: int = 0,
    save_config: bool = True,
    dtype: str = "float32",
) -> Path:
    """A folder with random weights, a tokenizer and config.yaml.

    config: None is `tiny_config`
    dtype: of the file; Kyutai's are bfloat16
    speech: "short" ends each piece after nine frames or so, "long" only at the limit of its length
    """
    import safetensors.torch
    import torch
    from pocket_tts import TTSModel

    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder / "tokenizer.json")
    config = tiny_config() if config is None else config
    for address in ("weights_path", "weights_path_without_voice_cloning"):
        config.pop(address, None)
    config["flow_lm"]["lookup_table"] |= {
        "tokenizer": "tokenizers", "tokenizer_path": str(folder / "tokenizer.json"),
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    torch.manual_seed(seed)
    model = TTSModel.load_model(config=folder / "config.yaml")
    with torch.no_grad():
        torch.nn.init.normal_(model.flow_lm.speaker_proj_weight, std=1.0)
        model.flow_lm.out_eos.bias.fill_(100.0 if speech == "short" else -100.0)
    weights = {name: tensor.to(getattr(torch, dtype)).contiguous() for name, tensor in model.state_dict().items()}
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    if not save_config:
        (folder / "config.yaml").unlink()
    return folder
