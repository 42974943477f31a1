"""What the commands share: printing a turn as it happens, playing sound, checking output paths."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from agentaudio import events
from agentaudio.errors import AudioError, OptionError
from agentaudio.events import Event
from agentaudio.sound.audio import Audio

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Narrator:
    """Prints the events of a turn for people, one line each."""

    def __init__(self, console: Console = out) -> None:
        self._console = console
        self._in_answer = False

    def show(self, event: Event) -> None:
        match event:
            case events.SpeechHeard(text=text, confidence=confidence):
                sure = "" if confidence is None else f" (confidence {confidence:.2f})"
                self._line("heard", f"[bold]“{escape(text)}”[/]{sure}", event.at_s)
            case events.ToolStarted(call=call):
                given = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
                self._line("tool", f"{call.name}({escape(given)})", event.at_s)
            case events.ToolFinished(run=run):
                text = run.result.text
                if run.result.passages:
                    best = run.result.passages[0]
                    text = f"{len(run.result.passages)} passages, best: {best.title}"
                mark = "" if run.status == "done" else f"[red]{run.status}:[/] "
                self._line("", f"→ {mark}{escape(_shortened(text))} [dim]({1000 * run.duration_s:.0f} ms)[/]")
            case events.VoiceChanged(voice=None):
                self._line("voice", "the model's own", event.at_s)
            case events.VoiceChanged(voice=voice) if voice is not None:
                card = voice.card
                self._line("voice", f"[magenta]{escape(card.name)}[/]: {escape(card.description)}", event.at_s)
                self._line("", f"[dim]{escape(_provenance(voice.to_dict()))}[/]")
            case events.TextSpoken(text=text):
                if not self._in_answer:
                    self._console.print("[green]   says[/] ", end="")
                    self._in_answer = True
                self._console.print(escape(text), end="", style="bold")
            case events.PassageCited(citation=citation):
                self._line("cites", f"{escape(citation.title)} [dim]({escape(citation.source)})[/]", event.at_s)
            case events.TurnFinished(reply=reply):
                shown = [f"{name.replace('_', ' ')} {value:.2f} s" for name, value in reply.timings.items()]
                self._line("timing", f"[dim]{' · '.join(shown)}[/]")
            case _:
                pass

    def _line(self, label: str, text: str, at_s: float | None = None) -> None:
        if self._in_answer:
            self._console.print()
            self._in_answer = False
        when = "" if at_s is None else f" [dim]{at_s:.2f} s[/]"
        self._console.print(f"[green]{label:>7}[/] {text}{when}")


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def ensure_writable(path: Path) -> None:
    """Check before the work begins that a result can be saved there. Raises OptionError if it cannot."""
    folder = path if path.is_dir() else path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OptionError(f"cannot write to {folder}: {error.strerror}; choose another place") from None


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """A spinner on a terminal, nothing elsewhere."""
    if err.is_terminal:
        with err.status(what):
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
        return os.path.join(".", str(path.resolve().relative_to(Path.cwd())))
    return str(path)


def _provenance(card: dict[str, Any]) -> str:
    source = card.get("source", {})
    made = " ".join(part for part in (source.get("engine", ""), source.get("voice", "")) if part)
    return f"{card['id']} · {card['language']} · {made} · licence {card.get('licence', 'none')}"


def _shortened(text: str, limit: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
