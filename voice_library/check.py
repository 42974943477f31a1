"""`check`: compare the files of a library with its cards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from agentaudio.errors import VoiceError
from agentaudio.voice_library.database import left_by_a_kill
from agentaudio.voice_library.library import VoiceLibrary


@dataclass(frozen=True)
class Problem:
    """A discrepancy. repaired: whether `check` removed it."""

    what: str
    repaired: bool = False


def check(library: VoiceLibrary, *, repair: bool = False) -> list[Problem]:
    """Compare every clip with the hash on its card, and find files that belong to no voice.

    repair: delete files that belong to no voice, and finish interrupted purges. Clips that are
        missing or changed are only reported; a voice is never deleted.

    returns: the problems; empty when there are none
    Raises VoiceError when the library cannot be read, or with `repair` cannot be written.
    """
    findings = [finding for (finding,) in library.database.rows("PRAGMA integrity_check(20)")]
    problems = [Problem(f"the database: {finding}") for finding in findings if finding != "ok"]
    pending = _pending(library)
    with library.database.alone() if repair else nullcontext():
        strays = list(_strays(library))
        if repair:
            for file in strays:
                _delete(file)
    problems += [Problem(f"{file.relative_to(library.folder)} belongs to no voice", repair) for file in strays]
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


def _strays(library: VoiceLibrary) -> Iterator[Path]:
    rows = library.database.rows("SELECT DISTINCT sha256 FROM voices WHERE revoked IS NULL")
    known = {sha256 for (sha256,) in rows}
    yield from library.clip_files.strays(known)
    yield from library.prompts.strays(known)
    yield from left_by_a_kill(library.folder)


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
