"""Finds the official checkpoints: in the local cache of the Hugging Face hub, or else by downloading them."""

from __future__ import annotations

import os
from pathlib import Path

from agentaudio.model.hub import downloaded

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
    return downloaded(named, FILES if only is None else (only,), model="step-audio-2-mini")
