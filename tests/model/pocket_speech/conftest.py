"""Checkpoints with random weights, made once per session by the package pocket-tts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.pocket_tts import packaged_config, write_checkpoint


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ends each piece of text after a few frames."""
    return write_checkpoint(tmp_path_factory.mktemp("pocket") / "short", speech="short")


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speaks until the limit of the length of a piece."""
    return write_checkpoint(tmp_path_factory.mktemp("pocket") / "long", speech="long", seed=1)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shapes of the smallest model that Kyutai publishes, 11 million parameters; without config.yaml."""
    folder = tmp_path_factory.mktemp("pocket") / "small"
    return write_checkpoint(folder, config=packaged_config("english_2m_2026-10"), save_config=False)
