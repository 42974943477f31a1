"""Weights of the ledger, for tests that need the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentaudio.errors import AgentAudioError
from agentaudio.weights.store import folder


def weights_folder(name: str) -> Path:
    """The folder of an entry of the ledger. Skips the test when its files are not on this machine."""
    try:
        return folder(name)
    except AgentAudioError as error:
        pytest.skip(str(error))


def require_weights(*names: str) -> None:
    """Skip the test when an entry of the ledger is not on this machine."""
    for name in names:
        weights_folder(name)
