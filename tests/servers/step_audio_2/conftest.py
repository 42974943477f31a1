"""A vLLM that serves a tiny Step-Audio 2 to all tests of this room, and the native model on the same checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.vllm_server import ENVIRONMENT, PYTHON, serving

if find_spec("torch") is not None:
    from support.step_audio_2_on_vllm import Native, Server


@pytest.fixture(autouse=True, scope="session")
def needs_vllm_and_torch() -> None:
    """torch is in the environment of pytest, for the native model; vLLM in one of its own."""
    if not PYTHON or find_spec("torch") is None:
        pytest.skip("needs vLLM, and torch beside pytest: make test-vllm")
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint."""
    from agentaudio.model.step_audio_2.init_tiny import FOR_VLLM, init_tiny

    return init_tiny(tmp_path_factory.mktemp("step_audio_2"), dtype="float32", text=FOR_VLLM)


@pytest.fixture(scope="session")
def native(folder: Path) -> Native:
    return Native(folder)


@pytest.fixture(scope="session")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("vllm") / "vllm.log"
    with serving(PYTHON, folder, log, ENVIRONMENT, "--tool-call-parser", "step_audio_2") as address:
        yield Server(address)
