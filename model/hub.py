"""`downloaded`: files of a repository of the Hugging Face hub, in its local cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentaudio.errors import BackendError


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
