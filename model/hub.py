"""Checkpoints by name: a folder, or a repository of the Hugging Face hub, in its local cache or downloaded."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from agentaudio.errors import BackendError

CHECKPOINT = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")
"""Files of a checkpoint of transformers; code is not among them."""

_OWNER = r"[A-Za-z0-9][-.\w]*"


def located(checkpoint: str | os.PathLike[str], files: Sequence[str], *, model: str, owner: str = "") -> Path:
    """The folder of a checkpoint. A hub id whose files the local hub cache lacks is downloaded, with a progress bar.

    checkpoint: a folder, which is not checked, or a hub id, OWNER/NAME
    files: patterns of the files that are needed
    model: name of the model, for messages
    owner: takes hub ids of this owner only; everything else is a folder

    Raises BackendError when a hub id is not in the cache and cannot be downloaded.
    """
    named = os.fspath(checkpoint)
    folder = Path(named).expanduser()
    is_id = re.fullmatch(rf"({re.escape(owner) or _OWNER})/[-.\w]+", named)
    return downloaded(named, files, model=model) if is_id and not folder.is_dir() else folder


def downloaded(hub_id: str, files: Sequence[str], *, model: str) -> Path:
    """The folder of a repository; files that the local cache lacks are downloaded, with a progress bar.

    files: patterns of the files that are needed
    model: name of the model that the repository holds, for messages

    Raises BackendError when the repository is not in the cache and cannot be downloaded.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(files)))
    except Exception as failure:
        reason = (str(failure).strip() or repr(failure)).splitlines()[0]
        raise BackendError(
            f"{hub_id} is not in the local cache and cannot be downloaded ({reason}); go online, or download it "
            f"on another machine and give its folder: {model}:FOLDER"
        ) from failure
