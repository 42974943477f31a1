"""`agentaudio transcribe`, `translate`, `describe`, `revoice`, `tokenize`: what Step-Audio 2 does besides talking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from agentaudio.cli.console import ensure_writable, in_home, out, print_json, progress
from agentaudio.errors import OptionError
from agentaudio.model.registry import load_model
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.portal import portal
from agentaudio.resources import open_voices
from agentaudio.sound.audio import Audio

if TYPE_CHECKING:
    from agentaudio.model.step_audio_2.generate import StepAudio2
    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder

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
        Any model that hears, such as `step-audio-2-mini`, or `step-audio-2-mini:FOLDER` for a checkpoint on disk.
    json
        Print one JSON object, and nothing else.
    """
    from agentaudio.model.transcribe import transcribe

    _print_text(file, model, json, transcribe)


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
    _print_text(file, model, json, lambda loaded, audio: _step_audio_2(loaded).translate(audio, to))


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
    _print_text(file, model, json, lambda loaded, audio: _step_audio_2(loaded).describe(audio))


def revoice(
    file: Path,
    /,
    *,
    voice: str,
    out_file: Annotated[Path, Parameter(name=["--out", "-o"])],
    voices: Path | None = None,
    model: str = MODEL,
    steps: int = 10,
) -> None:
    """Say what a sound file says in another voice.

    Parameters
    ----------
    file
        Speech: WAV, FLAC, MP3, Ogg or another sound file.
    voice
        Id or name of the voice; `agentaudio voices list` shows them.
    out_file
        Write the sound here: WAV, FLAC, Ogg, Opus or MP3, by its suffix.
    voices
        A voice library, instead of the demo voices.
    model
        `step-audio-2-mini`, or `step-audio-2-mini:FOLDER` for a checkpoint on disk.
    steps
        Of the decoder: fewer are faster and rougher.
    """
    ensure_writable(out_file)
    wanted = open_voices(voices or "demo").library.get(voice).require("synthesis")
    speech = Audio.load(file)
    decoder = _decoder(model, steps)
    with progress(f"saying it in the voice of {wanted.name}"):
        sound = decoder.revoice(speech, wanted)
    for warning in decoder.prompt(wanted).warnings:
        out.print(f"[yellow]{wanted.name}:[/] {warning}")
    sound.save(out_file)
    out.print(f"[green]wrote[/] {in_home(out_file)}: {sound.duration:.1f} s in the voice of {wanted.name}")


def tokenize(file: Path, /, *, model: str = MODEL, json: bool = False) -> None:
    """Write down the speech tokens of a sound file: 25 a second, 0 to 6560.

    Parameters
    ----------
    file
        WAV, FLAC, MP3, Ogg or another sound file.
    model
        `step-audio-2-mini`, or `step-audio-2-mini:FOLDER` for a checkpoint on disk.
    json
        Print one JSON object, and nothing else.
    """
    tokens = _decoder(model).tokenize(Audio.load(file)).tolist()
    if json:
        print_json({"file": str(file), "model": model, "tokens": tokens})
    else:
        out.print(" ".join(map(str, tokens)), markup=False, highlight=False, soft_wrap=True)


def _decoder(model: str, steps: int = 10) -> SpeechDecoder:
    from agentaudio.model.step_audio_2.hub import HUB_ID
    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder

    name, _, checkpoint = model.partition(":")
    if name != MODEL:
        raise OptionError(f"model {model!r} has no speech decoder; give {MODEL} or {MODEL}:FOLDER")
    return SpeechDecoder.load(checkpoint or HUB_ID, steps=steps)


def _step_audio_2(model: SpeechLM) -> StepAudio2:
    from agentaudio.model.step_audio_2.generate import StepAudio2

    if not isinstance(model, StepAudio2):
        raise OptionError(f"model {model.name!r} does not have this task; give {MODEL} or {MODEL}:FOLDER")
    return model


def _print_text(file: Path, model: str, json: bool, task: Callable[[SpeechLM, Audio], Awaitable[str]]) -> None:
    audio = Audio.load(file)

    async def listen() -> str:
        loaded = await asyncio.to_thread(load_model, model)
        try:
            return await task(loaded, audio)
        finally:
            await loaded.aclose()

    with progress(f"{model} is listening"):
        text = portal().run(listen())
    if json:
        print_json({"file": str(file), "model": model, "text": text})
    else:
        out.print(text, markup=False)
