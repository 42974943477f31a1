"""The console: all that the commands print goes through `out` or `err`, where text stays text.

Cards, documents, file names, results of tools and answers come from others. Printed as they are, they could move the
cursor, rewrite lines, or set the clipboard; read as rich's markup, they could end a command with an error.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from agentaudio.errors import AudioError, OptionError
from agentaudio.escaping import HIDDEN, one_line, visible
from agentaudio.sound.formats import check_writable

if TYPE_CHECKING:
    from agentaudio.sound.audio import Audio


def mark(text: str, style: str) -> Text:
    """Text on one line in a style, such as "green" or "bold"."""
    return Text(one_line(text), style)


class Terminal(Console):
    """A rich console on which strings are text: no markup, no emoji codes, and every character `visible`.

    Styles come from `mark`.
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = True) -> None:
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """The string as `visible` text. Done before the layout, so that tables stay aligned."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed. All output passes here, so nothing reaches the terminal that is not `visible`."""
        for segment in super().render(renderable, options):
            if segment.control is None and HIDDEN.search(segment.text):
                yield Segment(visible(segment.text), segment.style)
            else:
                yield segment


out = Terminal()
err = Terminal(stderr=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output, with hidden characters as JSON's own escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # All of them are inside strings: JSON has no such characters elsewhere.
    sys.stdout.write(HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text) + "\n")


class LogOnTerminal(logging.Handler):
    """Prints warnings of the library on standard error, where no other handler is set."""

    def emit(self, record: logging.LogRecord) -> None:
        err.print(self.format(record))


def ensure_writable(path: Path) -> None:
    """Check before the work begins that a result can be saved there. Raises OptionError if it cannot."""
    folder = path if path.is_dir() else path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OptionError(f"cannot write to {folder}: {error.strerror}; choose another place") from None


def ensure_sound_writable(path: Path) -> None:
    """Check before the work begins that a sound can be saved as this file.

    Raises OptionError for a folder or a place that cannot be written, AudioError for a suffix that is not known.
    """
    if path.is_dir():
        raise OptionError(f"{path} is a folder; give the name of a file, such as {path / 'answer.wav'}")
    check_writable(path.suffix)
    ensure_writable(path)
    if path.exists() and not os.access(path, os.W_OK):
        raise OptionError(f"cannot write to {path}: it is read-only; choose another place")


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """A spinner on a terminal, nothing elsewhere."""
    if err.is_terminal:
        with err.status(mark(what, "")):
            yield
    else:
        yield


def play(audio: Audio) -> None:
    """Play a sound with the first player program found. Raises AudioError when none works."""
    for player in (["paplay"], ["aplay", "-q"], ["afplay"], ["ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"]):
        if shutil.which(player[0]):
            # The file has no name, so nothing of the user's sound stays when this process is killed.
            with tempfile.TemporaryFile() as file:
                file.write(audio.to_bytes("wav"))
                file.seek(0)
                number = file.fileno()
                command = [*player, f"/dev/fd/{number}"]
                played = subprocess.run(command, pass_fds=(number,), stderr=subprocess.DEVNULL, check=False)
                if played.returncode == 0:
                    return
    raise AudioError("no program on this machine can play sound; write a file instead with --out FILE.wav")


def in_home(path: Path) -> str:
    """A path for people: relative when it is below the working folder."""
    with contextlib.suppress(ValueError):
        return one_line(os.path.join(".", str(path.resolve().relative_to(Path.cwd()))))
    return one_line(str(path))
