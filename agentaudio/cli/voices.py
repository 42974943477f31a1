"""`agentaudio voices`: list, search and change a voice library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.table import Table

from agentaudio.cli.console import ensure_sound_writable, in_home, mark, out, play, print_json
from agentaudio.escaping import one_line
from agentaudio.resources import open_voices
from agentaudio.retrieval.voices.search import VoiceMatch
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.check import check
from agentaudio.voice_library.export import export_voice
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.manifest_values import normalised
from agentaudio.voice_library.stats import stats
from agentaudio.voice_library.voice import Voice
from agentaudio.voice_library.withheld import in_words, withheld

voices = App(name="voices", help="List, search and change a voice library.")
for _command, _help in {
    "voice_changes:add": "Add one recording as a voice.",
    "voice_changes:ingest": "Add many recordings as voices, from a folder or a manifest.",
    "voice_edits:edit": "Change the cards of voices, such as licence and consent.",
    "voice_changes:revoke": "Revoke a voice, so that it is no longer found or used.",
    "voice_changes:remove": "Delete a voice for good.",
    "voice_changes:reindex": "Compute all speaker embeddings again, with the same speaker encoder or another one.",
    "voice_edits:policy": "Show or set whether voices without a licence or a consent may be used.",
}.items():
    voices.command(f"agentaudio.cli.{_command}", help=_help)

Gender = Literal["female", "male", "neutral"]
Age = Literal["child", "young", "adult", "old"]
Library = Annotated[str, Parameter(name="--voices")]


@voices.command(name="list")
def list_voices(*, library: Library = "demo", json: bool = False) -> None:
    """Show every voice of a library.

    Parameters
    ----------
    library
        Folder of the voice library. `demo` stands for the voices that ship with agentaudio.
    json
        Print the cards as JSON, each with the reason why it is withheld, and the number of voices for each reason.
    """
    opened = open_voices(library).library
    held = list(opened)
    if json:
        policy = opened.policy
        refusals = [voice.card.refusal("synthesis", policy=policy) for voice in held]
        cards = [
            voice.to_dict() | ({"refusal": refusal} if refusal else {})
            for voice, refusal in zip(held, refusals, strict=True)
        ]
        print_json({"voices": cards, "withheld": withheld(opened)})
    else:
        _show(held)
        _tell_withheld(opened)


@voices.command
def show(voice: str, *, library: Library = "demo", json: bool = False) -> None:
    """Show the card of a voice, revoked or not, and its log.

    Parameters
    ----------
    voice
        Id or name of the voice.
    library
        Folder of the voice library. `demo` stands for the voices that ship with agentaudio.
    json
        Print card and log as JSON.
    """
    opened = open_voices(library).library
    card = opened.find(voice)
    refusal = opened.refusal(card.id, "synthesis")
    kept = [] if card.revoked else opened.prompts.of(card.sha256)
    shown = card.model_dump(mode="json", exclude_none=True) | {
        "usable": refusal is None, **({} if refusal is None else {"refusal": refusal}), "log": opened.log(card.id),
        "prompts": [state.to_dict() for state in kept],
    }  # fmt: skip
    if json:
        print_json(shown)
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in shown.items():
        table.add_row(mark(name.replace("_", " "), "green"), _line(value))
    out.print(table)


@voices.command
def export(voice: str, to: Path, *, library: Library = "demo") -> None:
    """Write everything the library stores about a voice: card, clip, embeddings, prompts and log.

    Parameters
    ----------
    voice
        Id or name of the voice.
    to
        A new folder, or a new file that ends in .zip.
    library
        Folder of the voice library. `demo` stands for the voices that ship with agentaudio.
    """
    opened = open_voices(library).library
    out.print(f"wrote {in_home(export_voice(opened, opened.find(voice).id, to))}")


@voices.command(name="check")
def check_library(*, library: Library = "demo", repair: bool = False, json: bool = False) -> int:
    """Compare every file of a library with its cards.

    Exits with 1 when a problem was found and not repaired.

    Parameters
    ----------
    library
        Folder of the voice library. `demo` stands for the voices that ship with agentaudio.
    repair
        Move recordings that belong to no voice to the folder `set-aside`, delete other files that belong to no
        voice, and finish deletions that were interrupted.
    json
        Print the problems as JSON.
    """
    problems = check(open_voices(library).library, repair=repair)
    if json:
        print_json([{"what": problem.what, "repaired": problem.repaired} for problem in problems])
    else:
        for problem in problems:
            state = mark("repaired", "green") if problem.repaired else mark("problem ", "red")
            out.print(state, one_line(problem.what))
        out.print("no problems" if not problems else f"{len(problems)} problems")
    return int(any(not problem.repaired for problem in problems))


@voices.command(name="stats")
def show_stats(*, library: Library = "demo", json: bool = False) -> None:
    """Show statistics of a library.

    Parameters
    ----------
    library
        Folder of the voice library. `demo` stands for the voices that ship with agentaudio.
    json
        Print the statistics as JSON.
    """
    opened = open_voices(library)
    figures = stats(opened.library) | {"index": opened.stats()}
    if json:
        print_json(figures)
        return
    for name, value in figures.items():
        out.print(mark(f"{name:>10}", "green"), one_line(_line(value)))


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
    library: Library = "demo",
    encoder: str | None = None,
    json: bool = False,
) -> int:
    """Find voices that fit a description such as "a calm old man", that sound like a clip, or both.

    Exits with 1 when no voice fits.

    Parameters
    ----------
    query
        A description, or a name.
    clip
        A sound file; finds voices that sound like it.
    gender
        Only voices of this gender.
    age
        Only voices of this age.
    language
        Only voices recorded in this language, such as en or en-GB.
    accent
        Only voices with this accent.
    tag
        Only voices with this tag on their card; repeat it for more tags.
    exclude
        Id or name of a voice to leave out; repeat it for more voices.
    k
        Maximum number of voices to show.
    min_score
        Lowest score of a match. The default was measured; see docs/voices.md.
    library
        Folder of the voice library. `demo` stands for the voices that ship with agentaudio.
    encoder
        Speaker encoder of the library, for --clip: campplus:FOLDER, wavlm:FOLDER or ecapa. Not needed for the
        embedded encoder.
    json
        Print the cards with their scores, and the number of withheld voices for each reason, as JSON.
    """
    sound = None if clip is None else Audio.load(clip)
    language = normalised("language", language)
    opened = open_voices(library, encoder=encoder)
    matches = opened.search(
        query, sound, k, gender=gender, age=age, language=language, accent=accent, tags=tag, exclude=exclude,
        min_score=min_score,
    )  # fmt: skip
    if not matches and not json:
        out.print(f"No voice fits “{query or 'that'}”. `agentaudio voices list` shows what there is.")
        _tell_withheld(opened.library)
        return 1
    if json:
        found = [
            match.voice.to_dict() | {"score": match.score, "signals": match.signals, "reason": match.reason}
            for match in matches
        ]
        print_json({"voices": found, "withheld": withheld(opened.library)})
    else:
        _show([match.voice for match in matches], matches)
        _tell_withheld(opened.library)
    return 0 if matches else 1


@voices.command(name="play")
def play_voice(
    voice: str, *, library: Library = "demo", out_file: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None
) -> None:
    """Play the clip of a voice, or write it to a file.

    Parameters
    ----------
    voice
        Id or name of the voice.
    library
        Folder of the voice library. `demo` stands for the voices that ship with agentaudio.
    out_file
        Write the clip to this file instead of playing it.
    """
    chosen = open_voices(library).library.get(voice)
    if out_file is None:
        play(chosen.clip)
        return
    ensure_sound_writable(out_file)
    chosen.clip.save(out_file)
    out.print(f"saved {in_home(out_file)} ({chosen.clip.duration:.1f} s)")


def _tell_withheld(library: VoiceLibrary) -> None:
    if told := in_words(withheld(library)):
        out.print(mark("withheld", "yellow"), one_line(told))


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
        why = (f"{matches[number].score:.2f}", matches[number].reason) if matches else ()
        table.add_row(voice.id, voice.name, voice.card.language, voice.description, *why)
    out.print(table)
