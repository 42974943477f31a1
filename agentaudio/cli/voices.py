"""`agentaudio voices`: look into a voice library, and change it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.markup import escape
from rich.table import Table

from agentaudio.cli.console import ensure_writable, in_home, out, play, print_json
from agentaudio.resources import open_voices
from agentaudio.retrieval.voices.search import VoiceMatch
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.check import check
from agentaudio.voice_library.export import export_voice
from agentaudio.voice_library.stats import stats
from agentaudio.voice_library.voice import Voice

voices = App(name="voices", help="Look into a voice library, and change it.")
for _command, _help in {
    "add": "Take one recording in as a voice.",
    "ingest": "Take many recordings in as voices: a folder or a manifest.",
    "revoke": "Take a voice back: nobody finds or uses it any more.",
    "remove": "Delete a voice for good.",
    "reindex": "Embed all voices again, with the same speaker encoder or another one.",
    "policy": "Show, or set, what the library permits beyond the cards of its voices.",
}.items():
    voices.command(f"agentaudio.cli.voice_changes:{_command}", help=_help)

Gender = Literal["female", "male", "neutral"]
Age = Literal["child", "young", "adult", "old"]
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
    held = list(open_voices(library or "demo").library)
    if json:
        print_json([voice.to_dict() for voice in held])
    else:
        _show(held)


@voices.command
def show(voice: str, *, library: Library = None, json: bool = False) -> None:
    """Show all that is known of a voice, be it revoked or not, and what happened to it.

    Parameters
    ----------
    voice
        Id of the voice.
    library
        Folder of the voice library, instead of the demo voices.
    json
        Print card and log as JSON.
    """
    opened = open_voices(library or "demo").library
    card = opened.card(voice)
    refusal = opened.refusal(voice, "synthesis")
    shown = card.model_dump(mode="json", exclude_none=True) | {
        "usable": refusal is None, **({} if refusal is None else {"refusal": refusal}), "log": opened.log(voice),
    }  # fmt: skip
    if json:
        print_json(shown)
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in shown.items():
        table.add_row(f"[green]{name.replace('_', ' ')}[/]", escape(_line(value)))
    out.print(table)


@voices.command
def export(voice: str, to: Path, *, library: Library = None) -> None:
    """Write everything that is held on a voice: card, clip, embeddings, prompts and log.

    Parameters
    ----------
    voice
        Id of the voice.
    to
        A new folder, or a new file that ends in .zip.
    library
        Folder of the voice library, instead of the demo voices.
    """
    out.print(f"wrote {in_home(export_voice(open_voices(library or 'demo').library, voice, to))}")


@voices.command(name="check")
def check_library(*, library: Library = None, repair: bool = False, json: bool = False) -> int:
    """Compare every file of a library with its cards.

    Exits with 1 when something is wrong that was not mended.

    Parameters
    ----------
    library
        Folder of the voice library, instead of the demo voices.
    repair
        Delete files that belong to no voice, and finish deletions that were interrupted.
    json
        Print what was found as JSON.
    """
    problems = check(open_voices(library or "demo").library, repair=repair)
    if json:
        print_json([{"what": problem.what, "repaired": problem.repaired} for problem in problems])
    else:
        for problem in problems:
            out.print(f"{'[green]repaired[/]' if problem.repaired else '[red]problem[/] '} {escape(problem.what)}")
        out.print("all is well" if not problems else f"{len(problems)} problems")
    return int(any(not problem.repaired for problem in problems))


@voices.command(name="stats")
def show_stats(*, library: Library = None, json: bool = False) -> None:
    """Show a library in figures.

    Parameters
    ----------
    library
        Folder of the voice library, instead of the demo voices.
    json
        Print them as JSON.
    """
    opened = open_voices(library or "demo")
    figures = stats(opened.library) | {"index": opened.stats()}
    if json:
        print_json(figures)
        return
    for name, value in figures.items():
        out.print(f"[green]{name:>10}[/] {escape(_line(value))}")


@voices.command
def search(
    query: str | None = None,
    *,
    clip: Path | None = None,
    gender: Gender | None = None,
    age: Age | None = None,
    language: str | None = None,
    accent: str | None = None,
    tag: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    k: int = 3,
    min_score: float | None = None,
    library: Library = None,
    encoder: str | None = None,
    json: bool = False,
) -> int:
    """Find the voices that fit a description such as "a calm old man", sound like a clip, or both.

    Exits with 1 when nothing fits.

    Parameters
    ----------
    query
        A description, or a name.
    clip
        A sound file: voices that sound like it.
    gender
        Only such voices.
    age
        Only such voices.
    language
        Only voices whose recording is in it, such as en or en-GB.
    accent
        Only voices with it.
    tag
        Only voices with this word on their card; say it again for another one.
    exclude
        Id of a voice that is not wanted; say it again for another one.
    k
        How many to show at most.
    min_score
        What a match must reach; measured if not given.
    library
        Folder of the voice library, instead of the demo voices.
    encoder
        Speaker encoder of the library, for --clip: campplus:FOLDER, wavlm:FOLDER or ecapa; needless for the
        embedded one.
    json
        Print the cards with their scores as JSON.
    """
    sound = None if clip is None else Audio.load(clip)
    matches = open_voices(library or "demo", encoder=encoder).search(
        query, sound, k, gender=gender, age=age, language=language, accent=accent, tags=tag, exclude=exclude,
        min_score=min_score,
    )  # fmt: skip
    if not matches and not json:
        out.print(f"No voice fits “{escape(query or 'that')}”. `agentaudio voices list` shows what there is.")
        return 1
    if json:
        print_json([match.voice.to_dict() | {"score": match.score, "signals": match.signals, "reason": match.reason}
                    for match in matches])  # fmt: skip
    else:
        _show([match.voice for match in matches], matches)
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
    chosen = open_voices(library or "demo").library.get(voice)
    if out_file is None:
        play(chosen.clip)
        return
    ensure_writable(out_file)
    chosen.clip.save(out_file)
    out.print(f"saved {in_home(out_file)} ({chosen.clip.duration:.1f} s)")


def _line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_line(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "; ".join(map(_line, value))
    return {True: "yes", False: "no", None: "none"}[value] if isinstance(value, bool | None) else str(value)


def _show(voices: list[Voice], matches: list[VoiceMatch] | None = None) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("id", "name", "language", "description", *(("score", "because") if matches else ())):
        table.add_column(title, no_wrap=title in ("id", "name", "score"))
    for number, voice in enumerate(voices):
        why = (f"{matches[number].score:.2f}", escape(matches[number].reason)) if matches else ()
        table.add_row(voice.id, *map(escape, (voice.name, voice.card.language, voice.description)), *why)
    out.print(table)
