"""Where the official checkpoints come from: the Hugging Face hub, or its cache on this machine."""

from __future__ import annotations

from agentaudio.errors import BackendError

HUB_ID = "stepfun-ai/Step-Audio-2-mini"
HUB_OWNER = HUB_ID.partition("/")[0] + "/"
FILES = ("*.json", "*.safetensors", "*.txt", "token2wav/*")
"""What is downloaded: no code."""


def downloaded(hub_id: str) -> str:
    """The folder of a checkpoint in the local hub cache; what is missing there is downloaded, with a progress bar.

    Raises BackendError when it is not there and cannot be had.
    """
    from huggingface_hub import snapshot_download

    try:
        folder: str = snapshot_download(hub_id, allow_patterns=list(FILES))
    except Exception as failure:
        reason = (str(failure).strip() or repr(failure)).splitlines()[0]
        raise BackendError(
            f"{hub_id} is not in the local cache and cannot be downloaded ({reason}); go online, or download it "
            "elsewhere and name its folder: step-audio-2-mini:FOLDER"
        ) from failure
    return folder
