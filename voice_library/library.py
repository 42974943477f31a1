"""`VoiceLibrary`: a folder of reference voices that can be moved, copied, and mounted read-only.

FOLDER/library.sqlite3                cards, speaker embeddings, policy and log
FOLDER/clips/ab/abcd….flac            the sound, named after its content
FOLDER/prompts/abcd….safetensors      what models made of a clip, to speak in its voice
FOLDER/index/                         search indexes; made from the rest, and made again when they are gone
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import VoiceError, VoiceNotFound, did_you_mean
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.clip_files import ClipFiles
from agentaudio.voice_library.database import Database
from agentaudio.voice_library.records import Records
from agentaudio.voice_library.selection import OneOf, Selection
from agentaudio.voice_library.speaker_encoder import SpeakerEncoder
from agentaudio.voice_library.voice import Policy, Voice, VoiceCard

MIN_CLIP_S, MAX_CLIP_S = 1.0, 30.0
PAGE = 500
MANY = 1000

Rows = NDArray[np.int64]
Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class PreparedVoice:
    """A voice that is ready to be stored: checked, encoded, embedded, and not in any library yet.

    content: the clip as FLAC; vector: (dim,) float32 speaker embedding of unit length, if any
    origin: hash of the file that the clip was cut from, if it was cut from one
    """

    card: VoiceCard
    content: bytes
    vector: Embeddings | None = None
    origin: str | None = None


class VoiceLibrary:
    """Voices in a folder. Many processes may read it while one changes it.

    Every question is answered from the disk, so that a voice that another process adds, removes or
    revokes is there, or gone, at once. A change is kept whole or not at all, whenever the process
    ends. One instance may serve several threads.

    folder: where it is; `VoiceLibrary.create` makes a new one
    encoder: makes the speaker embeddings of voices that are added; None stores none
    wait_s: how long to wait while another process changes the library
    keep_prompts: whether models may leave the timbre prompts that they make beside the clips

    Raises VoiceError when the folder is not a library, or cannot be read.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        encoder: SpeakerEncoder | None = None,
        wait_s: float = 10.0,
        keep_prompts: bool = True,
    ) -> None:
        self.folder = Path(folder)
        self.encoder = encoder
        self.keep_prompts = keep_prompts
        self.clip_files = ClipFiles(self.folder)
        self.database = Database(self.folder, wait_s)

    @classmethod
    def create(cls, folder: str | os.PathLike[str], *, encoder: SpeakerEncoder | None = None) -> VoiceLibrary:
        """A new, empty library. Raises VoiceError when there is one already, or it cannot be written."""
        Database.create(Path(folder))
        return cls(folder, encoder=encoder)

    # What there is

    def __len__(self) -> int:
        return int(self.database.rows("SELECT count(*) FROM voices WHERE revoked IS NULL")[0][0])

    def __iter__(self) -> Iterator[Voice]:
        """Every voice that is not revoked, in the order they came; read in pages, each as of one instant."""
        last = 0
        while page := self.database.rows(
            "SELECT row, card FROM carded WHERE row > ? AND revoked IS NULL ORDER BY row LIMIT ?", last, PAGE
        ):
            yield from (self._voice(card) for _, card in page)
            last = page[-1][0]

    def get(self, wanted: str) -> Voice:
        """The voice of that id, or of that name. Raises VoiceNotFound naming the nearest."""
        found = self.database.rows("SELECT card FROM carded WHERE id = ?", wanted) or self.database.rows(
            "SELECT card FROM carded WHERE name = ? AND revoked IS NULL", wanted.strip().casefold()
        )
        voices = [self._voice(card) for (card,) in found]
        if not voices:
            raise VoiceNotFound(f"no voice {wanted!r}; {did_you_mean(wanted, self._ids_like(wanted))}")
        if len(voices) > 1:
            some = ", ".join(voice.id for voice in voices[:12])
            raise VoiceNotFound(f"{len(voices)} voices are named {wanted!r}; use an id: {some}")
        if voices[0].card.revoked is not None:
            raise VoiceNotFound(f"voice {wanted!r} was revoked on {voices[0].card.revoked:%Y-%m-%d}; choose another")
        return voices[0]

    def has(self, id: str) -> bool:
        """Whether an id is taken, be the voice revoked or not."""
        return bool(self.database.rows("SELECT 1 FROM voices WHERE id = ?", id))

    def card(self, id: str) -> VoiceCard:
        """The card of that id, be the voice revoked or not. Raises VoiceNotFound."""
        found = self.database.rows("SELECT card FROM carded WHERE id = ?", id)
        if not found:
            raise VoiceNotFound(f"no voice {id!r}; {did_you_mean(id, self._ids_like(id))}")
        return self._voice(found[0][0]).card

    def select(
        self,
        *,
        gender: OneOf = None,
        age: OneOf = None,
        accent: OneOf = None,
        language: OneOf = None,
        tags: Iterable[str] = (),
        purpose: str | None = None,
        embedded: bool | None = None,
    ) -> Rows:
        """Rows of the voices that meet every condition, ascending: (n,) int64.

        A row is the number of a voice for as long as the library lives; no other voice gets it again.

        gender, age, accent: a value, or several of which one must hold
        language: BCP-47, where `en` takes in `en-GB`; or several
        tags: all of them must be there
        purpose: only voices that may be used for it today, by their cards and the library's policy
        embedded: only voices that have an embedding of the library's encoder, or only those that lack it
        """
        selection = Selection()
        for column, wanted in (("gender", gender), ("age", age), ("accent", accent)):
            selection.one_of(column, wanted)
        selection.language(language)
        selection.tags(tags)
        if purpose is not None:
            selection.purpose(purpose, self.policy)
        if embedded is not None:
            selection.embedded(embedded, self.encoder_name)
        return np.array([row for (row,) in self.database.rows(*selection.query())], np.int64)

    def at(self, rows: Iterable[int]) -> list[Voice]:
        """The voices of these rows, in this order; rows that no voice has any more are left out."""
        wanted = [int(row) for row in rows]
        found: dict[int, str] = {}
        for start in range(0, len(wanted), PAGE):
            part = wanted[start : start + PAGE]
            sql = f"SELECT row, card FROM carded WHERE revoked IS NULL AND row IN ({','.join('?' * len(part))})"
            found.update(self.database.rows(sql, *part))
        return [self._voice(found[row]) for row in wanted if row in found]

    def embeddings(self, *, after: int = 0, batch: int = 10_000) -> Iterator[tuple[Rows, Embeddings]]:
        """Speaker embeddings in batches of (rows: (n,) int64, vectors: (n, dim) float32 of unit length).

        after: only rows above this one; each batch is as of one instant
        """
        while page := self.database.rows(
            "SELECT voice, vector FROM embeddings WHERE voice > ? "
            "AND encoder = (SELECT value FROM about WHERE key = 'encoder') ORDER BY voice LIMIT ?",
            after, batch,
        ):  # fmt: skip
            vectors = np.frombuffer(b"".join(vector for _, vector in page), np.float32).reshape(len(page), -1)
            yield np.array([row for row, _ in page], np.int64), vectors
            after = page[-1][0]

    @property
    def encoder_name(self) -> str | None:
        """Which encoder made the embeddings; None when there are none."""
        name = self._about("encoder")
        return None if name is None else str(name)

    @property
    def dim(self) -> int:
        """How many numbers an embedding has; 0 when there are none."""
        return int(self._about("dim") or 0)

    @property
    def generation(self) -> int:
        """Grows with every change: what was derived from an earlier one may be out of date."""
        return int(self._about("generation") or 0)

    @property
    def policy(self) -> Policy:
        """What the library permits beyond the cards; `set_policy` changes it."""
        return Policy.model_validate_json(self._about("policy") or "{}")

    def recorded(self, sha256: str) -> VoiceCard | None:
        """The card of a voice, revoked or not, whose clip has that hash, or was cut from a file that has it."""
        rows = self.database.rows("SELECT card FROM carded WHERE sha256 = ? OR origin = ? LIMIT 1", sha256, sha256)
        return self._voice(rows[0][0]).card if rows else None

    def refusal(self, id: str, purpose: str) -> str | None:
        """Why a voice may not be used for a purpose now; None when it may."""
        try:
            card = self.card(id)
        except VoiceNotFound:
            return "it was removed from the library"
        return card.refusal(purpose, policy=self.policy)

    # Changes

    def add(self, clip: Audio, *, id: str, name: str, description: str, **fields: Any) -> Voice:
        """Store a clip of 1 to 30 seconds and its card; `fields` are those of VoiceCard.

        Raises VoiceError for a clip that is silent, too short or too long, an id that is taken, a card
        that cannot be, or a full disk; nothing has changed then.
        """
        outcome = self.store([self.prepare(clip, id=id, name=name, description=description, **fields)])[0]
        if isinstance(outcome, VoiceError):
            raise outcome
        return outcome

    def prepare(
        self, clip: Audio, *, vector: Embeddings | None = None, origin: str | None = None, **fields: Any
    ) -> PreparedVoice:
        """What `store` takes. The slow part of adding a voice: threads may share it, nothing is written.

        vector: its speaker embedding; None lets the library's encoder make it
        Raises VoiceError as `add` does.
        """
        id = str(fields.get("id"))
        if clip.is_silent:
            raise VoiceError(f"the clip for {id!r} is silent; give {MIN_CLIP_S:g} to {MAX_CLIP_S:g} s of speech")
        if not MIN_CLIP_S <= clip.duration <= MAX_CLIP_S:
            raise VoiceError(
                f"the clip for {id!r} lasts {clip.duration:.1f} s; give {MIN_CLIP_S:g} to {MAX_CLIP_S:g} s of speech"
            )
        content = clip.to_bytes("flac")
        given = {"added": date.today(), **fields}
        measured = {"sha256": hashlib.sha256(content).hexdigest(), "duration_s": round(clip.duration, 3)}
        card = VoiceCard.checked(f"the card of {id!r}", given | measured)
        if vector is None and self.encoder is not None:
            vector = self.encoder.encode(clip)
        return PreparedVoice(card, content, vector, origin)

    def store(self, prepared: Sequence[PreparedVoice]) -> list[Voice | VoiceError]:
        """Keep these voices, in one step: when it returns they are on the disk.

        returns: for each the voice, or why it was refused while the others were kept
        Raises VoiceError when nothing could be written; then none of them is kept.
        """
        written: list[str] = []
        try:
            with self.database.change() as db:
                records = self._records(db)
                records.settle_encoder(self.encoder)
                outcomes: list[Voice | VoiceError] = []
                for item in prepared:
                    refusal = records.clash(item.card)
                    if refusal is not None:
                        outcomes.append(VoiceError(refusal))
                        continue
                    if self.clip_files.put(item.card.sha256, item.content):
                        written.append(item.card.sha256)
                    records.insert(item.card, item.vector, item.origin)
                    outcomes.append(Voice(item.card, self.clip_files.path(item.card.sha256), self))
            return outcomes
        except BaseException:
            self._take_back(written)
            raise

    def revoke(self, id: str) -> VoiceCard:
        """Take a voice back: from now on no process finds it or may use it.

        Its clip, embeddings and prompts are deleted; the card stays, without what was measured or
        guessed from the sound, and keeps id and recording from coming in again.
        Raises VoiceNotFound; revoking again changes nothing.
        """
        with self.database.change() as db:
            card = self.card(id)  # as it is now that nobody else can change it
            if card.revoked is None:
                card = card.tombstone(datetime.now(UTC).replace(microsecond=0))
                self._records(db).revoke(card)
        self.purge()
        return card

    def remove(self, id: str) -> None:
        """Delete a voice for good: card, clip, embeddings, prompts and log, with no copy left in the folder.

        Raises VoiceNotFound. The clip stays when another voice has the same.
        """
        with self.database.change() as db:
            self._records(db).remove(self.card(id))
        self.purge()

    def set_policy(self, policy: Policy) -> None:
        """Permit more, or less, than the cards do; the log remembers."""
        with self.database.change() as db:
            self._records(db).set_policy(policy)

    def log(self, id: str | None = None) -> list[dict[str, str]]:
        """What happened, oldest first: to one voice, or to the library as a whole."""
        condition = "voice IS NULL" if id is None else "voice = (SELECT row FROM voices WHERE id = ?)"
        values = () if id is None else (id,)
        rows = self.database.rows(f"SELECT at, event FROM log WHERE {condition} ORDER BY rowid", *values)
        return [{"at": at, "event": event} for at, event in rows]

    def close(self) -> None:
        """Let go of the files; the library opens again by itself when it is asked."""
        self.database.close()

    def drop_indexes(self) -> None:
        """Delete the search indexes, which hold embeddings; they are made again from the library."""
        shutil.rmtree(self.folder / "index", ignore_errors=True)

    def purge(self) -> None:
        """Finish every deletion: files of what is gone from the database, and its traces there."""
        with self.database.change() as db:
            self._records(db)
        self.database.wipe()

    def _records(self, db: Any) -> Records:
        """Where to write, once everything that is over has been purged."""
        records = Records(db)
        ended, discarded = records.end_consents(date.today()), records.take_discarded()
        for sha256 in ended:
            self.clip_files.discard_prompts(sha256)
        for sha256, kept in discarded:
            if not kept:
                self.clip_files.discard(sha256)
        if ended or discarded:
            self.drop_indexes()
        return records

    def _take_back(self, hashes: Iterable[str]) -> None:
        with suppress(VoiceError), self.database.alone():
            for sha256 in hashes:
                # The step may have been kept all the same: an interrupt can come after the commit.
                if not self.database.rows("SELECT 1 FROM voices WHERE sha256 = ? LIMIT 1", sha256):
                    self.clip_files.discard(sha256)

    def _about(self, key: str) -> Any:
        return self.database.rows("SELECT value FROM about WHERE key = ?", key)[0][0]

    def _ids_like(self, wanted: str) -> list[str]:
        """All ids of a small library; of a large one those that begin alike."""
        start = wanted.strip().lower()[:1] if len(self) > MANY else ""
        rows = self.database.rows(
            "SELECT id FROM voices WHERE revoked IS NULL AND id >= ? AND id < ? LIMIT ?", start, start + "\x7f", MANY
        )
        return [id for (id,) in rows]

    def _voice(self, card: str) -> Voice:
        try:
            known = VoiceCard.model_validate_json(card)
        except ValueError as error:
            raise VoiceError(f"{self.database.path} holds a card that cannot be read: {error}") from None
        return Voice(known, self.clip_files.path(known.sha256), self)

    def __reduce__(self) -> tuple[Callable[..., VoiceLibrary], tuple[Path]]:
        # A copy in another process reads; encoders and connections do not travel.
        return VoiceLibrary, (self.folder,)


@cache
def demo_voices() -> VoiceLibrary:
    """The library that ships with the package: free synthetic voices with honest cards."""
    return VoiceLibrary(str(files("agentaudio.voice_library") / "demo"), keep_prompts=False)
