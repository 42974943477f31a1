"""The question given to `agentaudio ask`: a sound file, text, standard input or the microphone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentaudio.cli.console import progress
from agentaudio.errors import AudioError, OptionError
from agentaudio.live.sound_card import sounddevice
from agentaudio.sound.audio import Audio
from agentaudio.sound.formats import has_sound_suffix, kind_of, sound_start, starts_like_sound

RECORD_RATE_HZ = 16_000
_HEADER_BYTES = 65_536

Kind = Literal["text", "sound"]


@dataclass(frozen=True, slots=True)
class Question:
    """What the agent is asked.

    kind: what the input was taken for
    place: file name, "standard input", "microphone" or "command line"
    """

    content: str | Path | bytes | Audio
    kind: Kind
    place: str


def read_question(given: str, *, kind: Kind | None = None, seconds: float = 5.0) -> Question:
    """Find out what an INPUT of the command line stands for.

    given: `-` is standard input and `mic` the microphone, unless kind is "text"; otherwise the path of
        a sound file, or the text itself
    kind: what it must be; None decides by its looks
    seconds: how long to record

    Raises AudioError for an empty input, when nothing can be recorded, for the path of a sound file that does not
    exist, and for the path of a folder or file that is not sound.
    """
    if not given.strip():
        raise AudioError("the input is empty; give a question, a sound file, - for standard input, or mic")
    if given == "-":
        return _piped(sys.stdin.buffer.read(), kind, "standard input")
    if kind == "text":
        return Question(given, "text", "command line")
    if given == "mic":
        return Question(record(seconds), "sound", "microphone")
    path = _in_home(Path(given))
    if _is_pipe(path):  # such as <(program) in a shell
        return _piped(path.read_bytes(), kind, str(path))
    if kind == "sound" or _is_file(path):
        if kind is None and not _is_sound(path):
            raise AudioError(
                f"{path} is a file, but not a sound file; add --text to ask these words, or give - and pipe the file in"
            )
        return Question(path, "sound", str(path))
    if _exists(path):
        raise AudioError(f"{path} exists, but is not a file; give a sound file, or add --text to ask these words")
    if _looks_like_sound_file(given):
        raise AudioError(f"there is no file {given}; check the path, or add --text to ask these words")
    return Question(given, "text", "command line")


def record(seconds: float) -> Audio:
    """`seconds` of the default microphone, 16 kHz mono. Raises AudioError where there is none, or no PortAudio."""
    package = sounddevice()
    try:
        with progress(f"listening for {seconds:g} s"):
            frames = package.rec(round(seconds * RECORD_RATE_HZ), RECORD_RATE_HZ, 1, "float32", blocking=True)
    except package.PortAudioError as error:
        raise AudioError(f"cannot record from a microphone ({error}); give a sound file instead") from None
    return Audio(frames, RECORD_RATE_HZ, channels_first=False)


def _piped(content: bytes, kind: Kind | None, place: str) -> Question:
    if not content:
        raise AudioError(f"{place} is empty; pipe a sound file or a text into it")
    if kind == "sound" or (kind is None and starts_like_sound(content)):
        return Question(content, "sound", place)
    try:
        return Question(content.decode("utf-8-sig"), "text", place)  # without the byte order mark of some editors
    except UnicodeDecodeError:
        if kind == "text":
            raise OptionError(f"{place} is not UTF-8 text; convert it, or leave --text out") from None
        return Question(content, "sound", place)


def _in_home(path: Path) -> Path:
    """The path with `~` replaced by the home folder; unchanged when there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _is_pipe(path: Path) -> bool:
    return _holds(path.is_fifo)


def _is_file(path: Path) -> bool:
    return _holds(path.is_file)


def _exists(path: Path) -> bool:
    return _holds(path.exists)


def _holds(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except (OSError, ValueError):  # too long for a path, or with a null byte
        return False


def _is_sound(path: Path) -> bool:
    """Whether a file begins as sound does; also when it cannot be read, which reading it explains."""
    try:
        with path.open("rb") as file:
            content = file.read(_HEADER_BYTES)
    except OSError:
        return True
    return not content or kind_of(content[sound_start(content) :]) is not None or content[:3] == b"ID3"


def _looks_like_sound_file(given: str) -> bool:
    """Whether it ends like a sound file and is one word, or a path that begins at some folder.

    A suffix behind a space is a word: "convert mp3 to .wav".
    """
    if "\n" in given or not has_sound_suffix(given) or Path(given).stem[-1:].isspace():
        return False
    return not any(letter.isspace() for letter in given) or given.startswith(("/", "./", "../", "~"))
