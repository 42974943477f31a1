"""`export_voice`: write out everything that a library holds about one voice."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agentaudio.errors import VoiceError
from agentaudio.voice_library.library import VoiceLibrary


def export_voice(library: VoiceLibrary, voice: str, to: str | os.PathLike[str]) -> Path:
    """Write everything that is held about a voice, for the person whose voice it is.

    voice: its id or name
    to: a new folder, or a new file that ends in .zip. It will hold card.json, log.json, clip.flac,
        embedding-ENCODER.npy ((dim,) float32), prompts.json (a list of {file, model, version, bytes,
        made}) and prompts/FILE, and consent.flac if the voice was lent by a recording; of a revoked voice only the
        first two.

    Raises VoiceNotFound, and VoiceError when `to` exists or cannot be written; then nothing is left there.
    """
    to = Path(to)
    if to.exists():
        raise VoiceError(f"{to} exists already; choose another place")
    parts = list(_parts(library, library.find(voice).id))
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=to.parent) as scratch:
            made = Path(scratch) / to.name
            if to.suffix == ".zip":
                with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
                    for name, content in parts:
                        archive.writestr(name, content)
            else:
                for name, content in parts:
                    (made / name).parent.mkdir(parents=True, exist_ok=True)
                    (made / name).write_bytes(content)
            made.rename(to)
    except OSError as error:
        raise VoiceError(f"cannot write {to}: {error.strerror}; choose another place or free some space") from None
    return to


def _parts(library: VoiceLibrary, id: str) -> Iterator[tuple[str, bytes]]:
    card = library.card(id)
    yield "card.json", _json(card.model_dump(mode="json"))
    yield "log.json", _json(library.log(id))
    if card.revoked is not None:
        return
    try:
        yield "clip.flac", library.clip_files.path(card.sha256).read_bytes()
        recording = card.consent.recording if card.consent is not None else None
        if recording is not None and (spoken := library.consents.sound(recording.id)) is not None:
            yield "consent.flac", spoken
        kept = library.prompts.of(card.sha256)
        for state in kept:
            yield f"prompts/{state.path.name}", state.path.read_bytes()
    except OSError as error:
        raise VoiceError(f"voice {id!r}: cannot read {error.filename}: {error.strerror}") from None
    if kept:
        yield "prompts.json", _json([state.to_dict() for state in kept])
    sql = "SELECT encoder, vector FROM embeddings WHERE voice = (SELECT row FROM voices WHERE id = ?)"
    for encoder, vector in library.database.rows(sql, id):
        buffer = io.BytesIO()
        np.save(buffer, np.frombuffer(vector, np.float32), allow_pickle=False)
        safe = "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in encoder)
        yield f"embedding-{safe}.npy", buffer.getvalue()


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
