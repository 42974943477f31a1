"""`VoiceLibrary`: a folder of reference voices that can be moved, copied, and mounted read-only.

FOLDER/library.sqlite3     cards, speaker embeddings, policy and log
FOLDER/clips/              the recordings, named after their content; see `ClipFiles`
FOLDER/consents/           recordings by which people lend their voices; see `Consents`
FOLDER/prompts/            what models made of a clip in order to speak in its voice; see `Prompts`
FOLDER/index/              search indexes, derived from the above
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from agentaudio.errors import VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import SpeakerEncoder
from agentaudio.voice_library.catalogue import Catalogue
from agentaudio.voice_library.consents import CONSENT_DELETED
from agentaudio.voice_library.database import Database
from agentaudio.voice_library.prepared import PreparedVoice
from agentaudio.voice_library.records import Records
from agentaudio.voice_library.voice import Policy, Voice, VoiceCard

EDITABLE = frozenset(VoiceCard.model_fields) - {
    "id", "sha256", "duration_s", "quality", "added", "revoked", "automatic"
}  # fmt: skip
"""Fields of a card that `VoiceLibrary.edit` changes."""


class VoiceLibrary(Catalogue):
    """Voices in a folder. Many processes may read it while one changes it.

    Every call reads the disk, so that a voice that another process adds, removes or revokes appears
    or disappears at once. A change is atomic and durable, whenever the process is killed. One
    instance may serve several threads.

    folder: where it is; `VoiceLibrary.create` makes a new one, `open_or_create` where there is none
    encoder: makes the speaker embeddings of voices that are added; None stores none
    wait_s: how long to wait while another process changes the library, in seconds
    keep_prompts: whether models may keep what they make of a clip in the folder

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
        super().__init__(folder, wait_s=wait_s, keep_prompts=keep_prompts)
        self.encoder = encoder

    @classmethod
    def create(cls, folder: str | os.PathLike[str], *, encoder: SpeakerEncoder | None = None) -> VoiceLibrary:
        """A new, empty library. Raises VoiceError when there is one already, or it cannot be written."""
        Database.create(Path(folder))
        return cls(folder, encoder=encoder)

    @classmethod
    def open_or_create(cls, folder: str | os.PathLike[str], *, encoder: SpeakerEncoder | None = None) -> VoiceLibrary:
        """The library of a folder; a new one where the folder is missing, empty, or left by an interrupted creation.

        Raises VoiceError when the folder holds other files and no library, or cannot be read or written.
        """
        Database.create_if_new(Path(folder))
        return cls(folder, encoder=encoder)

    def add(self, clip: Audio, *, id: str, name: str, description: str, **fields: Any) -> Voice:
        """Store a clip of 1 to 30 seconds and its card; `fields` are those of VoiceCard.

        Raises VoiceError for a clip that is silent, too short or too long, an id that is in use,
        invalid fields, or a full disk; then nothing has changed.
        """
        prepared = PreparedVoice.of(
            clip, encoder=self.encoder, id=id, name=name, description=description, **fields
        )  # fmt: skip
        outcome = self.store([prepared])[0]
        if isinstance(outcome, VoiceError):
            raise outcome
        return outcome

    def store(self, prepared: Sequence[PreparedVoice], *, consent: str | None = None) -> list[Voice | VoiceError]:
        """Store these voices durably in one transaction.

        consent: id of the recording in `consents` by which they are lent; they are refused when it was deleted
        returns: for each the voice, or why it was refused while the others were stored
        Raises VoiceError when the library cannot be written; then none of them is stored.
        """
        written: list[str] = []
        try:
            with self.database.change() as db:
                records = self._records(db)
                records.settle_encoder(self.encoder)
                is_withdrawn = consent is not None and self.consents.sound(consent) is None
                outcomes: list[Voice | VoiceError] = []
                for item in prepared:
                    refusal = CONSENT_DELETED if is_withdrawn else records.clash(item.card)
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

    def edit(self, voice: str, **fields: Any) -> Voice:
        """Change fields of a voice's card; None clears one that may be missing. The clip stays.

        voice: its id or name
        fields: those of VoiceCard that describe a voice or say what it may be used for
        Raises VoiceNotFound, and VoiceError for a revoked voice, fields that are measured, and invalid values; then
        nothing has changed.
        """
        fixed = sorted(fields.keys() - EDITABLE)
        if fixed:
            raise VoiceError(f"{fixed[0]!r} of a card cannot be edited; editable are: {', '.join(sorted(EDITABLE))}")
        with self.database.change() as db:
            old = self.find(voice)
            if old.revoked is not None:
                raise VoiceError(f"voice {old.id!r} was revoked on {old.revoked:%Y-%m-%d}; its card cannot be edited")
            automatic = tuple(name for name in old.automatic if name not in fields)
            card = VoiceCard.checked(f"the card of {old.id!r}", old.model_dump() | fields | {"automatic": automatic})
            self._records(db).edit(card)
        return self.get(card.id)

    def revoke(self, voice: str) -> VoiceCard:
        """Revoke a voice, by its id or name: from now on no process finds it or may use it.

        Its clip, embeddings and prompts are deleted. The card stays, without what was derived from
        the sound, and prevents that the id or the recording is added again.
        Raises VoiceNotFound; revoking again changes nothing.
        """
        with self.database.change() as db:
            card = self.find(voice)  # read within the transaction, so no other writer can change it
            if card.revoked is None:
                card = card.tombstone(datetime.now(UTC).replace(microsecond=0))
                self._records(db).revoke(card)
        self.purge()
        self._forget_consent(card)
        return card

    def remove(self, voice: str) -> None:
        """Delete a voice, by its id or name: card, clip, embeddings, prompts and log, with no copy left in the folder.

        Clip and prompts stay when another voice has the same clip, and the recording of the consent when another
        voice was lent by it. Raises VoiceNotFound.
        """
        with self.database.change() as db:
            card = self.find(voice)
            self._records(db).remove(card)
        self.purge()
        self._forget_consent(card)

    def set_policy(self, policy: Policy) -> None:
        """Set which missing entries of cards are tolerated; the log records it."""
        with self.database.change() as db:
            self._records(db).set_policy(policy)

    def drop_indexes(self) -> None:
        """Delete the search indexes, which hold embeddings; a search makes them again."""
        shutil.rmtree(self.folder / "index", ignore_errors=True)

    def purge(self) -> None:
        """Finish every deletion: the files of voices that are gone, and their traces in the database."""
        with self.database.change() as db:
            self._records(db)
        self.database.wipe()

    def lent_by(self, consent: str) -> list[Voice]:
        """The voices that are not revoked and were lent by a recording in `consents`. consent: its id"""
        sql = "SELECT card FROM carded WHERE revoked IS NULL AND instr(card, ?)"
        voices = [self._voice(card) for (card,) in self.database.rows(sql, json.dumps(consent))]
        given = [(voice, voice.card.consent) for voice in voices]
        return [voice for voice, one in given if one and one.recording and one.recording.id == consent]

    def withdraw(self, consent: str) -> None:
        """Withdraw a recording in `consents`, by its id: it is deleted, and the voices lent by it are revoked first.

        A voice that is being lent by it meanwhile is revoked as well, or never stored.
        """
        while not self._discard_unused(consent):
            for voice in self.lent_by(consent):
                self.revoke(voice.id)

    def _forget_consent(self, card: VoiceCard) -> None:
        """Delete the recording by which a voice was lent, unless another voice was lent by it."""
        recording = card.consent.recording if card.consent is not None else None
        if recording is not None:
            self._discard_unused(recording.id)

    def _discard_unused(self, consent: str) -> bool:
        """Delete a recording unless a voice is lent by it; returns whether none is."""
        with self.database.alone():  # otherwise another process could store a voice in between
            if self.lent_by(consent):
                return False
            self.consents.discard(consent)
        return True

    def _records(self, db: Any) -> Records:
        """The records to write to, after everything that has expired or was deleted is purged."""
        records = Records(db)
        ended, discarded = records.end_consents(date.today()), records.take_discarded()
        for sha256 in ended:
            self.prompts.discard(sha256)
        for sha256, kept in discarded:
            if not kept:
                self.prompts.discard(sha256)
                self.clip_files.discard(sha256)
        if ended or discarded:
            self.drop_indexes()
        return records

    def _take_back(self, hashes: Iterable[str]) -> None:
        with suppress(VoiceError), self.database.alone():
            for sha256 in hashes:
                # The transaction may have been committed: an interrupt can come right after it.
                if not self.database.rows("SELECT 1 FROM voices WHERE sha256 = ? LIMIT 1", sha256):
                    self.clip_files.discard(sha256)

    def __reduce__(self) -> tuple[Callable[..., VoiceLibrary], tuple[Path]]:
        # A pickled copy only reads: encoders and connections stay behind.
        return partial(VoiceLibrary, keep_prompts=self.keep_prompts), (self.folder,)


@cache
def demo_voices() -> VoiceLibrary:
    """The library that ships with the package: free synthetic voices, with cards that say so."""
    return VoiceLibrary(str(files("agentaudio.voice_library") / "demo"), keep_prompts=False)
