"""The decoder's files: the official layout loads, invalid files are reported, and no code in them is run."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the decoder needs torch")
yaml = pytest.importorskip("yaml", reason="the decoder needs PyYAML")

from agentaudio.errors import BackendError, OptionError  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.config import FlowConfig  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.synthesis import Token2Wav  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.tiny_weights import (  # noqa: E402
    TINY,
    flow_yaml,
    random_flow,
    random_hift,
    write_tiny_token2wav,
)
from agentaudio.model.step_audio_2.token2wav.weights import folded, load_hift  # noqa: E402


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_token2wav(tmp_path_factory.mktemp("token2wav"), seed=3)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A checkpoint to break: links to the files, which a test replaces."""
    for file in made.iterdir():
        (tmp_path / file.name).symlink_to(file)
    return tmp_path


def rewrite(path: Path, content: str | bytes) -> None:
    path.unlink()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def edited(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    weights = torch.load(path, weights_only=True)
    change(weights)
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    rewrite(path, buffer.getvalue())


def test_the_tiny_decoder_is_small_and_determined_by_its_seed(made: Path, tmp_path: Path) -> None:
    assert sorted(file.name for file in made.iterdir()) == ["flow.pt", "flow.yaml", "hift.pt"]
    assert sum(file.stat().st_size for file in made.iterdir()) < 3_000_000
    loaded = Token2Wav.load(made)
    for part, random in (
        (loaded.flow, random_flow(FlowConfig.from_dict(TINY), 3)),
        (loaded.vocoder, random_hift(32, 24, seed=3)),
    ):
        expected = random.state_dict()
        assert part.state_dict().keys() == expected.keys()
        for name, value in part.state_dict().items():
            torch.testing.assert_close(value, expected[name], msg=name)
    other = write_tiny_token2wav(tmp_path, seed=4)
    assert (other / "flow.pt").read_bytes() != (made / "flow.pt").read_bytes()


def test_names_and_shapes_are_those_of_the_published_files() -> None:
    with torch.device("meta"):
        flow = random_flow(FlowConfig())
        vocoder = random_hift(512, 512)
    assert len(flow.state_dict()) == 605
    assert sum(value.numel() for value in flow.state_dict().values()) == 155_802_352
    pairs = sum(value.ndim == 3 and "source_downs" not in name for name, value in vocoder.state_dict().items())
    assert len(vocoder.state_dict()) + pairs == 328


def test_names_may_carry_the_generator_prefix(folder: Path) -> None:
    plain = load_hift(folder / "hift.pt").state_dict()

    def prefix(weights: dict[str, Any]) -> None:
        for name in list(weights):
            weights[f"generator.{name}"] = weights.pop(name)

    edited(folder / "hift.pt", prefix)
    assert all(torch.equal(value, plain[name]) for name, value in load_hift(folder / "hift.pt").state_dict().items())


def test_weight_normalisation_is_folded() -> None:
    direction, gain = torch.randn(4, 3, 5), torch.rand(4, 1, 1)
    name = "ups.0.parametrizations.weight.original"
    weights = folded({f"{name}0": gain, f"{name}1": direction, "ups.0.bias": torch.ones(4)})
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(3, 4, 5))
    layer.parametrizations.weight.original0.data = gain
    layer.parametrizations.weight.original1.data = direction
    torch.testing.assert_close(weights["ups.0.weight"], layer.weight.detach())
    assert weights.keys() == {"ups.0.weight", "ups.0.bias"}


@pytest.mark.parametrize("name", ["flow.yaml", "flow.pt", "hift.pt"])
def test_a_missing_or_unreadable_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BackendError, match=rf"{name} is missing; download it again"):
        Token2Wav.load(folder)
    (folder / name).mkdir()
    with pytest.raises(BackendError, match=rf"cannot read .*{name}"):
        Token2Wav.load(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="no folder .*nowhere"):
        Token2Wav.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["flow.pt", "hift.pt"])
@pytest.mark.parametrize("share", [0.0, 0.00001, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_named(folder: Path, name: str, share: float) -> None:
    content = (folder / name).read_bytes()
    rewrite(folder / name, content[: int(share * len(content))])
    with pytest.raises(BackendError, match=rf"{name} is cut short or corrupt .*; download it again"):
        Token2Wav.load(folder)


@pytest.mark.parametrize("name", ["flow.pt", "hift.pt"])
def test_a_git_lfs_pointer_is_distinguished_from_a_broken_file(folder: Path, name: str) -> None:
    rewrite(folder / name, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(BackendError, match=rf"{name} is a Git LFS pointer.*git lfs pull"):
        Token2Wav.load(folder)


def test_tensors_that_lack_or_do_not_fit_are_named(folder: Path) -> None:
    edited(folder / "flow.pt", lambda weights: weights.pop("encoder.after_norm.bias"))
    with pytest.raises(
        BackendError, match=r"1 of \d+ tensors are missing in .*flow\.pt, such as encoder\.after_norm\.bias"
    ):
        Token2Wav.load(folder)
    edited(folder / "flow.pt", lambda weights: weights.update({"encoder.after_norm.bias": torch.zeros(7)}))
    with pytest.raises(BackendError, match=r"after_norm\.bias in .*flow\.pt is 7, but flow\.yaml makes it 32"):
        Token2Wav.load(folder)
    whole = (folder / "hift.pt").read_bytes()
    for lost in ("conv_pre.bias", "conv_pre.parametrizations.weight.original0", "ups.1.bias", "m_source.l_linear.bias"):
        rewrite(folder / "hift.pt", whole)
        edited(folder / "hift.pt", lambda weights, lost=lost: weights.pop(lost))  # type: ignore[misc]
        with pytest.raises(BackendError, match=r"hift\.pt.*download it again"):
            load_hift(folder / "hift.pt")
    rewrite(folder / "hift.pt", whole)
    gain = "ups.1.parametrizations.weight.original0"
    edited(folder / "hift.pt", lambda weights: weights.update({gain: torch.ones(3, 1, 1)}))
    with pytest.raises(BackendError, match=r"ups\.1\.weight"):
        load_hift(folder / "hift.pt")


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {1: torch.ones(1)}, {"a": torch.ones(1).long()}, torch.ones(2)])
def test_a_file_of_something_else_is_refused(folder: Path, content: Any) -> None:
    (folder / "flow.pt").unlink()
    torch.save(content, folder / "flow.pt")
    with pytest.raises(BackendError, match=r"flow\.pt.*download it again"):
        Token2Wav.load(folder)


class Mischief:
    """What a malicious file would hold."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def test_code_in_a_file_of_weights_is_not_run(folder: Path) -> None:
    mark = folder / "it ran"
    rewrite(folder / "flow.pt", pickle.dumps({"a": Mischief(mark)}, protocol=2))
    with pytest.raises(BackendError, match="other things than tensors, which are not loaded") as refused:
        Token2Wav.load(folder)
    assert "weights_only" not in str(refused.value), "it is not said how to load them nevertheless"
    with zipfile.ZipFile(folder / "hift.pt.zip", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": Mischief(mark)}))
        archive.writestr("archive/version", "3\n")
    rewrite(folder / "hift.pt", (folder / "hift.pt.zip").read_bytes())
    with pytest.raises(BackendError, match="cut short or corrupt"):
        load_hift(folder / "hift.pt")
    assert not mark.exists()


def test_the_published_form_of_flow_yaml_is_read(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    for config in (FlowConfig(), FlowConfig.from_dict(TINY)):
        text = flow_yaml(config)
        assert "encoder: !new:cosyvoice2." in text
        path.write_text(text)
        assert FlowConfig.read(path) == config


def test_tags_are_inert(tmp_path: Path) -> None:
    path, mark = tmp_path / "flow.yaml", tmp_path / "it ran"
    text = flow_yaml(FlowConfig())
    for tag in ("!new:os.mkdir", "!apply:os.mkdir", "!!python/object/apply:os.mkdir", "!name:os.mkdir"):
        path.write_text(f"{text}\nother: {tag} ['{mark}']\nmore: {tag} {{path: '{mark}'}}\nlast: {tag} '{mark}'\n")
        assert FlowConfig.read(path) == FlowConfig()
    path.write_text(text.replace("cosyvoice2.flow.decoder_dit.DiT", "os.system"))
    assert FlowConfig.read(path) == FlowConfig()
    assert not mark.exists()


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nflow: *c\n"
MERGES = "a: &a {x: 1}\nb: &b {<<: [*a, *a]}\nflow: {<<: [*b, *b]}\n"


@pytest.mark.parametrize(
    "content",
    [BOMB, MERGES, "", "42", "[1, 2]", "flow: 1", "flow: {encoder: {}}", "flow: {encoder: {}, decoder: {}}", "a: [",
     "\x00", b"\xff\xfe\xff", "[" * 2000, "{" * 2000, "a: !!int seven", "? [1]\n: 2", "x" * 70_000,
     "a: !!timestamp no", "a: !!bool maybe"],
)  # fmt: skip
def test_invalid_flow_yaml_is_refused(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "flow.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BackendError, match=r"flow\.yaml.*download it again"):
        FlowConfig.read(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [("depth: 16", "depth: 100000000"), ("depth: 16", "depth: 0"), ("depth: 16", "depth: true"),
     ("hidden_size: 512", "hidden_size: many"), ("attention_heads: 8", "attention_heads: 7"),
     ("output_size: 80", "output_size: 81"), ("mlp_ratio: 4.0", "mlp_ratio: .nan"), ("up_stride: 2", "up_stride: 3"),
     ("output_type: mel", "output_type: wave"), ("inference_cfg_rate: 0.7", "inference_cfg_rate: -1")],
)  # fmt: skip
def test_sizes_that_cannot_be_are_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "flow.yaml"
    text = flow_yaml(FlowConfig())
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(BackendError, match=r"flow\.yaml: .*download it again"):
        FlowConfig.read(path)


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="flow:{}[]!&*<> \n-?|'\"0x.", max_size=200).map(str.encode)))
def test_any_bytes_are_a_configuration_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "flow.yaml"
    path.write_bytes(content)
    with pytest.raises(BackendError):
        FlowConfig.read(path)


@pytest.mark.parametrize(
    "options", [{"device": "abacus"}, {"device": "cuda:99"}, {"dtype": "int8"}, {"dtype": torch.int8}, {"steps": 0}]
)
def test_places_and_kinds_that_cannot_be_are_refused(made: Path, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Token2Wav.load(made, **options)


def test_the_flow_may_be_half_precision_and_the_vocoder_stays_whole(made: Path) -> None:
    for dtype in ("bfloat16", torch.bfloat16):
        loaded = Token2Wav.load(made, dtype=dtype, device="cpu")
        assert {value.dtype for value in loaded.flow.state_dict().values()} == {torch.bfloat16}
        assert {value.dtype for value in loaded.vocoder.state_dict().values()} == {torch.float32}
    assert np.dtype("float32") == Token2Wav.load(made).flow.speaker(torch.ones(1, 192)).numpy().dtype
