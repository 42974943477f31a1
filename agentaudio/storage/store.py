"""`Store`: sessions that last. Turns are stored as they end; a session is resumed by its id."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from agentaudio.agent import Agent
from agentaudio.conversation import Conversation, Message
from agentaudio.errors import AudioError, OptionError, SessionNotFound, StorageError, VoiceError, VoiceNotFound
from agentaudio.live.settings import LiveSettings
from agentaudio.session import Session
from agentaudio.sound.audio import Audio
from agentaudio.sound.encode import encode_exactly
from agentaudio.sound.filed import FiledAudio
from agentaudio.storage.export import export_session
from agentaudio.storage.recorder import Recorder, Taken
from agentaudio.storage.records import Correction, Records, SessionRow, TurnRow
from agentaudio.storage.replay import Replayed, replay
from agentaudio.storage.resuming import conversation_of, lightened, stored_messages
from agentaudio.storage.writing import Writing
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Voice

if TYPE_CHECKING:
    from agentaudio.live.session import LiveSession

log = logging.getLogger(__name__)

Found = TypeVar("Found")

RECENT = 300
"""Turns of a longer session with which it goes on; all stay in the store."""
LONGEST_ID = 200

SETTLE_AFTER_S = 0.005
"""Time after which what was written is flushed to the disk. Until then the end of the turn is reported, which the work
of another thread would hold up, and the turns of other sessions that end meanwhile need no flush of their own."""


class Store:
    """Stored sessions. `SqliteStore` keeps them in a file.

    records: the database
    keep_sound: store the sound of users and answers too, not only the words
    days: turns are erased so many days after they ended, when the store is next used; None keeps them
    voices: turns in a voice that this library has revoked are erased when the store is next used

    Nothing is opened before the first use. Its methods are for any event loop; database and files are used in threads.
    Close it with `aclose`, or use it as `async with`.

    Raises OptionError for days that are not above 0.
    """

    def __init__(
        self,
        records: Records,
        *,
        keep_sound: bool = False,
        days: float | None = None,
        voices: VoiceLibrary | None = None,
    ) -> None:
        if days is not None and not days > 0:
            raise OptionError(f"days is {days!r}; give a number above 0, or None to keep turns until they are erased")
        self._records, self._keep_sound, self._days, self._voices = records, keep_sound, days, voices
        self._writing = Writing("agentaudio-store-write")
        self._reading = ThreadPoolExecutor(1, "agentaudio-store-read")
        self._settling = ThreadPoolExecutor(1, "agentaudio-store-settle")
        self._settled: Future[None] | None = None
        self._tidy = False
        self._recorders: weakref.WeakValueDictionary[str, Recorder] = weakref.WeakValueDictionary()

    async def session(
        self,
        agent: Agent,
        id: str,
        *,
        speaker: str | None = None,
        voice: str | Voice | None = None,
        plays: bool | None = None,
        deps: Any = None,
        recent: int | None = RECENT,
    ) -> Session:
        """Begin the session of that id, or resume it, also with another model, other tools or another voice.

        Every turn is stored before its `turn.finished` is given. The session is reserved for this process until
        `leave`, or until the session object or the process is gone.

        id: any text of 1 to 200 printable characters
        speaker: whom the session belongs to, for `erase_speaker`
        voice, plays, deps: as for `Agent.session`; without a voice, the session goes on in its last one
        recent: number of turns to go on with, the latest; None is all of them. What is older stays in the store, and
            is left out of the conversation when that has twice as many

        Raises SessionInUse while another session or process has it open, StorageError when the store cannot be used
        or the session cannot be read, and what `Agent.session` raises.
        """

        def begin(conversation: Conversation, recorder: Recorder, voice: str | Voice | None) -> Session:
            return agent.session(conversation, voice=voice, plays=plays, deps=deps, keeper=recorder)

        return await self._begin(begin, id, speaker, voice, recent)

    async def live(
        self,
        agent: Agent,
        id: str,
        *,
        speaker: str | None = None,
        voice: str | Voice | None = None,
        deps: Any = None,
        recent: int | None = RECENT,
        **settings: Unpack[LiveSettings],
    ) -> LiveSession:
        """Begin or resume a session in real time, as `session` does: `async with await store.live(agent, id) as live`.

        settings: as for `Agent.live`
        """

        def begin(conversation: Conversation, recorder: Recorder, voice: str | Voice | None) -> LiveSession:
            return agent.live(conversation, voice=voice, deps=deps, keeper=recorder, **settings)

        return await self._begin(begin, id, speaker, voice, recent)

    async def _begin(
        self,
        begin: Callable[[Conversation, Recorder, str | Voice | None], Found],
        id: str,
        speaker: str | None,
        voice: str | Voice | None,
        recent: int | None,
    ) -> Found:
        if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID or not id.isprintable():
            raise OptionError(f"a session id is a text of 1 to {LONGEST_ID} printable characters, not {id!r:.100}")
        if recent is not None and recent < 1:
            raise OptionError(f"recent is {recent}; give 1 or more, or None for all turns")

        def opened() -> Found:
            self._sweep()
            hold = self._records.hold(id)
            try:
                rows = self._records.turns(id, recent)
                conversation = self._conversation(id, rows)
                ended = rows[-1].number if rows else 0
                recorder = Recorder(
                    lambda batch, known: self._save(id, speaker, batch, known),
                    self._lightened, self._writing, hold, ended=ended, used=rows[-1].used if rows else {},
                    recent=recent, what=f"session {id!r}",
                )  # fmt: skip
                chosen: str | Voice | None = voice if voice is not None else rows[-1].voice if rows else None
                try:
                    session = begin(conversation, recorder, chosen)
                except VoiceError as error:
                    if voice is not None:
                        raise
                    log.warning("session %r goes on in the agent's voice: %s", id, error)
                    session = begin(conversation, recorder, None)
            except BaseException:
                hold.release()
                raise
            self._recorders[id] = recorder
            return session

        return await self._read(opened)

    async def leave(self, id: str) -> None:
        """Give a session of this store free, so that others can open it; turns that it ends later are not stored.

        Raises StorageError when something of it could not be stored; it is free nevertheless.
        """
        recorder = self._recorders.get(id)
        if recorder is not None:
            problem = await asyncio.to_thread(recorder.close)
            if problem is not None:
                raise problem

    async def list(self) -> Sequence[SessionRow]:
        """All sessions, the latest first."""
        return await self._read(self._swept(self._records.sessions))

    async def load(self, id: str) -> tuple[Conversation, str | None]:
        """The whole conversation of a session, and the id of its voice; None is the agent's.

        Raises SessionNotFound, and StorageError when it cannot be read.
        """

        def loaded() -> tuple[Conversation, str | None]:
            rows = self._turns(id)
            return self._conversation(id, rows), rows[-1].voice if rows else None

        return await self._read(self._swept(loaded))

    async def turns(self, id: str) -> Sequence[TurnRow]:
        """The turns of a session as they are stored. Raises what `load` raises."""
        return await self._read(self._swept(lambda: self._turns(id)))

    async def export(self, id: str, folder: str | os.PathLike[str]) -> Path:
        """Write a session to a new folder, as JSON, sound files and one HTML page; see `export_session`.

        Raises SessionNotFound, and StorageError when the session cannot be read or the folder exists or cannot be
        written.
        """
        rows = await self.turns(id)
        session = await self._read(lambda: self._records.session(id))
        if session is None:
            raise self._not_found(id)

        def exported() -> Path:
            return export_session(session, rows, self._conversation(id, rows), folder)

        return await asyncio.to_thread(exported)

    async def replay(self, id: str, agent: Agent, *, deps: Any = None) -> Sequence[Replayed]:
        """Say what the user of a session said to another agent, and give both answers side by side; see `replay`.

        Nothing is stored. Raises what `load` raises.
        """
        conversation, _ = await self.load(id)
        return await replay(conversation, agent, deps=deps)

    async def erase(self, id: str) -> None:
        """Delete a session, with its sound, with no copy left in the store. A session of this store is left first.

        Raises SessionNotFound, SessionInUse while another process has it open, and StorageError.
        """
        recorder = self._recorders.get(id)
        if recorder is not None:
            recorder.forget()

        def erased() -> bool:
            hold = self._records.hold(id)
            try:
                return self._records.erase(id)
            finally:
                hold.release()

        if not await self._write(erased):
            raise self._not_found(id)

    async def erase_voice(self, voice: str) -> int:
        """Delete all turns in which the voice of that id was heard, also of open sessions. Returns how many."""
        return await self._write(lambda: self._records.erase_voice(voice))

    async def erase_speaker(self, speaker: str) -> int:
        """Delete all sessions of a speaker. Returns how many. Those that are open store nothing more of the past."""
        return await self._write(lambda: self._records.erase_speaker(speaker))

    async def aclose(self) -> None:
        """Store what is waiting, leave all sessions, and close the database.

        Raises StorageError when something could not be stored.
        """

        def close() -> None:
            problems = [problem for one in self._recorders.values() if (problem := one.close()) is not None]
            self._writing.shutdown()
            self._reading.shutdown()
            self._settling.shutdown()
            self._records.close()
            if problems:
                raise problems[0]

        await asyncio.to_thread(close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _read(self, work: Callable[[], Found]) -> Found:
        return await self._run(self._reading, work)

    async def _write(self, work: Callable[[], Found]) -> Found:
        return await self._run(self._writing, work)

    async def _run(self, where: ThreadPoolExecutor | Writing, work: Callable[[], Found]) -> Found:
        try:
            job = where.submit(work)
        except RuntimeError:
            raise StorageError(f"the store {self._records.place} is closed; make a new one") from None
        return await asyncio.wrap_future(job)

    def _swept(self, work: Callable[[], Found]) -> Callable[[], Found]:
        def swept() -> Found:
            self._sweep()
            return work()

        return swept

    def _sweep(self) -> None:
        """Erase the turns whose time has come, and once what killed processes left."""
        if not self._tidy:
            self._records.tidy()
            self._tidy = True
        if self._days is not None:
            end = datetime.now(UTC) - timedelta(days=self._days)
            self._records.erase_before(end.isoformat(timespec="milliseconds"))
        if self._voices is not None:
            for voice in self._records.voices():
                with suppress(VoiceNotFound):
                    if self._voices.card(voice).revoked is not None:
                        self._records.erase_voice(voice)

    def _turns(self, id: str) -> Sequence[TurnRow]:
        rows = self._records.turns(id)
        if not rows and self._records.session(id) is None:
            raise self._not_found(id)
        return rows

    def _not_found(self, id: str) -> SessionNotFound:
        return SessionNotFound(f"there is no session {id!r} in {self._records.place}; `list` shows the sessions")

    def _conversation(self, id: str, rows: Sequence[TurnRow]) -> Conversation:
        try:
            return conversation_of(rows, self._sound)
        except StorageError as error:
            raise StorageError(f"session {id!r} of {self._records.place}: {error}") from None

    def _lightened(self, message: Message) -> Message:
        return lightened(message, self._sound if self._keep_sound else None)

    def _sound(self, name: str, rate: int) -> Audio:
        return FiledAudio(lambda: self._read_sound(name), rate, name.removesuffix(".wav"))

    def _read_sound(self, name: str) -> Audio:
        content = self._records.sound(name)
        if content is None:
            raise StorageError(f"the sound {name} is missing; restore the store from a copy")
        try:
            sound = Audio.load(content)
        except AudioError as error:
            raise StorageError(f"the sound {name} is damaged: {error}") from None
        if f"{sound.sha256}.wav" != name:
            raise StorageError(f"the sound {name} is damaged: its content was changed")
        return sound

    def _save(self, id: str, speaker: str | None, batch: Sequence[Taken], known: int) -> None:
        rows: list[TurnRow | Correction] = []
        sounds: dict[str, Audio] = {}
        for taken in batch:
            if not taken.messages:
                rows.append(Correction(taken.number, None))
                continue
            messages, own = stored_messages(taken.messages, keep_sound=self._keep_sound)
            sounds |= own
            end = taken.end
            if end is None or taken.number <= known:
                rows.append(Correction(taken.number, messages, tuple(own), end.stop if end else None))
                continue
            rows.append(
                TurnRow(
                    taken.number, taken.at, end.stop, end.model, messages, tuple(own), end.voice, end.voices,
                    end.error, end.usage, end.timings, end.used,
                )
            )  # fmt: skip
        files = {name: encode_exactly(sound.samples, sound.sample_rate) for name, sound in sounds.items()}
        self._records.write(id, speaker, rows, files)
        if self._settled is None or self._settled.running() or self._settled.done():  # else it will settle this, too
            try:
                self._settled = self._settling.submit(self._settle_soon)
            except RuntimeError:  # the store or the program ends
                self._settle()

    def _settle_soon(self) -> None:
        time.sleep(SETTLE_AFTER_S)
        self._settle()

    def _settle(self) -> None:
        try:
            self._records.settle()
        except StorageError as error:
            log.warning("what was stored last may not survive a power cut: %s", error)
