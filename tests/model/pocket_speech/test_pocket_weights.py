"""Where the weights of Pocket TTS are looked for, what is said of those that are missing, and the options."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.errors import BackendError, MissingExtra, OptionError, WeightsMissing
from agentaudio.model.pocket_tts.checkpoint import ENTRY, find_checkpoint
from agentaudio.model.pocket_tts.load import load
from agentaudio.weights.ledger import ledger

is_installed = pytest.mark.skipif(
    importlib.util.find_spec("pocket_tts") is None, reason="the extra pocket-tts is not installed"
)


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_without_the_extra_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocket_tts", None)
    with pytest.raises(MissingExtra, match=r"pip install 'agentaudio\[pocket-tts\]'"):
        load(None)


def test_the_ledger_gives_licence_and_terms_of_every_entry_of_pocket_tts() -> None:
    entries = {name: entry for name, entry in ledger().items() if name.startswith("pocket-tts")}
    assert len(entries) == 3
    for entry in entries.values():
        assert entry.licence == "CC-BY-4.0" and "consent of its speaker" in entry.terms
    assert entries["pocket-tts"].gated == ("https://huggingface.co/kyutai/pocket-tts",)


@is_installed
def test_the_english_weights_come_from_the_ledger(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="run `agentaudio models fetch pocket-tts`"):
        load(None)


def test_the_export_without_torch_comes_from_the_ledger() -> None:
    with pytest.raises(WeightsMissing, match="run `agentaudio models fetch pocket-tts-onnx`"):
        load("onnx")


@is_installed
def test_weights_of_the_right_size_and_the_wrong_hash_are_not_used(tmp_path: Path) -> None:
    home = tmp_path / "cache" / "weights" / f"{ENTRY}-{ledger()[ENTRY].digest[:12]}"
    home.mkdir(parents=True)
    for name, file in ledger()[ENTRY].files.items():
        with (home / name).open("wb") as written:
            written.truncate(file.size)
    with pytest.raises(WeightsMissing, match="2 of 2 files are missing or damaged"):
        load(None)


@is_installed
def test_other_variants_are_taken_from_the_cache_of_the_hub_and_the_commands_that_fill_it_are_named() -> None:
    with pytest.raises(WeightsMissing) as error:
        load("german")
    message = str(error.value)
    assert "forbid cloning a voice without its speaker's consent" in message and "\n" not in message
    assert "hf download kyutai/pocket-tts languages/german/model.safetensors --revision " in message


@is_installed
def test_a_variant_in_the_cache_of_the_hub_is_found(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing) as error:
        load("german")
    for command in str(error.value).split("`hf download ")[1:]:
        repository, path, _, revision = command.partition("`")[0].split()
        file = tmp_path / "hub" / f"models--{repository.replace('/', '--')}" / "snapshots" / revision / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"weights")
    found = find_checkpoint("german")
    assert found.languages == ("de",) and found.weights.read_bytes() == b"weights"
    assert load("german").languages == ("de",)


@is_installed
@pytest.mark.parametrize(
    ("argument", "files", "said"),
    [
        ("germn", {}, "there is no Pocket TTS 'germn': did you mean 'german'"),
        ("FOLDER", {}, "is not a checkpoint of Pocket TTS: model.safetensors is missing"),
        ("FOLDER", {"model.safetensors": ""}, "tokenizer.json or tokenizer.model is missing"),
        ("FOLDER", {"model.safetensors": "", "tokenizer.json": "", "config.yaml": "[1"}, "cannot be read as YAML"),
        ("FOLDER", {"model.safetensors": "", "tokenizer.json": "", "config.yaml": "1"}, "is not a configuration"),
    ],
)
def test_a_name_or_folder_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, argument: str, files: dict[str, str], said: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    with pytest.raises(BackendError, match=said) as error:
        load(argument.replace("FOLDER", str(folder)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: load(None, temperature=3.0), "temperature is 3; give a number from 0 to 2"),
        (lambda: load(None, temperature=float("nan")), "temperature is nan; give a number from 0 to 2"),
        (lambda: load(None, steps=0), "steps is 0; give a whole number from 1 to 64"),
        (lambda: load(None, threads=0), "threads is 0; give a whole number from 1 to 64"),
    ],
)
def test_options_out_of_range_are_refused(wrong: Callable[[], object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        wrong()


@is_installed
def test_a_variant_that_does_not_exist_is_refused_for_a_folder(tmp_path: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(BackendError, match="no variant 'englsh' of Pocket TTS: did you mean 'english'"):
        load(str(tmp_path), variant="englsh")


@is_installed
def test_the_voice_that_speaks_where_none_is_given_is_a_sound_file(tmp_path: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"")
    tone().save(tmp_path / "mine.wav")
    load(str(tmp_path), variant="german", voice=tmp_path / "mine.wav")
    with pytest.raises(OptionError, match="the voice .*none.wav cannot be used"):
        load(str(tmp_path), variant="german", voice=tmp_path / "none.wav")
