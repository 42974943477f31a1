"""`StoredSessions`: the sessions that clients name. They outlive their connections, and the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from agentaudio.agent import Agent
from agentaudio.errors import OptionError, SessionInUse, StorageError
from agentaudio.server.auth import Caller
from agentaudio.server.errors import ApiError
from agentaudio.server.realtime.outgoing import Outgoing
from agentaudio.session import Session
from agentaudio.storage.store import Store

log = logging.getLogger(__name__)

LONGEST_NAME = 100


class StoredSessions:
    """The sessions in a store, each of one key and open in one connection."""

    def __init__(self, agent: Agent, store: Store) -> None:
        self._agent, self._store = agent, store
        self._open: dict[str, Outgoing] = {}
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def session(self, caller: Caller, name: str, out: Outgoing) -> AsyncGenerator[Session, None]:
        """Begin the session of that name, or resume it. A connection that has it open is closed.

        out: of the new connection

        Raises ApiError.
        """
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise ApiError(
                400, f"session_id must have 1 to {LONGEST_NAME} printable characters", code="invalid_value",
                param="session_id",
            )  # fmt: skip
        id = f"{caller.id} {name}"
        async with self._opening:
            try:
                if (other := self._open.pop(id, None)) is not None:
                    other.close("another connection has opened this session")
                    await self._store.leave(id)
                session = await self._store.session(self._agent, id, speaker=caller.id, plays=False)
            except SessionInUse:
                raise ApiError(409, "another server has this session open", code="session_in_use") from None
            except (StorageError, OptionError) as error:
                raise ApiError(503, "the session cannot be read now", code="storage_unavailable") from error
            self._open[id] = out
        try:
            yield session
        finally:
            async with self._opening:
                if self._open.get(id) is out:
                    del self._open[id]
                    try:
                        await self._store.leave(id)
                    except StorageError as error:
                        log.warning("a Realtime session was not stored to its end: %s", error)
