"""`agentaudio transcribe`, `translate`, `describe` and `model`: what Step-Audio 2 does besides talking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from cyclopts import App

from agentaudio.audio import Audio
from agentaudio.cli.console import in_home, out, print_json, progress

MODEL = "step-audio-2-mini"

model = App(name="model", help="Make a checkpoint of Step-Audio 2.")


@model.command(name="init-tiny")
def init_tiny(folder: Path, /, *, seed: int = 0, shards: int = 1, dtype: str = "bfloat16") -> None:
    """Write a small checkpoint of random weights, which runs the real code and speaks nonsense: for tests and CI.

    Parameters
    ----------
    folder
        Where to; files of the same names in it are replaced.
    seed
        The same seed gives the same weights.
    shards
        How many files the weights are spread over.
    dtype
        Of the weights: float32, bfloat16 or float16.
    """
    from agentaudio.model.step_audio_2.init_tiny import init_tiny

    with progress("making a checkpoint"):
        init_tiny(folder, seed=seed, shards=shards, dtype=dtype)
    out.print(f"[green]made[/] {in_home(folder)}; try: agentaudio transcribe FILE --model {MODEL}:{in_home(folder)}")


def transcribe(file: Path, /, *, model: str = MODEL, json: bool = False) -> None:
    """Write down what is said in a sound file.

    Parameters
    ----------
    file
        WAV, FLAC, MP3, Ogg or another sound file.
    model
        `step-audio-2-mini`, or `step-audio-2-mini:FOLDER` for a checkpoint on disk.
    json
        Print one JSON object, and nothing else.
    """
    from agentaudio.model.step_audio_2 import one_liners

    _tell(file, model, json, one_liners.transcribe)


def translate(file: Path, /, *, to: Literal["en", "zh"] = "en", model: str = MODEL, json: bool = False) -> None:
    """Write down what is said in a sound file in English or Chinese.

    Parameters
    ----------
    file
        WAV, FLAC, MP3, Ogg or another sound file.
    to
        The language to write.
    model
        `step-audio-2-mini`, or `step-audio-2-mini:FOLDER` for a checkpoint on disk.
    json
        Print one JSON object, and nothing else.
    """
    from agentaudio.model.step_audio_2 import one_liners

    _tell(file, model, json, lambda name, audio: one_liners.translate(name, audio, to))


def describe(file: Path, /, *, model: str = MODEL, json: bool = False) -> None:
    """Say in a few sentences what can be heard in a sound file.

    Parameters
    ----------
    file
        WAV, FLAC, MP3, Ogg or another sound file.
    model
        `step-audio-2-mini`, or `step-audio-2-mini:FOLDER` for a checkpoint on disk.
    json
        Print one JSON object, and nothing else.
    """
    from agentaudio.model.step_audio_2 import one_liners

    _tell(file, model, json, one_liners.describe)


def _tell(file: Path, model: str, json: bool, task: Callable[[str, Audio | Path], str]) -> None:
    with progress(f"{model} is listening"):
        text = task(model, file)
    if json:
        print_json({"file": str(file), "model": model, "text": text})
    else:
        out.print(text, markup=False)
