"""The entry point `pocket-tts`."""

from __future__ import annotations

from pathlib import Path

from agentaudio.errors import OptionError
from agentaudio.model.pocket_tts.bundle import DESCRIPTION, Bundle, Files
from agentaudio.model.pocket_tts.checkpoint import find_checkpoint
from agentaudio.model.pocket_tts.engine import PocketEngine
from agentaudio.model.pocket_tts.official import OfficialEngine
from agentaudio.model.pocket_tts.onnx_engine import OnnxEngine
from agentaudio.model.pocket_tts.synthesiser import PocketTTS, voice_of
from agentaudio.weights.store import folder

ONNX, ONNX_ENTRY = "onnx", "pocket-tts-onnx"
"""The argument for the export in the ledger, and its entry."""
HOTTEST, MOST_STEPS, MOST_THREADS = 2.0, 64, 64


def load(
    argument: str | None,
    *,
    variant: str | None = None,
    voice: Path | None = None,
    temperature: float | None = None,
    steps: int = 1,
    threads: int = 1,
    int8: bool = False,
) -> PocketTTS:
    """Load Pocket TTS.

    argument: a variant of the package pocket-tts, such as `german` or `english_18m_2026-10`, or a folder with the
        files of one; `onnx`, or a folder with bundle.json, for an ONNX export, which needs no torch; None is English
        of April 2026, whose hashes the ledger has
    variant: gives the shapes of a folder without config.yaml
    voice: a sound file; its voice speaks where none is given. You need its speaker's consent
    temperature: 0 to HOTTEST; None is the one that the weights were published with
    steps: of the sampling, for each frame
    threads: of the CPU; torch has one number for the whole process
    int8: round the weights of the transformer to 8 bits; an ONNX export is rounded or not

    Raises MissingExtra without the extra `pocket-tts` (`pocket-tts-onnx` for an export), OptionError for options out
    of range, and what `find_checkpoint` and `Files` raise.
    """
    if temperature is not None and not 0 <= temperature <= HOTTEST:
        raise OptionError(f"temperature is {temperature:g}; give a number from 0 to {HOTTEST:g}")
    if not 1 <= steps <= MOST_STEPS:
        raise OptionError(f"steps is {steps}; give a whole number from 1 to {MOST_STEPS}")
    if not 1 <= threads <= MOST_THREADS:
        raise OptionError(f"threads is {threads}; give a whole number from 1 to {MOST_THREADS}")
    exported = _exported(argument)
    engine: PocketEngine
    if exported is not None:
        if int8 or variant:
            raise OptionError("int8 and variant are options of weights for torch; leave them out for an ONNX export")
        files = Files(exported, Bundle.read(exported))
        engine = OnnxEngine(files, temperature=temperature, steps=steps, threads=threads)
    else:
        checkpoint = find_checkpoint(argument, variant)
        engine = OfficialEngine(checkpoint, temperature=temperature, steps=steps, threads=threads, int8=int8)
    return PocketTTS(engine, own_voice=voice_of(voice) if voice else None)


def _exported(argument: str | None) -> Path | None:
    """The folder of an ONNX export; None when the argument names something else."""
    if argument == ONNX:
        return folder(ONNX_ENTRY)
    place = Path(argument or "").expanduser()
    return place if argument and (place / DESCRIPTION).is_file() else None
