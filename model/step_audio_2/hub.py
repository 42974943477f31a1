"""Finds the official checkpoints: in the local cache of the Hugging Face hub, or else by downloading them."""

from __future__ import annotations

import os
from pathlib import Path

from agentaudio.errors import BackendError
from agentaudio.model import hub
from agentaudio.model.hub import CHECKPOINT

HUB_ID = "stepfun-ai/Step-Audio-2-mini"
FILES = (*CHECKPOINT, "token2wav/*")


def located(checkpoint: str | os.PathLike[str], *, only: str | None = None) -> Path:
    """The folder of a checkpoint; files that the local hub cache lacks are downloaded, with a progress bar.

    checkpoint: a folder, or a hub id under `stepfun-ai/`; a folder is not checked
    only: a pattern of the files that are needed, such as "token2wav/*"

    Raises BackendError when a hub id is not in the cache and cannot be downloaded.
    """
    files = FILES if only is None else (only,)
    return hub.located(checkpoint, files, model="step-audio-2-mini", owner=HUB_ID.partition("/")[0])


def cached(checkpoint: str | os.PathLike[str] | None) -> Path:
    """The folder of a checkpoint that is on this machine; nothing is downloaded.

    checkpoint: a folder, or a hub id; None for `stepfun-ai/Step-Audio-2-mini`

    Raises BackendError for a hub id that is not in the local cache.
    """
    named = os.fspath(HUB_ID if checkpoint is None else checkpoint)
    if Path(named).expanduser().is_dir() or not named.startswith(f"{HUB_ID.partition('/')[0]}/"):
        return Path(named).expanduser()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(named, allow_patterns=list(FILES), local_files_only=True))
    except Exception as failure:
        raise BackendError(
            f"{named} is not in the local cache; run `hf download {named}` (17 GB), or give a folder: "
            "step-audio-2-mini:FOLDER"
        ) from failure
