"""`agentaudio transcribe`, `translate`, `describe`, `revoice`, `tokenize`: tasks of Step-Audio 2 besides dialogue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from agentaudio.cli.console import ensure_sound_writable, in_home, mark, out, print_json, progress
from agentaudio.cli.models import ModelOptions, load_for_command, read_options
from agentaudio.errors import OptionError
from agentaudio.escaping import one_line
from agentaudio.model.options import Signature
from agentaudio.model.registry import call_loader
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.provenance.provenance import Origin, Provenance
from agentaudio.resources import open_voices
from agentaudio.sound.audio import Audio

if TYPE_CHECKING:
    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
    from agentaudio.model.step_audio_2.tasks import HasTasks

MODEL = "step-audio-2-mini"

model = App(name="model", help="Make a small random checkpoint of Step-Audio 2 for tests.")


@model.command(name="init-tiny")
def init_tiny(
    folder: Path, /, *, seed: int = 0, shards: int = 1, dtype: str = "bfloat16", for_vllm: bool = False
) -> None:
    """Write a small checkpoint with random weights. It runs the real code and answers at random; for tests.

    Parameters
    ----------
    folder
        Folder to write; files of the same names in it are replaced.
    seed
        The same seed gives the same weights.
    shards
        Number of files that hold the weights.
    dtype
        Type of the weights: float32, bfloat16 or float16.
    for_vllm
        Larger, so that vLLM's attention takes it.
    """
    from agentaudio.model.step_audio_2.init_tiny import FOR_VLLM, init_tiny

    with progress("making a checkpoint"):
        init_tiny(folder, seed=seed, shards=shards, dtype=dtype, text=FOR_VLLM if for_vllm else {})
    made = in_home(folder)
    out.print(mark("made", "green"), f"{made}; try: agentaudio transcribe FILE --model {MODEL}:{made}")


async def transcribe(file: Path, /, *, model: str = MODEL, option: ModelOptions = (), json: bool = False) -> None:
    """Transcribe a sound file.

    Parameters
    ----------
    file
        WAV, FLAC, MP3, Ogg or another sound file.
    model
        Any model that hears, such as `step-audio-2-mini`, or `step-audio-2-mini:FOLDER` for a checkpoint on disk.
    option
        Option of the model, as NAME=VALUE; repeat it for more.
    json
        Print only the result, as one JSON object.
    """
    from agentaudio.model.transcribe import transcribe

    await _print_text(file, model, option, json, transcribe)


async def translate(
    file: Path,
    /,
    *,
    to: Literal["en", "zh"] = "en",
    model: str = MODEL,
    option: ModelOptions = (),
    json: bool = False,
) -> None:
    """Translate the speech of a sound file into English or Chinese.

    Parameters
    ----------
    file
        WAV, FLAC, MP3, Ogg or another sound file.
    to
        Language of the translation.
    model
        `step-audio-2-mini`, `step-audio-2-mini:FOLDER` for a checkpoint on disk, or `step-audio-2` on a server.
    option
        Option of the model, as NAME=VALUE; repeat it for more.
    json
        Print only the result, as one JSON object.
    """
    await _print_text(file, model, option, json, lambda loaded, audio: _step_audio_2(loaded).translate(audio, to))


async def describe(file: Path, /, *, model: str = MODEL, option: ModelOptions = (), json: bool = False) -> None:
    """Describe in a few sentences what can be heard in a sound file.

    Parameters
    ----------
    file
        WAV, FLAC, MP3, Ogg or another sound file.
    model
        `step-audio-2-mini`, `step-audio-2-mini:FOLDER` for a checkpoint on disk, or `step-audio-2` on a server.
    option
        Option of the model, as NAME=VALUE; repeat it for more.
    json
        Print only the result, as one JSON object.
    """
    await _print_text(file, model, option, json, lambda loaded, audio: _step_audio_2(loaded).describe(audio))


def revoice(
    file: Path,
    /,
    *,
    voice: str,
    out_file: Annotated[Path, Parameter(name=["--out", "-o"])],
    voices: str = "demo",
    model: str = MODEL,
    option: ModelOptions = (),
    steps: int = 10,
) -> None:
    """Change the voice of the speech in a sound file.

    Parameters
    ----------
    file
        Speech: WAV, FLAC, MP3, Ogg or another sound file.
    voice
        Id or name of the voice; `agentaudio voices list` shows them.
    out_file
        Write the sound to this file. The suffix gives the format: WAV, FLAC, Ogg, Opus or MP3.
    voices
        Folder of a voice library. `demo` stands for the voices that ship with agentaudio.
    model
        `step-audio-2-mini`, or `step-audio-2-mini:FOLDER` for a checkpoint on disk.
    option
        Option of the speech decoder, as NAME=VALUE; repeat it for more: device, dtype, compiled.
    steps
        Flow matching steps of the decoder. Fewer are faster and sound worse.
    """
    ensure_sound_writable(out_file)
    provenance = Provenance.from_environment().load()
    provenance.check_signs(out_file.suffix)
    wanted = open_voices(voices).library.get(voice).require("synthesis")
    origin = Origin(model.partition(":")[0], provenance=provenance, voices=(wanted,), imitation="converted")
    speech = Audio.load(file)
    decoder = _decoder(model, option, steps)
    with progress(f"changing the voice to {wanted.name}"):
        sound = decoder.revoice(speech, wanted)
    for warning in decoder.prepare(wanted).warnings:
        out.print(mark(f"{wanted.name}:", "yellow"), warning)
    origin.save(asyncio.run(origin.mark(sound, wanted)), out_file)
    done = f"{in_home(out_file)}: {sound.duration:.1f} s in the voice of {one_line(wanted.name)}"
    out.print(mark("wrote", "green"), done)


def tokenize(file: Path, /, *, model: str = MODEL, option: ModelOptions = (), json: bool = False) -> None:
    """Print the speech tokens of a sound file: 25 per second, 0 to 6560.

    Parameters
    ----------
    file
        WAV, FLAC, MP3, Ogg or another sound file.
    model
        `step-audio-2-mini`, or `step-audio-2-mini:FOLDER` for a checkpoint on disk.
    option
        Option of the speech decoder, as NAME=VALUE; repeat it for more: device, dtype, compiled.
    json
        Print only the result, as one JSON object.
    """
    tokens = _decoder(model, option).tokenize(Audio.load(file)).tolist()
    if json:
        print_json({"file": str(file), "model": model, "tokens": tokens})
    else:
        out.print(" ".join(map(str, tokens)))


def _decoder(model: str, options: Sequence[str], steps: int = 10) -> SpeechDecoder:
    from agentaudio.model.step_audio_2.hub import HUB_ID
    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder

    name, _, checkpoint = model.partition(":")
    if name != MODEL:
        raise OptionError(f"model {model!r} has no speech decoder; give {MODEL} or {MODEL}:FOLDER")

    def load(
        checkpoint: str | None,
        *,
        device: str | None = None,
        dtype: Literal["float32", "float16", "bfloat16"] | None = None,
        compiled: bool = False,
    ) -> Any:
        return SpeechDecoder.load(checkpoint or HUB_ID, device=device, dtype=dtype, compiled=compiled, steps=steps)

    decoder: SpeechDecoder = call_loader(
        f"speech model {name!r}", load, checkpoint or None, read_options(options, Signature.of(load))
    )
    return decoder


def _step_audio_2(model: SpeechLM) -> HasTasks:
    from agentaudio.model.step_audio_2.tasks import HasTasks

    if not isinstance(model, HasTasks):
        raise OptionError(f"model {model.name!r} does not have this task; give {MODEL}, {MODEL}:FOLDER or step-audio-2")
    return model


async def _print_text(
    file: Path, model: str, options: Sequence[str], json: bool, task: Callable[[SpeechLM, Audio], Awaitable[str]]
) -> None:
    with progress(f"{model} is listening"):
        audio = await asyncio.to_thread(Audio.load, file)
        loaded = await asyncio.to_thread(load_for_command, model, options)
        try:
            text = await task(loaded, audio)
        finally:
            await loaded.aclose()
    if json:
        print_json({"file": str(file), "model": model, "text": text})
    else:
        out.print(text)
