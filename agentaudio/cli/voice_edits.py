"""The commands of `agentaudio voices` that change cards and what the library tolerates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from agentaudio.cli.console import in_home, mark, out, print_json
from agentaudio.cli.voice_changes import NO_RIGHTS, Library, Rights
from agentaudio.errors import OptionError, VoiceError
from agentaudio.escaping import one_line
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.manifest_edits import EditReport, edit_from
from agentaudio.voice_library.manifest_values import normalised
from agentaudio.voice_library.voice import DEFECTS, Defect, Policy

SHOWN = 20
"""Voices that are listed one by one after an edit."""
POLICIES = {
    "strict": Policy(),
    "without-licence": Policy(without_licence=True),
    "without-consent": Policy(without_consent=True),
    "without-both": Policy(without_licence=True, without_consent=True),
}


def edit(
    voice: tuple[str, ...] = (),
    *,
    library: Library,
    every: Annotated[bool, Parameter(name="--all")] = False,
    name: str | None = None,
    description: str | None = None,
    transcript: str | None = None,
    language: str | None = None,
    tag: tuple[str, ...] = (),
    gender: Literal["female", "male", "neutral"] | None = None,
    age: Literal["child", "young", "adult", "old"] | None = None,
    accent: str | None = None,
    rights: Rights = NO_RIGHTS,
    table: Annotated[Path | None, Parameter(name="--from")] = None,
    root: Path | None = None,
    json: bool = False,
) -> int:
    """Change the cards of voices, such as a licence and a consent that were missing.

    Exits with 1 when a card could not be changed; the others are.

    Parameters
    ----------
    voice
        Ids or names of the voices.
    library
        Folder of the voice library.
    every
        Change every voice of the library.
    name
        Display name.
    description
        How the voice sounds.
    transcript
        The words of the recording.
    language
        Language of the recording, such as en-GB.
    tag
        A word to find the voice by; repeat it for more. Replaces the tags that were there.
    gender
        Gender of the speaker.
    age
        Age of the speaker.
    accent
        Accent of the speaker.
    table
        Change the voices in this table (.csv, .tsv, .jsonl, .parquet): each row names one by `id`, `file`, `speaker`
        or `name`, and the other columns are fields of its card. What the options say holds for rows without it.
    root
        Folder that the files of the table are relative to; the default is that of the table.
    json
        Print the report as JSON.
    """
    given = {
        "name": name, "description": description, "transcript": transcript, "tags": tag,
        "language": normalised("language", language), "gender": gender, "age": age, "accent": accent,
    }  # fmt: skip
    fields = rights.fields() | {field: value for field, value in given.items() if value}
    if (every, bool(voice), table is not None).count(True) != 1:
        raise OptionError("name the voices to edit, or --all for every voice, or a table with --from")
    opened = VoiceLibrary(library)
    if table is not None:
        return _report(opened, edit_from(opened, table, common=fields, root=root), json)
    if not fields:
        raise OptionError("nothing to change; name a field, such as --licence CC0-1.0")
    report = EditReport()
    for number, wanted in enumerate([held.id for held in opened] if every else voice, 1):
        try:
            report.edited.append(opened.edit(opened.get(wanted).id, **fields).id)
        except VoiceError as error:
            report.refused.append((number, wanted, str(error)))
    return _report(opened, report, json)


def policy(
    change: Literal["strict", "without-licence", "without-consent", "without-both"] | None = None,
    *,
    library: Library,
    refuse: tuple[Defect | Literal["all", "none"], ...] = (),
) -> None:
    """Show or set whether voices without a licence or a consent may be used, and which clips are refused.

    Parameters
    ----------
    change
        Permit voices whose cards have no licence, no consent, or neither; `strict` permits none of them. No
        policy permits a voice whose consent has ended or does not cover the purpose.
    library
        Folder of the voice library.
    refuse
        Refuse recordings with this defect when they are added; repeat it for more. `all` refuses every defect, `none`
        flags them only, which is the default.
    """
    opened = VoiceLibrary(library)
    wanted = opened.policy
    if change is not None:
        wanted = POLICIES[change].model_copy(update={"refused_defects": wanted.refused_defects})
    if refuse:
        named = DEFECTS if "all" in refuse else tuple(name for name in DEFECTS if name in refuse)
        wanted = wanted.model_copy(update={"refused_defects": () if "none" in refuse else named})
    if wanted != opened.policy:
        opened.set_policy(wanted)
    bare = wanted.model_copy(update={"refused_defects": ()})
    now = next(name for name, known in POLICIES.items() if known == bare)
    refused = ", ".join(wanted.refused_defects)
    out.print(f"the policy of {in_home(library)} is {now}" + (f"; it refuses clips with: {refused}" if refused else ""))


def _report(library: VoiceLibrary, report: EditReport, json: bool) -> int:
    refusals = {id: library.refusal(id, "synthesis") for id in report.edited}
    still = {id: refusal for id, refusal in refusals.items() if refusal}
    if json:
        refused = [{"row": row, "voice": voice, "what": why} for row, voice, why in report.refused]
        print_json({"edited": report.edited, "refused": refused, "withheld": still})
        return int(bool(report.refused))
    for row, voice, why in report.refused:
        out.print(mark("refused", "red"), one_line(f"row {row}, {voice}: {why}"))
    for id in report.edited[:SHOWN]:
        out.print(f"edited {id}" + (f"; it is still withheld: {still[id]}" if id in still else ""))
    if len(report.edited) > SHOWN:
        out.print(f"edited {len(report.edited)} voices; {len(still)} are still withheld")
    return int(bool(report.refused))
