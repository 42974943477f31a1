"""`RedisStore`: sessions in a Redis database, for programs on several machines."""

from __future__ import annotations

from agentaudio.storage.redis_records import RedisRecords
from agentaudio.storage.store import Store
from agentaudio.voice_library.library import VoiceLibrary


class RedisStore(Store):
    """Sessions in a Redis database, under names that begin with "agentaudio:".

    url: of the database, such as "redis://user:password@host:6379/0"; "rediss" for TLS
    keep_sound, days, voices: as for Store. Sound is kept in the database

    What survives a crash or a power cut of the server is up to its settings: with `appendonly yes` it is at most the
    last second, with `appendfsync always` nothing is lost.

    Raises MissingExtra without the extra `redis`, and StorageError for another kind of address.
    """

    def __init__(
        self, url: str, *, keep_sound: bool = False, days: float | None = None, voices: VoiceLibrary | None = None
    ) -> None:
        super().__init__(RedisRecords(url), keep_sound=keep_sound, days=days, voices=voices)
