"""`PostgresStore`: sessions in a PostgreSQL database, for programs on several machines."""

from __future__ import annotations

from agentaudio.storage.postgres_records import PostgresRecords
from agentaudio.storage.store import Store
from agentaudio.voice_library.library import VoiceLibrary


class PostgresStore(Store):
    """Sessions in a PostgreSQL database, in its schema `agentaudio`, which is made on first use.

    url: of the database, such as "postgresql://user:password@host/database"
    keep_sound, days, voices: as for Store. Sound is kept in the database

    What is erased is gone for every query; its place on the server's disk is used again after the next VACUUM.

    Raises MissingExtra without the extra `postgres`, and StorageError for another kind of address.
    """

    def __init__(
        self, url: str, *, keep_sound: bool = False, days: float | None = None, voices: VoiceLibrary | None = None
    ) -> None:
        super().__init__(PostgresRecords(url), keep_sound=keep_sound, days=days, voices=voices)
