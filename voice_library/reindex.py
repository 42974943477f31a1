"""`reindex`: make everything again that is derived from the clips of a library."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AgentAudioError, VoiceError
from agentaudio.sound.speaker_encoder import SpeakerEncoder
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.records import Records

BATCH = 64
_LACKING = """
SELECT row FROM voices WHERE revoked IS NULL AND NOT ended
AND row NOT IN (SELECT voice FROM embeddings WHERE encoder = ?) ORDER BY row"""


def reindex(
    library: VoiceLibrary,
    encoder: SpeakerEncoder | None = None,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Embed every voice with one encoder; delete the search indexes and the prompts, which are made again on use.

    Until the last voice is embedded the library keeps its old encoder, and searches use it. An
    interrupted run can be repeated; it skips the voices that are embedded already.

    encoder: None uses the one that the library was opened with
    on_progress: called with the number of voices done and of all voices

    returns: ids of voices that could not be embedded, each with the reason
    Raises VoiceError without an encoder, or when the library cannot be written.
    """
    encoder = encoder or library.encoder
    if encoder is None:
        raise VoiceError("this library was opened without an encoder; pass one to `reindex`")
    name, refused = encoder.name, dict[int, tuple[str, str]]()

    def embed(row: int) -> NDArray[np.float32] | None:
        for voice in library.at([row]):  # empty when the voice was removed meanwhile
            try:
                return encoder.encode(voice.clip)
            except AgentAudioError as error:
                refused[row] = voice.id, str(error)
        return None

    done = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # Queried again, because other processes may add voices with the old encoder meanwhile.
        while rows := [row for (row,) in library.database.rows(_LACKING, name) if row not in refused]:
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                vectors = list(pool.map(embed, part))
                with library.database.change() as db:
                    for row, vector in zip(part, vectors, strict=True):
                        if vector is not None:
                            Records(db).embed(row, name, vector)
                done += len(part)
                if on_progress is not None:
                    on_progress(done, done - start - len(part) + len(rows))
    with library.database.change() as db:
        Records(db).set_encoder(encoder)
    library.drop_indexes()
    library.prompts.clear()
    library.database.wipe()
    return dict(refused.values())
