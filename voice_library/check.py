"""`check`: compare the files of a library with its cards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from agentaudio.errors import VoiceError
from agentaudio.files import TEMPORARY_SUFFIX
from agentaudio.voice_library.database import left_by_a_kill
from agentaudio.voice_library.library import VoiceLibrary


@dataclass(frozen=True)
class Problem:
    """A discrepancy. repaired: whether `check` removed it."""

    what: str
    repaired: bool = False


def check(library: VoiceLibrary, *, repair: bool = False) -> list[Problem]:
    """Compare every clip with the hash on its card, and find files that belong to no voice.

    repair: move recordings that belong to no voice to FOLDER/set-aside/, where they can be listened to and added again;
        delete those of revoked voices, and prompts and temporary files that belong to no voice; finish interrupted
        purges. Clips that are missing or changed are only reported; a voice is never deleted.

    returns: the problems; empty when there are none
    Raises VoiceError when the library cannot be read, or with `repair` cannot be written, or when it holds recordings
    and no card at all, as a library that was copied without its write-ahead log does; then nothing has changed.
    """
    findings = [finding for (finding,) in library.database.rows("PRAGMA integrity_check(20)")]
    problems = [Problem(f"the database: {finding}") for finding in findings if finding != "ok"]
    pending = list(_pending(library))
    with library.database.alone() if repair else nullcontext():
        clips, others = _stray_clips(library), list(_other_strays(library))
        unknown = [clip for clip in clips if not clip.revoked]
        orphaned = bool(unknown) and not library.database.rows("SELECT 1 FROM voices LIMIT 1")
        if orphaned and repair:
            raise VoiceError(_lost_cards(library, len(unknown)))
        what = {clip.file: _settled(library, clip, repair) for clip in clips}
        for file in others if repair else ():
            _delete(file)
    problems += [Problem(_lost_cards(library, len(unknown)))] if orphaned else []
    problems += [Problem(text, repair) for text in what.values()]
    problems += [Problem(f"{file.relative_to(library.folder)} belongs to no voice", repair) for file in others]
    if repair:
        library.purge()
    problems += [Problem(what, repair) for what in pending]
    for voice in library:
        problem = _clip_problem(voice.path, voice.card.sha256)
        if problem:
            problems.append(Problem(f"voice {voice.id!r}: {problem}; restore it, or remove the voice"))
    bare = len(library.select(embedded=False, purpose="synthesis")) if library.encoder_name is not None else 0
    if bare:
        problems.append(Problem(f"{bare} voices have no embedding; run `agentaudio voices reindex`"))
    return problems


@dataclass(frozen=True)
class _StrayClip:
    """A file among the clips that belongs to no voice. revoked: it is the recording of a deleted voice"""

    file: Path
    revoked: bool


def _lost_cards(library: VoiceLibrary, clips: int) -> str:
    return (
        f"{library.folder} holds {clips} recordings and not one card: it was probably copied without "
        f"{library.database.path.name}-wal, or its first ingest was interrupted; copy the folder again with everything "
        "in it, or ingest the recordings again; nothing was changed"
    )


def _settled(library: VoiceLibrary, clip: _StrayClip, repair: bool) -> str:
    """Delete or set aside a stray clip when `repair` says so; returns the problem in words."""
    what = f"{clip.file.relative_to(library.folder)} belongs to no voice"
    if clip.revoked:
        if repair:
            _delete(clip.file)
        return f"{clip.file.relative_to(library.folder)} is the recording of a voice that was deleted"
    if not repair:
        return f"{what}; `check --repair` sets it aside"
    try:
        to = library.clip_files.set_aside(clip.file)
    except OSError as error:
        raise VoiceError(f"cannot move {clip.file}: {error.strerror}") from None
    return f"{what}; it is now {to.relative_to(library.folder)}"


def _pending(library: VoiceLibrary) -> Iterator[str]:
    """Purges that are due or were interrupted."""
    (discarded,), (ended,) = (
        library.database.rows("SELECT count(*) FROM discarded")[0],
        library.database.rows(
            "SELECT count(*) FROM voices WHERE until < ? AND NOT ended AND revoked IS NULL", date.today().isoformat()
        )[0],
    )
    if discarded:
        yield f"{discarded} deleted clips are not purged yet"
    if ended:
        yield f"{ended} voices whose consent has ended are not purged yet"


def _stray_clips(library: VoiceLibrary) -> list[_StrayClip]:
    deleted = {
        sha256
        for (sha256,) in library.database.rows(
            "SELECT sha256 FROM voices WHERE revoked IS NOT NULL UNION SELECT sha256 FROM discarded"
        )
    }
    strays = library.clip_files.strays(_known(library))
    return [_StrayClip(file, file.stem in deleted) for file in strays if not _is_temporary(file)]


def _is_temporary(file: Path) -> bool:
    """Whether a file was not written whole, because the process was killed."""
    return file.name.startswith(".") and file.suffix == TEMPORARY_SUFFIX


def _other_strays(library: VoiceLibrary) -> Iterator[Path]:
    yield from library.prompts.strays(_known(library))
    yield from (file for file in library.clip_files.strays(_known(library)) if _is_temporary(file))
    yield from left_by_a_kill(library.folder)


def _known(library: VoiceLibrary) -> set[str]:
    rows = library.database.rows("SELECT DISTINCT sha256 FROM voices WHERE revoked IS NULL")
    return {sha256 for (sha256,) in rows}


def _clip_problem(path: Path, sha256: str) -> str | None:
    try:
        content = path.read_bytes()
    except OSError as error:
        return f"cannot read {path}: {error.strerror}"
    return None if hashlib.sha256(content).hexdigest() == sha256 else f"{path} changed after it was added"


def _delete(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise VoiceError(f"cannot delete {file}: {error.strerror}") from None
