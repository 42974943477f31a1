"""A timbre prompt: validated, immutable, stored in one file, and refused when the file was changed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("safetensors", reason="the extra local is not installed")

from safetensors.numpy import save  # noqa: E402

from agentaudio.errors import VoiceError  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt, TimbrePromptFormat  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402


def parts(tokens: int = 60, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "tokens": random.integers(0, 6561, tokens, np.int32),
        "embedding": random.standard_normal(192, np.float32),
        "mel": random.standard_normal((2 * tokens, 80), np.float32),
    }


def prompt(**fields: Any) -> TimbrePrompt:
    return TimbrePrompt(**{**parts(), "clip_hash": "ab", "made_by": "maker 1", **fields})


@given(
    st.integers(3, 90),
    st.integers(0, 9),
    st.text(max_size=30),
    st.lists(st.text(max_size=10), max_size=3),
)
def test_saved_and_loaded_it_is_the_same(tokens: int, seed: int, maker: str, warnings: list[str]) -> None:
    made = TimbrePrompt(**parts(tokens, seed), clip_hash="ab", made_by=maker, warnings=tuple(warnings))
    with tempfile.TemporaryDirectory() as folder:
        loaded = TimbrePrompt.load(made.save(Path(folder) / "a.timbre.safetensors"))
    assert loaded == made
    for name in ("tokens", "embedding", "mel"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(made, name))
    assert (loaded.clip_hash, loaded.made_by, loaded.warnings) == ("ab", maker, tuple(warnings))


def test_the_same_prompt_is_the_same_file(tmp_path: Path) -> None:
    assert prompt().save(tmp_path / "a").read_bytes() == prompt().save(tmp_path / "b").read_bytes()


@given(st.data())
def test_a_changed_file_is_refused_or_changes_nothing(data: st.DataObject) -> None:
    made = prompt(tokens=np.array([1, 2, 3]), mel=parts(3)["mel"])
    with tempfile.TemporaryDirectory() as folder:
        path = made.save(Path(folder) / "a.timbre.safetensors")
        content = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        try:
            assert TimbrePrompt.load(path) == made
        except VoiceError as error:
            assert str(path) in str(error) and "made again" in str(error)


@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = prompt().save(Path(folder) / "a.timbre.safetensors")
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(VoiceError, match=r"a\.timbre\.safetensors is cut short or corrupt; delete it"):
            TimbrePrompt.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs", b"\xff" * 100, b"\x02\0\0\0\0\0\0\0{}", b"[" * 9000]
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(VoiceError, match="cut short or corrupt"):
        TimbrePrompt.load(tmp_path / "x")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    words = {"timbre_prompt": json.dumps({"format": 3, "content_hash": "", "melody": "new"})}
    (tmp_path / "x").write_bytes(save({"something": np.zeros(3)}, words))
    with pytest.raises(VoiceError, match="has format 3, not 2; delete it"):
        TimbrePrompt.load(tmp_path / "x")


def test_a_process_killed_while_writing_leaves_a_whole_file(tmp_path: Path) -> None:
    old = prompt().save(tmp_path / "a.timbre.safetensors")
    forever = (
        "import sys; from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt\n"
        "prompt = TimbrePrompt.load(sys.argv[1]); print(flush=True)\n"
        "while True: prompt.save(sys.argv[1])"
    )
    with subprocess.Popen([sys.executable, "-c", forever, str(old)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        for _ in range(50):
            assert TimbrePrompt.load(old) == prompt()
        process.kill()
    assert TimbrePrompt.load(old) == prompt()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match=r"gone\.safetensors: No such file"):
        TimbrePrompt.load(tmp_path / "gone.safetensors")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VoiceError, match="file"):
        prompt().save(tmp_path / "file" / "a")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokens": np.array([1, 2])}, "3 or more"),
        ({"tokens": np.array([1.0, 2.0, 3.0])}, "integer tokens"),
        ({"tokens": np.array([1, 2, 6561]), "mel": np.zeros((6, 80))}, "6561 is not a speech token"),
        ({"tokens": np.array([1, -1, 6]), "mel": np.zeros((6, 80))}, "-1 is not a speech token"),
        ({"embedding": np.zeros(256, np.float32)}, r"embedding .*\(192,\)"),
        ({"embedding": np.full(192, np.nan)}, "NaN"),
        ({"mel": np.zeros((80, 120), np.float32)}, r"mel .*\(120, 80\)"),
    ],
)
def test_prompts_that_the_decoder_cannot_use_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(VoiceError, match=message):
        prompt(**fields)


@pytest.mark.parametrize(
    ("clip", "version", "message"),
    [("ac", "maker 1", "was made of another clip; delete it"), ("ab", "maker 2", "by 'maker 1', not 'maker 2'")],
)
def test_a_file_of_another_clip_or_version_is_not_read(tmp_path: Path, clip: str, version: str, message: str) -> None:
    kept = TimbrePromptFormat()
    path = tmp_path / f"a{kept.suffix}"
    kept.write(prompt(), path)
    assert kept.read(path, clip_sha256="ab", version="maker 1") == prompt()
    with pytest.raises(VoiceError, match=message):
        kept.read(path, clip_sha256=clip, version=version)


def test_its_arrays_are_copies_and_read_only() -> None:
    given_parts = parts()
    made = TimbrePrompt(**given_parts)
    given_parts["mel"][:] = 0
    assert made.mel.any()
    for array in (made.tokens, made.embedding, made.mel):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    "change", [{"made_by": "maker 2"}, {"warnings": ("clipped",)}, {"clip_hash": "ac"}, parts(seed=1)]
)
def test_the_hash_covers_all_of_it(change: dict[str, Any]) -> None:
    assert prompt(**change).content_hash != prompt().content_hash
    assert prompt(**change) != prompt()
    assert hash(prompt()) == hash(prompt())


def test_a_clip_is_known_by_its_samples_and_rate() -> None:
    samples = np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    assert Audio(samples, 16_000).sha256 == Audio(samples, 16_000).sha256
    assert Audio(samples, 16_000).sha256 != Audio(samples, 8_000).sha256
    assert Audio(samples, 16_000).sha256 != Audio(-samples, 16_000).sha256
