"""Finds the official checkpoints: in the local cache of the Hugging Face hub, or else by downloading them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from agentaudio.errors import BackendError

HUB_ID = "stepfun-ai/Step-Audio-2-mini"
HUB_OWNER = HUB_ID.partition("/")[0] + "/"
FILES = ("*.json", "*.safetensors", "*.txt", "token2wav/*")
"""Files to download; code is not among them."""


def located(checkpoint: str | os.PathLike[str], *, only: str | None = None) -> Path:
    """The folder of a checkpoint; files that the local hub cache lacks are downloaded, with a progress bar.

    checkpoint: a folder, or a hub id under `stepfun-ai/`; a folder is not checked
    only: a pattern of the files that are needed, such as "token2wav/*"

    Raises BackendError when a hub id is not in the cache and cannot be downloaded.
    """
    named = os.fspath(checkpoint)
    if not named.startswith(HUB_OWNER) or Path(named).is_dir():
        return Path(named)
    return _downloaded(named, FILES if only is None else (only,))


def _downloaded(hub_id: str, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns)))
    except Exception as failure:
        reason = (str(failure).strip() or repr(failure)).splitlines()[0]
        raise BackendError(
            f"{hub_id} is not in the local cache and cannot be downloaded ({reason}); go online, or download it "
            "on another machine and give its folder: step-audio-2-mini:FOLDER"
        ) from failure
