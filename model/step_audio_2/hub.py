"""Where the official checkpoints come from: the Hugging Face hub, or its cache on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from agentaudio.errors import BackendError

HUB_ID = "stepfun-ai/Step-Audio-2-mini"
HUB_OWNER = HUB_ID.partition("/")[0] + "/"
FILES = ("*.json", "*.safetensors", "*.txt", "token2wav/*")
"""What is downloaded: no code."""


def located(checkpoint: str | os.PathLike[str], *, only: str | None = None) -> Path:
    """The folder of a checkpoint: as given, or of one of the authors' ids in the local hub cache.

    What the cache lacks is downloaded, with a progress bar.
    only: a pattern of the files that are needed, such as "token2wav/*"

    Raises BackendError when it is not there and cannot be had.
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
            "elsewhere and name its folder: step-audio-2-mini:FOLDER"
        ) from failure
