"""`Checkpoint`: the files of Pocket TTS for torch, from the ledger, the cache of the hub or a folder."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from agentaudio.errors import BackendError, MissingExtra, WeightsMissing, did_you_mean
from agentaudio.weights.ledger import ledger
from agentaudio.weights.nearby import hub_cache
from agentaudio.weights.store import folder

VARIANT, ENTRY, ENTRY_WITHOUT_CLONING = "english_2026-04", "pocket-tts", "pocket-tts-open"
"""The variant whose hashes the ledger has, and its entries."""
LANGUAGES = {
    "english": "en", "french": "fr", "german": "de", "portuguese": "pt", "italian": "it", "spanish": "es",
    "dutch": "nl",
}  # fmt: skip
WEIGHTS, TOKENIZERS, CONFIG = "model.safetensors", ("tokenizer.json", "tokenizer.model"), "config.yaml"
TERMS = "the licence is CC-BY-4.0, and the terms forbid cloning a voice without its speaker's consent"


@dataclass(frozen=True)
class Checkpoint:
    """name: for messages; weights, tokenizer: files; config: as in the package, for which it gives the shapes

    languages: BCP-47 codes; empty when not known
    sha256: of the weights when they were verified; None when not
    """

    name: str
    weights: Path
    tokenizer: Path
    config: dict[str, Any]
    languages: tuple[str, ...] = ()
    sha256: str | None = None

    @cached_property
    def digest(self) -> str:
        """Of weights, tokenizer and configuration, in hexadecimal digits. Raises BackendError for unreadable files."""
        parts = (self._weights_sha256, _sha256(self.tokenizer), sorted(self.config.items()))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def is_without_cloning(self) -> bool:
        """Whether the ledger knows the weights as those without the encoder that clones."""
        return self._weights_sha256 == ledger()[ENTRY_WITHOUT_CLONING].files[WEIGHTS].sha256

    def local_config(self) -> dict[str, Any]:
        """The configuration with the paths of the files in place of addresses.

        Raises BackendError when it is not one of Pocket TTS.
        """
        try:
            flow, mimi = dict(self.config["flow_lm"]), dict(self.config["mimi"])
            table = dict(flow["lookup_table"])
        except (KeyError, TypeError, ValueError):
            raise BackendError(
                f"the configuration of {self.name!r} is not one of Pocket TTS; take that of the package"
            ) from None
        kind = "tokenizers" if self.tokenizer.suffix == ".json" else "sentencepiece"
        table |= {"tokenizer": kind, "tokenizer_path": str(self.tokenizer.absolute())}
        for part in (flow, mimi):
            part.pop("weights_path", None)
        config = self.config | {"flow_lm": flow | {"lookup_table": table}, "mimi": mimi}
        config.pop("weights_path_without_voice_cloning", None)
        return config | {"weights_path": str(self.weights.absolute())}

    @cached_property
    def _weights_sha256(self) -> str:
        return self.sha256 or _sha256(self.weights)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackendError(f"cannot read {path}: {error.strerror}; correct its permissions") from None


def find_checkpoint(argument: str | None, variant: str | None = None) -> Checkpoint:
    """The files of a variant, or of a folder. Nothing is downloaded.

    argument: a variant of the package pocket-tts, such as `german`, or a folder with model.safetensors, tokenizer.json
        or tokenizer.model, and config.yaml; None is VARIANT
    variant: gives the shapes of a folder without config.yaml

    Raises MissingExtra without the extra `pocket-tts`, WeightsMissing when files are not on this machine, with the
    command that fetches them, and BackendError for an unknown variant and for a folder without these files.
    """
    known = _variants()
    name = argument or VARIANT
    if name in known and not (argument and Path(argument, WEIGHTS).is_file()):
        return _of_variant(name, known[name])
    place = Path(name).expanduser()
    if not place.is_dir():
        raise BackendError(f"there is no Pocket TTS {name!r}: {did_you_mean(name, known)}; or give a folder")
    return _of_folder(place, variant, known)


def _variants() -> dict[str, Path]:
    """The configurations that the package has, by variant. The package is not imported."""
    spec = find_spec("pocket_tts")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("speaking with Pocket TTS", "pocket-tts")
    return {path.stem: path for path in sorted(Path(spec.submodule_search_locations[0], "config").glob("*.yaml"))}


def _of_variant(name: str, config_path: Path) -> Checkpoint:
    config = _read(config_path)
    if name == VARIANT:
        home = folder(ENTRY)
        return Checkpoint(
            name,
            home / WEIGHTS,
            home / TOKENIZERS[0],
            config,
            languages_of(name),
            ledger()[ENTRY].files[WEIGHTS].sha256,
        )
    addresses = (config["weights_path"], config["flow_lm"]["lookup_table"]["tokenizer_path"])
    paths = [_cached(address) for address in addresses]
    missing = [address for address, path in zip(addresses, paths, strict=True) if path is None]
    if missing:
        commands = " and ".join(f"`hf download {_command(address)}`" for address in missing)
        raise WeightsMissing(
            f"the weights of Pocket TTS {name!r} are not on this machine; {TERMS}: accept them at "
            f"https://huggingface.co/kyutai/pocket-tts, run `hf auth login`, then {commands}"
        )
    weights, tokenizer = (path for path in paths if path is not None)
    return Checkpoint(name, weights, tokenizer, config, languages_of(name))


def _of_folder(place: Path, variant: str | None, known: dict[str, Path]) -> Checkpoint:
    tokenizers = [place / name for name in TOKENIZERS if (place / name).is_file()]
    if not (place / WEIGHTS).is_file() or not tokenizers:
        missing = f"{TOKENIZERS[0]} or {TOKENIZERS[1]}" if (place / WEIGHTS).is_file() else WEIGHTS
        raise BackendError(f"{place} is not a checkpoint of Pocket TTS: {missing} is missing; download it again")
    if variant is not None and variant not in known:
        raise BackendError(f"there is no variant {variant!r} of Pocket TTS: {did_you_mean(variant, known)}")
    has_own = (place / CONFIG).is_file() and variant is None
    config_path = place / CONFIG if has_own else known[variant or VARIANT]
    languages = () if has_own else languages_of(config_path.stem)
    return Checkpoint(str(place), place / WEIGHTS, tokenizers[0], _read(config_path), languages)


def _read(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise BackendError(f"{path} cannot be read as YAML: {str(error)[:200]}; take that of the package") from None
    if not isinstance(config, dict):
        raise BackendError(f"{path} is not a configuration of Pocket TTS; take that of the package")
    return config


def languages_of(variant: str) -> tuple[str, ...]:
    code = LANGUAGES.get(re.split(r"[_\d]", variant, maxsplit=1)[0])
    return (code,) if code else ()


def _cached(address: str) -> Path | None:
    """Where the cache of the hub has a file; `hf://OWNER/NAME/PATH@REVISION`."""
    owner, name, rest = address.removeprefix("hf://").split("/", 2)
    path, _, revision = rest.partition("@")
    found = hub_cache() / f"models--{owner}--{name}" / "snapshots" / revision / path
    return found if found.is_file() else None


def _command(address: str) -> str:
    owner, name, rest = address.removeprefix("hf://").split("/", 2)
    path, _, revision = rest.partition("@")
    return f"{owner}/{name} {path} --revision {revision}"
