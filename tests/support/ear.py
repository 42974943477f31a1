"""The neural ear of the tests: Whisper, where its weights are installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def whisper_folder(name: str) -> Path:
    """The folder of a Whisper model, such as "base" or "tiny.en". Skips the test when it is not installed."""
    pytest.importorskip("ctranslate2", reason="the extra neural is not installed")
    folder = Path(os.environ.get("AGENTAUDIO_WHISPER", "/nonexistent"), f"whisper-{name}")
    if not folder.is_dir():
        pytest.skip(f"the weights of Whisper {name} are not installed")
    return folder
