"""`checkup`: proves in seconds that a checkpoint of Step-Audio 2 is whole and that this machine runs it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from agentaudio.conversation import Conversation
from agentaudio.errors import AgentAudioError
from agentaudio.model.speech_lm import End, GenerateOptions, TextDelta
from agentaudio.model.step_audio_2.fingerprint import FINGERPRINT, shard_problems
from agentaudio.model.step_audio_2.versions import WORKING, version_problem

INDEX = "model.safetensors.index.json"
SPOKEN_TOKENS = 24
"""Enough for a first chunk of sound."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    line: what was found; of a failure, with its remedy
    """

    what: str
    ok: bool
    line: str


async def checkup(checkpoint: str | None, **options: Any) -> AsyncGenerator[Finding, None]:
    """Check versions, files, headers and memory, then make one token and one chunk of sound.

    It ends at the first failure that makes the further checks pointless.

    checkpoint: a folder, or None or a hub id for what the local hub cache holds; nothing is downloaded
    options: of the loader, such as device and dtype
    """
    broken = False
    for package in WORKING:
        problem = version_problem(package)
        broken = broken or problem is not None
        yield Finding("versions", problem is None, problem or f"{package} {_installed(package)}")
    if broken:
        return
    try:
        async with aclosing(_checked(checkpoint, options)) as findings:
            async for finding in findings:
                yield finding
    except _Failed as failure:
        yield Finding(failure.what, False, str(failure.__cause__))


class _Failed(Exception):
    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class _Step:
    """Names what an error inside the block belongs to."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, AgentAudioError):
            raise _Failed(self._what) from error


async def _checked(checkpoint: str | None, options: dict[str, Any]) -> AsyncGenerator[Finding, None]:
    with _Step("versions"):
        from agentaudio.model.step_audio_2.generate import StepAudio2
        from agentaudio.model.step_audio_2.hub import cached
        from agentaudio.model.step_audio_2.loading import Placing
        from agentaudio.model.step_audio_2.network.checkpoint import check_contents, check_shapes, read_config
        from agentaudio.model.step_audio_2.tokens import BpeVocabulary
    with _Step("files"):
        folder = cached(checkpoint)
        config = read_config(folder)
    is_published = FINGERPRINT.has_shape_of(config)
    if is_published and (folder / INDEX).is_file():
        problems = shard_problems(folder)
        for problem in problems:
            yield Finding("files", False, problem)
        if problems:
            return
        known = f"sizes of the published {FINGERPRINT.repository} ({FINGERPRINT.revision})"
        yield Finding("files", True, f"{len(FINGERPRINT.shards)} shards have the {known}")
    else:
        yield Finding("files", True, f"{folder}: not the published Step-Audio-2-mini, so its file sizes are not known")
    with _Step("headers"):
        tensors = check_shapes(folder, config)
        check_contents(folder, config)
        BpeVocabulary.load(str(folder / "tokenizer.json"))
    yield Finding("headers", True, f"{tensors} tensors with the names and shapes of config.json; tokenizer fits")
    with _Step("memory"):
        placing = Placing.of({name: value for name, value in options.items() if name in Placing.names()})
        yield Finding("memory", True, _memory(folder, config, placing))
    if placing.runtime == "llama.cpp":
        with _Step("conversion"):
            yield Finding("conversion", True, _conversion(folder, config, placing))
    begun = time.perf_counter()
    with _Step("one token"):
        model = StepAudio2.load(folder, **options)
    try:
        loaded_s = time.perf_counter() - begun
        with _Step("one token"):
            line = await _one_token(model)
        yield Finding("one token", True, f"loaded in {loaded_s:.1f} s; {line}")
        if model.speech is None:
            yield Finding(
                "sound", False, f"{folder} has no token2wav folder, so there is no sound; download it, {_again(folder)}"
            )
            return
        with _Step("sound"):
            line = await _one_chunk(model)
        yield Finding("sound", True, line)
    finally:
        await model.aclose()


def _memory(folder: Path, config: Any, placing: Any) -> str:
    from agentaudio.model.generation.placement import chosen_device, chosen_dtype
    from agentaudio.model.step_audio_2.memory import check_memory, free_bytes, gigabytes, token_bytes, weight_bytes

    if placing.runtime == "llama.cpp":
        from agentaudio.model.step_audio_2.llama.load import check_memory_of

        free = free_bytes("cpu")
        has = "free memory unknown" if free is None else f"{gigabytes(free)} free"
        return f"{check_memory_of(folder, config, placing.for_llama()).line}; {has}"
    device = chosen_device(placing.device)
    dtype = chosen_dtype(placing.dtype, device)
    if device != "auto":
        check_memory(folder, config, dtype, device)
    weights, token = weight_bytes(folder, config, dtype), token_bytes(config, dtype)
    context = int(config.text_config.max_position_embeddings)
    free = None if device == "auto" else free_bytes(device)
    has = "free memory unknown" if free is None else f"{gigabytes(free)} free on {device}"
    return f"weights {gigabytes(weights)}, and {gigabytes(token * context)} for a full conversation; {has}"


def _conversion(folder: Path, config: Any, placing: Any) -> str:
    """Whether the language model has been converted for llama.cpp, or how much that takes."""
    from agentaudio.model.step_audio_2.llama.load import file_of
    from agentaudio.model.step_audio_2.llama.store import check_space
    from agentaudio.model.step_audio_2.memory import gigabytes

    path, size = file_of(folder, config, placing.for_llama())
    if path.exists():
        return f"done before: {path}, {gigabytes(path.stat().st_size)}"
    check_space(path, size)
    return f"follows now, once: {gigabytes(size)} to {path}"


async def _one_token(model: Any) -> str:
    begun, first = time.perf_counter(), None
    conversation = Conversation()
    conversation.add("user", "Say yes.")
    options = GenerateOptions(speak=False, temperature=0.0, max_tokens=1)
    async with aclosing(model.generate(conversation, options=options)) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta | End) and first is None:
                first = time.perf_counter() - begun
    return f"first token after {1000 * (first or 0):.0f} ms"


async def _one_chunk(model: Any) -> str:
    import asyncio

    import numpy as np

    begun = time.perf_counter()
    codes = np.arange(SPOKEN_TOKENS) * 37 % 6561
    sound = await asyncio.to_thread(model.speech.synthesize, codes)
    if not len(sound) or not np.isfinite(sound.samples).all():
        return "no sound"
    return f"{sound.duration:.2f} s of sound after {1000 * (time.perf_counter() - begun):.0f} ms"


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"


def _again(folder: Path) -> str:
    return f"such as with `hf download {FINGERPRINT.repository} --local-dir {folder}`"
