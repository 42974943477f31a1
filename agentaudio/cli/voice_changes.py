"""The commands of `agentaudio voices` that change a library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agentaudio.cli.console import err, in_home, mark, out, print_json
from agentaudio.errors import OptionError
from agentaudio.escaping import one_line
from agentaudio.voice_library.encoders import default_encoder, load_encoder
from agentaudio.voice_library.ingest import IngestReport
from agentaudio.voice_library.ingest import ingest as take_in
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.manifest_values import normalised
from agentaudio.voice_library.ray_ingest import ingest_with_ray
from agentaudio.voice_library.reindex import reindex as embed_again
from agentaudio.voice_library.withheld import in_words

AGAIN_SHOWN = 20
Library = Annotated[Path, Parameter(name="--voices")]


@Parameter(name="*")
@dataclass
class Rights:
    """Licence and consent of the voices. Voices without both are stored, and the library does not let them be used.

    Parameters
    ----------
    licence
        Licence of the recordings, by its SPDX name.
    basis
        Basis of the consent: the speaker agreed, the licence permits it, or the voice is synthetic.
    holder
        Person or organisation that gave the consent or holds the rights.
    scope
        Permitted purpose; repeat it for more.
    until
        Last day of the consent.
    evidence
        Where the consent can be checked.
    """

    licence: str | None = None
    basis: Literal["speaker", "licence", "synthetic"] | None = None
    holder: str | None = None
    scope: tuple[str, ...] = ("synthesis",)
    until: date | None = None
    evidence: str | None = None

    def fields(self) -> dict[str, Any]:
        """The fields of a voice card. Raises OptionError for an incomplete consent."""
        fields: dict[str, Any] = {} if self.licence is None else {"licence": self.licence}
        if self.basis is None and self.holder is None:
            if self.until is not None or self.evidence is not None:
                raise OptionError("a consent needs --basis and --holder besides --until and --evidence")
            return fields
        if self.basis is None or self.holder is None:
            raise OptionError("a consent needs both --basis and --holder")
        consent = {"basis": self.basis, "holder": self.holder, "scope": self.scope}
        return fields | {"consent": consent | {"until": self.until, "evidence": self.evidence}}


NO_RIGHTS = Rights()


def add(
    clip: Path,
    *,
    library: Library,
    id: str | None = None,
    name: str | None = None,
    description: str | None = None,
    transcript: str | None = None,
    language: str | None = None,
    tag: tuple[str, ...] = (),
    gender: Literal["female", "male", "neutral"] | None = None,
    age: Literal["child", "young", "adult", "old"] | None = None,
    rights: Rights = NO_RIGHTS,
    encoder: str | None = None,
    json: bool = False,
) -> int:
    """Add the best 3 to 15 seconds of a recording as a voice.

    Exits with 1 when nothing was added, also because the library has the recording already.

    Parameters
    ----------
    clip
        The recording, of a single speaker.
    library
        Folder of the voice library; it is created if it does not exist.
    id
        Id of the voice; the default is made from the file name.
    name
        Display name of the voice.
    description
        How the voice sounds, in words that people would search for; the default is made from the recording.
    transcript
        The words of the recording.
    language
        Language of the recording, such as en-GB.
    tag
        A word to find the voice by; repeat it for more.
    gender
        Gender of the speaker.
    age
        Age of the speaker.
    encoder
        Speaker encoder of a new library: embedded, campplus:FOLDER, wavlm:FOLDER or ecapa. The default is
        CAM++ if Step-Audio 2 mini has been downloaded, else the embedded encoder.
    json
        Print the report as JSON.
    """
    fields = {
        "id": id, "name": name, "description": description, "transcript": transcript,
        "language": normalised("language", language), "tags": tag, "gender": gender, "age": age,
    }  # fmt: skip
    common = rights.fields() | {field: value for field, value in fields.items() if value}
    report = take_in(_opened(library, encoder), clip, common=common)
    _report(report, json)
    return int(not report.added)


def ingest(
    source: Path,
    *,
    library: Library,
    language: str | None = None,
    rights: Rights = NO_RIGHTS,
    root: Path | None = None,
    encoder: str | None = None,
    workers: int | None = None,
    ray: bool = False,
    json: bool = False,
) -> int:
    """Add recordings as voices. Run it again to continue after an interruption.

    Exits with 1 when a row was refused; the other rows are added.

    Parameters
    ----------
    source
        A folder of recordings; a manifest (.csv, .tsv, .jsonl, .parquet) with a column `file` and fields of voice
        cards, see docs/voices.md; a list (.txt) of lines `file.wav, description`; or a data directory of Kaldi.
    library
        Folder of the voice library; it is created if it does not exist.
    language
        Language of recordings without one in the manifest, such as en-GB.
    root
        Folder that the files of the manifest are relative to; the default is that of the manifest.
    encoder
        Speaker encoder of a new library: embedded, campplus:FOLDER, wavlm:FOLDER or ecapa. The default is
        CAM++ if Step-Audio 2 mini has been downloaded, else the embedded encoder.
    workers
        Number of threads, or of processes on the cluster; the default is one per core.
    ray
        Compute the embeddings on a Ray cluster: the one at RAY_ADDRESS, or else one on this machine.
    json
        Print the report as JSON.
    """
    common = rights.fields() | ({"language": normalised("language", language)} if language else {})
    opened = _opened(library, encoder)
    with _bar("adding") as advance:
        if ray:
            make = partial(load_encoder, encoder or "embedded")
            report = ingest_with_ray(
                opened, source, encoder=make, common=common, workers=workers, root=root, on_progress=advance
            )
        else:
            report = take_in(opened, source, common=common, workers=workers, root=root, on_progress=advance)
    return _report(report, json)


def revoke(voice: str, *, library: Library) -> None:
    """Revoke a voice, with immediate effect in every process. Only its card stays, marked as revoked.

    Parameters
    ----------
    voice
        Id or name of the voice.
    library
        Folder of the voice library.
    """
    opened = VoiceLibrary(library)
    card = opened.revoke(opened.find(voice).id)
    out.print(f"revoked {card.id}; its clip, embeddings and prompts are deleted")


def remove(voice: str, *, library: Library, yes: bool = False) -> None:
    """Delete a voice permanently: card, clip, embeddings, prompts and log.

    Parameters
    ----------
    voice
        Id or name of the voice.
    library
        Folder of the voice library.
    yes
        Confirm the deletion, which cannot be undone.
    """
    opened = VoiceLibrary(library)
    card = opened.find(voice)
    if not yes:
        raise OptionError(f"{card.id!r} ({card.name}) would be deleted permanently; add --yes to confirm")
    opened.remove(card.id)
    out.print(f"deleted {card.id}")


def reindex(*, library: Library, encoder: str | None = None) -> int:
    """Compute all speaker embeddings again and drop the search indexes, which are rebuilt on the next search.

    Exits with 1 when a voice has no embedding.

    Parameters
    ----------
    library
        Folder of the voice library.
    encoder
        Migrate to this speaker encoder: embedded, campplus:FOLDER, wavlm:FOLDER or ecapa.
    """
    opened = _opened(library, encoder, migrate=True)
    with _bar("embedding") as advance:
        refused = embed_again(opened, on_progress=advance)
    for id, reason in refused.items():
        out.print(mark("refused", "red"), one_line(f"{id}: {reason}"))
    out.print(f"{len(opened) - len(refused)} voices have embeddings of {opened.encoder_name}")
    return int(bool(refused))


def _opened(folder: Path, encoder: str | None, *, migrate: bool = False) -> VoiceLibrary:
    """The library with the given encoder, else with the encoder of its embeddings, else with the default one."""
    library = VoiceLibrary(folder) if migrate else VoiceLibrary.open_or_create(folder)
    if encoder is not None:
        library.encoder = load_encoder(encoder)
    else:
        library.encoder = default_encoder(library.encoder_name)
    if library.encoder is None:
        raise OptionError(f"{folder} has embeddings of {library.encoder_name!r}; name that encoder with --encoder")
    return library


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, nothing elsewhere."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _report(report: IngestReport, json: bool) -> int:
    if json:
        notes = {
            name: [{"row": note.row, "file": note.file, "what": note.what} for note in getattr(report, name)]
            for name in ("skipped", "flagged", "refused", "withheld", "again")
        }
        print_json({"added": report.added, **notes})
    else:
        for name, colour in (("skipped", "dim"), ("flagged", "yellow"), ("refused", "red")):
            for note in getattr(report, name):
                where = f"row {note.row}, {in_home(Path(note.file))}"
                out.print(mark(name, colour), one_line(f"{where}: {note.what}"))
        out.print(f"{len(report.added)} voices added, {len(report.skipped)} already present, "
                  f"{len(report.flagged)} to check, {len(report.refused)} refused")  # fmt: skip
        if report.again:
            files = "; ".join(f"{in_home(Path(note.file))} ({note.what})" for note in report.again[:AGAIN_SHOWN])
            more = f"; and {len(report.again) - AGAIN_SHOWN} more" if len(report.again) > AGAIN_SHOWN else ""
            out.print(mark("record again", "yellow"), one_line(files + more))
        if report.withheld:
            out.print(mark("withheld", "yellow"), in_words(dict(Counter(note.what for note in report.withheld))))
    return int(bool(report.refused))
