"""Checkpoints: both forms of config.json, the Auto classes, and errors for folders that cannot be loaded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
transformers = pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2_tiny import AUDIO, TEXT, config, fresh, mel, prompt  # noqa: E402

from agentaudio.errors import BackendError, OptionError  # noqa: E402
from agentaudio.model.step_audio_2.init_tiny import init_tiny  # noqa: E402
from agentaudio.model.step_audio_2.network.checkpoint import load_checkpoint  # noqa: E402
from agentaudio.model.step_audio_2.network.config import STOP_IDS, StepAudio2Config  # noqa: E402
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM  # noqa: E402
from agentaudio.model.step_audio_2.tokens import ADDED_TOKENS, BpeVocabulary, TokenIds  # noqa: E402

STATUS = Path("/proc/self/status")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return init_tiny(tmp_path_factory.mktemp("tiny"), seed=3, shards=2)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A checkpoint to break: links to the files, which a test replaces."""
    for file in made.iterdir():
        (tmp_path / file.name).symlink_to(file)
    return tmp_path


def rewrite(path: Path, content: str | bytes) -> None:
    path.unlink()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def edited(path: Path, **fields: Any) -> None:
    rewrite(path, json.dumps(json.loads(path.read_text()) | fields))


def test_auto_classes_load_the_official_layout_without_remote_code(folder: Path) -> None:
    remote = {
        "AutoConfig": "configuration_step_audio_2.StepAudio2Config",
        "AutoModelForCausalLM": "modeling_step_audio_2.StepAudio2ForCausalLM",
    }
    edited(folder / "config.json", auto_map=remote, some_new_field={"ignored": True})
    (folder / "modeling_step_audio_2.py").write_text("raise SystemExit('remote code was run')")
    (folder / "configuration_step_audio_2.py").write_text("raise SystemExit('remote code was run')")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    assert type(model) is StepAudio2ForCausalLM
    assert model.dtype == torch.bfloat16
    assert model.generation_config.eos_token_id == list(STOP_IDS)
    assert model.generation_config.pad_token_id == TokenIds().endoftext


def test_weights_survive_saving_and_loading(tmp_path: Path) -> None:
    model = fresh()
    model.save_pretrained(tmp_path, max_shard_size="8MB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    again = load_checkpoint(tmp_path)
    for part in ("text_config", "audio_encoder_config"):
        before, after = (getattr(one.config, part).to_dict() | {"dtype": None} for one in (model, again))
        assert after == before
    for (name, before), (same, after) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == same
        assert torch.equal(before, after), name


def test_names_of_the_weights_are_the_official_ones() -> None:
    names = {re.sub(r"\.\d+\.", ".N.", name, count=1) for name in fresh().state_dict()}
    attention = {f"self_attn.{part}.{kind}" for part in ("q_proj", "k_proj", "v_proj") for kind in ("weight", "bias")}
    mlp = {f"mlp.{part}.weight" for part in ("gate_proj", "up_proj", "down_proj")}
    layer = (
        attention
        | mlp
        | {f"{part}.weight" for part in ("self_attn.o_proj", "input_layernorm", "post_attention_layernorm")}
    )
    heard = {f"attn.{part}.{kind}" for part in ("query", "value", "out") for kind in ("weight", "bias")}
    heard |= {f"{part}.{kind}" for part in ("attn_ln", "mlp_ln", "mlp.0", "mlp.2") for kind in ("weight", "bias")}
    audio = {f"encoder.{part}.{kind}" for part in ("conv1", "conv2", "after_norm") for kind in ("weight", "bias")}
    audio |= {f"adapter.{part}.{kind}" for part in ("conv", "linear1", "linear2") for kind in ("weight", "bias")}
    assert names == (
        {"model.embed_tokens.weight", "model.norm.weight", "lm_head.weight", "encoder.positional_embedding.weight"}
        | {f"model.layers.N.{name}" for name in layer}
        | {f"encoder.blocks.N.{name}" for name in heard | {"attn.key.weight"}}
        | audio
    )


def test_flat_and_nested_configurations_mean_the_same(tmp_path: Path) -> None:
    nested = config()
    for name in ("step_audio_2", "step_audio_qwen2"):
        flat = {"model_type": name, "torch_dtype": "float32", **TEXT, "audio_encoder_config": AUDIO, "max_seq_len": 9}
        (tmp_path / "config.json").write_text(json.dumps(flat))
        read = transformers.AutoConfig.from_pretrained(tmp_path)
        assert read.model_type == name
        assert read.text_config.to_dict() == nested.text_config.to_dict()
        assert read.audio_encoder_config.to_dict() == nested.audio_encoder_config.to_dict()
        assert type(transformers.AutoModelForCausalLM.from_config(read)) is StepAudio2ForCausalLM


def test_missing_fields_take_the_references_defaults() -> None:
    bare = StepAudio2Config()
    text, audio = bare.text_config, bare.audio_encoder_config
    assert (text.vocab_size, text.hidden_size, text.num_hidden_layers, text.num_key_value_heads) == (64012, 4096, 48, 4)
    assert (text.hidden_act, text.rope_parameters["rope_theta"], text.rms_norm_eps) == ("silu", 1e6, 1e-6)
    assert (audio.n_mels, audio.n_audio_state, audio.n_audio_head, audio.llm_dim) == (128, 512, 8, 4096)


def test_attention_is_full_whatever_the_file_says() -> None:
    text = StepAudio2Config(text_config={"use_sliding_window": True, "sliding_window": 64}).text_config
    assert set(text.layer_types) == {"full_attention"}
    assert text.sliding_window is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text_config": {"num_attention_groups": 2, "num_key_value_heads": 4}}, "num_attention_groups is 2"),
        ({"audio_encoder_config": {"llm_dim": 100}}, "llm_dim is 100"),
        ({"text_config": {"num_hidden_layers": 0}}, "num_hidden_layers is 0, which must be at least 1"),
        ({"text_config": {"num_hidden_layers": -1}}, "num_hidden_layers is -1"),
        ({"text_config": {"vocab_size": 0}}, "vocab_size is 0"),
        ({"text_config": {"num_attention_heads": 6, "num_key_value_heads": 4}}, "num_attention_heads is 6.* multiple"),
        ({"audio_encoder_config": {"n_audio_layer": -1}}, "n_audio_layer is -1"),
        ({"audio_encoder_config": {"n_audio_state": 65, "n_audio_head": 8}}, "n_audio_state is 65.* multiple"),
        ({"audio_encoder_config": {"adapter_stride": 0}}, "adapter_stride is 0"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        StepAudio2Config(**fields)


def test_tiny_checkpoints_are_the_same_for_the_same_seed(made: Path, tmp_path: Path) -> None:
    again = init_tiny(tmp_path, seed=3)
    first, second = (load_checkpoint(place).state_dict() for place in (made, again))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(fresh(seed=1).lm_head.weight, fresh(seed=2).lm_head.weight)


def test_tiny_tokenizer_has_the_published_ids(made: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(made / "tokenizer.json"))
    assert BpeVocabulary(tokenizer).ids == TokenIds()
    assert len(ADDED_TOKENS) == 158_352 - 151_643
    assert [tokenizer.token_to_id(name) for name in ADDED_TOKENS] == list(range(151_643, 158_352))
    ids = tokenizer.encode("<|BOT|>你好<audio_7>", add_special_tokens=False).ids
    assert ids[0] == TokenIds().bot and ids[-1] == TokenIds().audio_0 + 7 and len(ids) == 8
    assert tokenizer.decode(ids[1:-1]) == "你好"


@pytest.mark.parametrize("options", [{"shards": 0}, {"dtype": "int3"}])
def test_impossible_tiny_checkpoints_are_refused(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        init_tiny(tmp_path, **options)


def test_dtype_and_device_are_chosen_at_loading(made: Path) -> None:
    pytest.importorskip("accelerate", reason="device_map needs accelerate")
    model = load_checkpoint(made, dtype=torch.float32, device_map="cpu")
    assert model.dtype == torch.float32
    with torch.no_grad():
        assert model(**prompt("hi")).logits.shape == (1, 2, 158_720)


@pytest.mark.skipif(not STATUS.exists(), reason="reads the peak memory that Linux keeps")
def test_loading_never_holds_the_weights_twice(tmp_path: Path) -> None:
    init_tiny(tmp_path, text={"hidden_size": 256})
    size = (tmp_path / "model.safetensors").stat().st_size
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = memory("VmHWM")
    model = load_checkpoint(tmp_path)
    assert memory("VmHWM") - before < 1.15 * size
    assert model.lm_head.weight.numel() == 158_720 * 256


def memory(name: str) -> int:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def four_bits() -> Any:
    pytest.importorskip("bitsandbytes", reason="4-bit weights need bitsandbytes")
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )


def eight_bits() -> Any:
    quantization = pytest.importorskip("torchao.quantization", reason="8-bit weights need torchao")
    return transformers.TorchAoConfig(quantization.Int8WeightOnlyConfig())


@pytest.mark.parametrize(("quantized", "alike"), [(four_bits, 0.95), (eight_bits, 0.99)])
def test_quantized_weights_answer_alike(quantized: Any, alike: float, tmp_path: Path) -> None:
    pytest.importorskip("accelerate", reason="quantized weights need accelerate")
    options = {"quantization_config": quantized()}
    # Four bits come in blocks of 64 weights.
    made = init_tiny(tmp_path, text={"hidden_size": 64}, audio={"n_audio_state": 64})
    inputs = prompt("hello ", mel(9000), "\n")
    with torch.no_grad():
        model = load_checkpoint(made, **options)
        small = model(**inputs).logits.float()
        full = load_checkpoint(made)(**inputs).logits.float()
    assert torch.nn.functional.cosine_similarity(small, full, dim=-1).min() > alike
    assert type(model.encoder.blocks[0].mlp[0]) is torch.nn.Linear
    assert model.encoder.blocks[0].mlp[0].weight.dtype == torch.bfloat16


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"no folder .*missing"):
        load_checkpoint(tmp_path / "missing")


SHARD = "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: rewrite(f / "config.json", "{"), "config.json is corrupt: it is not JSON"),
        (lambda f: rewrite(f / "config.json", "[]"), "config.json is corrupt: it does not hold a JSON object"),
        (lambda f: edited(f / "config.json", model_type="llama"), "is of a 'llama' model, not of Step-Audio 2"),
        (lambda f: edited(f / "config.json", text_config={"hidden_size": "wide"}), "config.json cannot be used"),
        (lambda f: (f / INDEX).unlink(), "no weights in .*: neither model.safetensors nor"),
        (lambda f: rewrite(f / INDEX, '{"weight_map": 3}'), "has no weight_map"),
        (lambda f: (f / SHARD).unlink(), f"{SHARD} is missing"),
        (lambda f: rewrite(f / SHARD, (f / SHARD).read_bytes()[:-1]), f"{SHARD} is cut short: "),
        (lambda f: rewrite(f / SHARD, b""), f"{SHARD} is cut short or not a safetensors file"),
        (lambda f: rewrite(f / SHARD, b"PK\x03\x04" * 100), f"{SHARD} is cut short or not a safetensors file"),
        (lambda f: rewrite(f / SHARD, b"\x04" + b"\0" * 7 + b"nope"), f"{SHARD} is corrupt: its header"),
        (lambda f: rewrite(f / SHARD, "version https://git-lfs.github.com/spec/v1\n"), "run `git lfs pull`"),
        (lambda f: rewrite(f / SHARD, (f / SHARD.replace("2-", "1-", 1)).read_bytes()), f"{SHARD} lacks "),
    ],
)
def test_the_reason_is_given_when_a_folder_cannot_be_loaded(damage: Any, message: str, folder: Path) -> None:
    damage(folder)
    with pytest.raises(BackendError, match=message):
        load_checkpoint(folder)


def test_weights_of_another_size_are_refused(folder: Path) -> None:
    sizes = json.loads((folder / "config.json").read_text())["text_config"] | {"intermediate_size": 128}
    edited(folder / "config.json", text_config=sizes)
    with pytest.raises(BackendError, match="gate_proj.weight in .* is 64x32, but 128x32 by config.json"):
        load_checkpoint(folder)


def test_weights_that_are_missing_are_counted(folder: Path) -> None:
    sizes = json.loads((folder / "config.json").read_text())["text_config"] | {"num_hidden_layers": 3}
    edited(folder / "config.json", text_config=sizes)
    with pytest.raises(BackendError, match="12 of 82 tensors are missing in .*, such as model.layers.2."):
        load_checkpoint(folder)
