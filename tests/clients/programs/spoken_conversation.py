"""What the programs of all Python clients have in common: a microphone, a loudspeaker, and what is said when.

The programs run in environments without agentaudio, so this file needs the standard library alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RATE_HZ = 24_000
FRAME_S = 0.02
FRAME_BYTES = 2 * round(RATE_HZ * FRAME_S)
QUIET_S = 1.5
"""An answer has ended when its client says so, and then nothing was played for this long."""
PATIENCE = float(os.environ.get("PATIENCE", "1"))
"""Factor of all times that are waited for: more than 1 on a machine that does much else."""
TURN_S = 60.0 * PATIENCE
WORDS_S = 1.0
"""Some clients report the words of an answer that was cut once the server has confirmed the cut."""
INTERRUPTED_AFTER_S = 1.5
"""Of the answer that is interrupted, so much is heard first."""
HOURS = "The national museum is open until the evening."
"""What the client's own tool `opening_hours` answers."""


@dataclass
class Job:
    """What a program is asked to do. sounds: 24 kHz PCM of each question; folder: where sounds are kept"""

    url: str
    key: str
    task: str
    voice: str
    sounds: dict[str, str]
    folder: str

    @classmethod
    def read(cls) -> Job:
        return cls(**json.loads(sys.argv[1]))

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def realtime_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/v1/realtime"

    def file(self, name: str) -> Path:
        """A question as a WAV file."""
        return Path(self.sounds[name])

    def sound(self, name: str) -> bytes:
        """A question as 16-bit samples at 24 kHz."""
        return pcm_of(self.file(name))

    def keep(self, name: str, pcm: bytes) -> str:
        """Write sound to a file; returns its path."""
        file = Path(self.folder) / f"{name}.wav"
        with wave.open(str(file), "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(RATE_HZ)
            writer.writeframes(pcm)
        return str(file)


def pcm_of(file: Path) -> bytes:
    with wave.open(str(file), "rb") as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (RATE_HZ, 1, 2)
        return reader.readframes(reader.getnframes())


def report(facts: dict[str, Any], version: str) -> None:
    """Print what the program has received, for the test that started it. version: of the client"""
    print(json.dumps(facts | {"version": version}), flush=True)


class Microphone:
    """Frames of 20 ms in real time, as 16-bit PCM at 24 kHz: what is said, and silence between."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def say(self, pcm: bytes) -> None:
        self._waiting += pcm

    async def frames(self) -> AsyncIterator[bytes]:
        due = time.monotonic()
        while True:
            frame = bytes(self._waiting[:FRAME_BYTES])
            del self._waiting[:FRAME_BYTES]
            yield frame.ljust(FRAME_BYTES, b"\0")
            due = max(due + FRAME_S, time.monotonic() - 0.2)
            await asyncio.sleep(max(0.0, due - time.monotonic()))


class Loudspeaker:
    """Plays sound in real time, and remembers what was heard.

    cleared: number of times that the client has dropped what was left to play
    """

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._heard = bytearray()
        self._last = 0.0
        self._played: Callable[[bytes], None] = lambda pcm: None
        self.cleared = 0

    def push(self, pcm: bytes, played: Callable[[bytes], None] = lambda pcm: None) -> None:
        """Play more. played: takes each piece that was played, from now on"""
        self._waiting += pcm
        self._played = played

    async def room(self, most_s: float = 0.1) -> None:
        """Wait until so little is left to play."""
        while len(self._waiting) > 2 * RATE_HZ * most_s:
            await asyncio.sleep(FRAME_S)

    def clear(self) -> None:
        """The user has interrupted: play nothing more of this."""
        self._waiting.clear()
        self.cleared += 1

    @property
    def heard_s(self) -> float:
        """Seconds that were played since `take`."""
        return len(self._heard) / (2 * RATE_HZ)

    @property
    def quiet_s(self) -> float:
        """Seconds since the last sound was played."""
        return time.monotonic() - self._last

    def take(self) -> bytes:
        """What was played since the last call."""
        taken = bytes(self._heard)
        self._heard.clear()
        return taken

    async def play(self) -> None:
        """Until it is cancelled."""
        due = time.monotonic()
        while True:
            frame = self._waiting[:FRAME_BYTES]
            del self._waiting[:FRAME_BYTES]
            if frame:
                self._heard += frame
                self._played(bytes(frame))
                self._last = time.monotonic()
            due = max(due + FRAME_S, time.monotonic() - 0.2)
            await asyncio.sleep(max(0.0, due - time.monotonic()))


@dataclass
class Record:
    """What a client has received.

    words: of the agent; heard: of the user; calls: of the client's own tool; voices: as the server reports them
    busy: whether a response is being made
    """

    words: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    voices: list[str] = field(default_factory=list)
    busy: bool = False

    def opening_hours(self, museum: str) -> str:
        """When a museum is open."""
        self.calls.append({"museum": museum})
        return HOURS

    def server_event(self, event: Any) -> None:
        """Note what the raw events of the server say: the voice in force, where a message ends, and a response."""
        if event["type"] in ("session.created", "session.updated"):
            self.voices.append(event["session"]["audio"]["output"]["voice"])
        elif event["type"] == "response.output_audio_transcript.done":
            self.words.append(" ")
        elif event["type"] in ("response.created", "response.done"):
            self.busy = event["type"] == "response.created"

    @property
    def has_words(self) -> bool:
        return any(not one.isspace() for one in self.words if one)

    def take_words(self) -> str:
        taken = " ".join("".join(self.words).split())
        self.words.clear()
        return taken


@asynccontextmanager
async def working(record: Record, *work: Coroutine[Any, Any, None]) -> AsyncGenerator[None, None]:
    """Run the parts of a client beside the block. What one of them raises is an error of the record."""
    tasks = [asyncio.create_task(one) for one in work]
    for task in tasks:
        task.add_done_callback(lambda task: _note_failure(record, task))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


def _note_failure(record: Record, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        record.errors.append(repr(error))


async def converse(
    job: Job,
    microphone: Microphone,
    loudspeaker: Loudspeaker,
    record: Record,
    change_voice: Callable[[str], Awaitable[None]] | None,
) -> dict[str, Any]:
    """Hold a conversation: a question that needs the client's tool, an interruption, and two changes of the voice.

    The first change is a wish that is spoken, which the agent grants with a tool of its own. The second is made by
    the client's API; change_voice is None where it has none.
    Returns the facts that the test checks.
    """
    facts: dict[str, Any] = {}

    def is_quiet() -> bool:
        return not record.busy and loudspeaker.quiet_s > QUIET_S

    async def asked(name: str, question: str) -> None:
        """Ask, and hear the whole answer."""
        microphone.say(job.sound(question))
        await until(lambda: loudspeaker.heard_s > 0 and (name != "call" or bool(record.calls)), f"answer to {question}")
        if name == "call":  # what was said before the call is not the answer yet
            before = loudspeaker.heard_s
            await until(lambda: loudspeaker.heard_s > before, "answer with the result of the call")
        await until(is_quiet, f"end of the answer to {question}")
        facts[name] = {"words": record.take_words(), "sound": job.keep(name, loudspeaker.take())}

    try:
        async with working(record, loudspeaker.play()):
            await asked("call", "museum")
            facts["call"]["calls"] = list(record.calls)

            microphone.say(job.sound("story"))
            await until(lambda: loudspeaker.heard_s > INTERRUPTED_AFTER_S, "a long answer")
            cleared, spoken_at = loudspeaker.cleared, time.monotonic()
            microphone.say(job.sound("interruption"))
            await until(lambda: loudspeaker.cleared > cleared, "the client notices the interruption")
            facts["interruption"] = {
                "noticed_after_s": round(time.monotonic() - spoken_at, 3),
                "sound": job.keep("interruption", loudspeaker.take()),
            }
            await asyncio.sleep(WORDS_S)
            facts["interruption"]["words"] = record.take_words()
            # Sound alone may be a rest of the answer that was cut, which a busy client plays after it.
            await until(lambda: loudspeaker.heard_s > 0 and record.has_words, "answer to the interruption")
            await until(is_quiet, "its end")
            facts["after"] = {"words": record.take_words(), "sound": job.keep("after", loudspeaker.take())}

            await asked("wish", "wish")
            if change_voice is not None:
                await change_voice(job.voice)
                await asked("voice", "moon")
    except TimeoutError as error:
        record.errors.append(str(error))
    return {**facts, "heard": record.heard, "errors": record.errors, "voices": record.voices}


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition. Raises TimeoutError."""
    end = time.monotonic() + TURN_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {TURN_S:g} s for: {what}")
        await asyncio.sleep(0.01)
