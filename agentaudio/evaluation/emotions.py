"""emotion2vec, by FunASR: how likely each emotion is in a piece of speech."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from agentaudio.errors import EvaluationError, MissingExtra
from agentaudio.sound.audio import Audio

RATE_HZ = 16_000
FILES = ("config.yaml", "model.pt", "tokens.txt")
"""Of the published weights, such as iic/emotion2vec_plus_large. The weights themselves are unpickled by torch."""


def emotions_of(speech: Audio, folder: Path) -> Mapping[str, float]:
    """The probability of each emotion, by its English name in lower case; it takes seconds, so call it in a thread.

    folder: with the weights of an emotion2vec+ model as they are published; it is loaded once

    Raises MissingExtra without FunASR, EvaluationError for a folder that has no such model.
    """
    model = _loaded(folder)
    (found,) = model.generate(
        speech.resample(RATE_HZ).samples, granularity="utterance", extract_embedding=False, disable_pbar=True
    )
    return {english(label): float(score) for label, score in zip(found["labels"], found["scores"], strict=True)}


def english(label: str) -> str:
    """The English name in a label such as "开心/happy" or "<unk>"."""
    return label.rpartition("/")[2].strip().strip("<>").lower()


def check_folder(folder: Path) -> None:
    """Raises EvaluationError for a folder that lacks files of such a model."""
    lacking = [name for name in FILES if not (folder / name).is_file()]
    if lacking:
        raise EvaluationError(f"{folder} has no {', '.join(lacking)}: it is not an emotion2vec+ model; name the folder "
                              "with the files of emotion2vec_plus_large with --emotions")  # fmt: skip


@cache
def _loaded(folder: Path) -> Any:
    check_folder(folder)
    try:
        from funasr import AutoModel
    except ImportError:
        raise MissingExtra("emotions in speech", "emotions") from None
    level = logging.root.level
    try:
        return AutoModel(model=str(folder), disable_update=True, disable_pbar=True, log_level="ERROR", device="cpu")
    except Exception as error:  # of an unreadable file, FunASR raises whatever its libraries do
        raise EvaluationError(f"the emotion2vec model in {folder} cannot be loaded: {error!r:.200}") from None
    finally:
        logging.root.setLevel(level)
