"""`agentaudio voices`: look into a voice library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from agentaudio.cli.console import ensure_writable, in_home, out, play, print_json
from agentaudio.resources import open_voices
from agentaudio.voice_library.voice import Voice

voices = App(name="voices", help="Look into a voice library: list, search, play.")

Library = Annotated[Path | None, Parameter(name=["--library", "-l"])]


@voices.command(name="list")
def list_voices(*, library: Library = None, json: bool = False) -> None:
    """Show every voice of a library.

    Parameters
    ----------
    library
        Folder of the voice library, instead of the demo voices.
    json
        Print the cards as JSON.
    """
    _show([(voice, None) for voice in open_voices(library).library], json)


@voices.command
def search(query: str, *, library: Library = None, k: int = 3, json: bool = False) -> int:
    """Find the voices that fit a description, such as "a calm old man".

    Exits with 1 when nothing fits.

    Parameters
    ----------
    query
        A description, or a name.
    library
        Folder of the voice library, instead of the demo voices.
    k
        How many to show at most.
    json
        Print the cards with their scores as JSON.
    """
    matches = open_voices(library).by_text(query, k)
    if not matches and not json:
        out.print(f"No voice fits “{query}”. `agentaudio voices list` shows what there is.")
        return 1
    _show([(match.voice, match.score) for match in matches], json)
    return 0 if matches else 1


@voices.command(name="play")
def play_voice(
    voice: str, *, library: Library = None, out_file: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None
) -> None:
    """Let a voice be heard, or write its clip to a file.

    Parameters
    ----------
    voice
        Id or name of the voice.
    library
        Folder of the voice library, instead of the demo voices.
    out_file
        Write the clip here instead of playing it.
    """
    chosen = open_voices(library).library.get(voice)
    if out_file is None:
        play(chosen.clip)
        return
    ensure_writable(out_file)
    chosen.clip.save(out_file)
    out.print(f"saved {in_home(out_file)} ({chosen.clip.duration:.1f} s)")


def _show(rows: list[tuple[Voice, float | None]], json: bool) -> None:
    if json:
        print_json([voice.to_dict() | ({} if score is None else {"score": score}) for voice, score in rows])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("id", "name", "language", "", "description") if rows and rows[0][1] is None else (
        "id", "name", "language", "score", "description",
    ):  # fmt: skip
        table.add_column(title, no_wrap=title in ("id", "name", "score"))
    for voice, score in rows:
        shown = "" if score is None else f"{score:.2f}"
        table.add_row(voice.id, voice.name, voice.card.language, shown, voice.description)
    out.print(table)
