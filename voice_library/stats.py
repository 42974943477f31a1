"""`stats`: counts and sizes of a library."""

from __future__ import annotations

from typing import Any

from agentaudio.voice_library.database import FORMAT
from agentaudio.voice_library.library import VoiceLibrary


def stats(library: VoiceLibrary) -> dict[str, Any]:
    """What a library holds, as plain data: counts of voices, hours of clips, bytes on disk, encoder, policy.

    `prompts` lists each maker of kept prompts: {model, version, count, bytes}.
    """
    rows = library.database.rows
    voices, duration_s = rows("SELECT count(*), coalesce(sum(duration_s), 0) FROM voices WHERE revoked IS NULL")[0]
    return {
        "voices": voices,
        "usable": len(library.select(purpose="synthesis")),
        "revoked": rows("SELECT count(*) FROM voices WHERE revoked IS NOT NULL")[0][0],
        "embedded": len(library.select(embedded=True)) if library.encoder_name is not None else 0,
        "hours": round(duration_s / 3600, 3),
        "languages": dict(_counts(library, "language")),
        "genders": dict(_counts(library, "gender")),
        "encoder": library.encoder_name,
        "dim": library.dim,
        "prompts": _prompts(library),
        "policy": library.policy.model_dump(),
        "format": FORMAT,
        "generation": library.generation,
        "bytes": sum(file.stat().st_size for file in library.folder.rglob("*") if file.is_file()),
    }


def _counts(library: VoiceLibrary, column: str) -> list[tuple[str, int]]:
    known = f"revoked IS NULL AND {column} IS NOT NULL"
    sql = f"SELECT {column}, count(*) FROM voices WHERE {known} GROUP BY 1 ORDER BY 2 DESC, 1"
    return [(str(value), int(count)) for value, count in library.database.rows(sql)]


def _prompts(library: VoiceLibrary) -> list[dict[str, Any]]:
    makers: dict[tuple[str, str], list[int]] = {}
    for state in library.prompts:
        makers.setdefault((state.model, state.version), []).append(state.size_bytes)
    return [
        {"model": model, "version": version, "count": len(sizes), "bytes": sum(sizes)}
        for (model, version), sizes in sorted(makers.items())
    ]
