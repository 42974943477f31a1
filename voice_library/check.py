"""`check`: whether a library holds what its cards say, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from agentaudio.errors import VoiceError
from agentaudio.voice_library.library import VoiceLibrary


@dataclass(frozen=True)
class Problem:
    """Something that should not be so. repaired: whether it was mended just now."""

    what: str
    repaired: bool = False


def check(library: VoiceLibrary, *, repair: bool = False) -> list[Problem]:
    """Read every file of a library against its card.

    repair: delete files of no voice, and finish purges that a kill interrupted. What is missing or
        changed is only reported: no voice is ever deleted.

    returns: what was found; empty when all is well
    Raises VoiceError when the library cannot be read, or not be written though `repair` is asked.
    """
    problems = [Problem(f"the database: {told}") for (told,) in library.database.rows("PRAGMA integrity_check(20)")]
    problems = [problem for problem in problems if not problem.what.endswith(": ok")]
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
    """Purges that were begun, or are due, and not done."""
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
    yield from library.clip_files.strays({sha256 for (sha256,) in rows})
    yield from library.folder.glob(".*.tmp")


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
