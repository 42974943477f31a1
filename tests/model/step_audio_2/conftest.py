"""The small checkpoint that the tests of this room share."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from agentaudio.model.step_audio_2.generate import StepAudio2
    from agentaudio.model.step_audio_2.tokens import BpeVocabulary

THREAD = "step-audio-2"
"""Name of the threads that generate."""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small tensors are slower on several threads, most of all while other programs run."""
    if find_spec("torch") is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cache_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True, scope="module")
def cache(cache_of_all: Path) -> Iterator[Path]:
    """A cache folder for what is made of voices, which the tests of this room share; no other test sees it."""
    with pytest.MonkeyPatch.context() as context:
        context.setenv("AGENTAUDIO_CACHE", str(cache_of_all))
        yield cache_of_all


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of random weights."""
    from agentaudio.model.step_audio_2.init_tiny import init_tiny

    return init_tiny(tmp_path_factory.mktemp("step_audio_2"))


@pytest.fixture
async def model(folder: Path) -> AsyncIterator[StepAudio2]:
    """A model of one's own; none of its threads survives it."""
    from agentaudio.model.step_audio_2.generate import StepAudio2

    loaded = StepAudio2.load(folder, device="cpu", dtype="float32")
    yield loaded
    await loaded.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD]


@pytest.fixture(scope="session")
def vocabulary(folder: Path) -> BpeVocabulary:
    """The checkpoint's tokenizer."""
    from agentaudio.model.step_audio_2.tokens import BpeVocabulary

    return BpeVocabulary.load(str(folder / "tokenizer.json"))
