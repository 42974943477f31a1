"""`SqliteStore`: sessions in one SQLite file."""

from __future__ import annotations

import os

from agentaudio.storage.sqlite_records import SqliteRecords
from agentaudio.storage.store import Store
from agentaudio.voice_library.library import VoiceLibrary


class SqliteStore(Store):
    """Sessions in one SQLite file on a local disk, with their sound in files beside it. Several processes may use it.

    path: of the file, which is made on first use
    keep_sound, days, voices: as for Store
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_sound: bool = False,
        days: float | None = None,
        voices: VoiceLibrary | None = None,
    ) -> None:
        super().__init__(SqliteRecords(path), keep_sound=keep_sound, days=days, voices=voices)
