"""`pytest tests/parity --vectors FOLDER` holds the implementation to the reference's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from step_audio_2_vectors import SHARED, Vectors


@pytest.fixture
def vectors(request: pytest.FixtureRequest) -> Vectors:
    chosen = request.config.getoption("--vectors")
    return Vectors(Path(chosen) if chosen else SHARED)
