"""Finds the official checkpoints: in the local cache of the Hugging Face hub, or else by downloading them."""

from __future__ import annotations

import os
from pathlib import Path

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
