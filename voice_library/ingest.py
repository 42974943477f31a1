"""`ingest`: add many recordings to a library as voices, and report those that cannot be used."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from agentaudio.errors import AudioError, VoiceError
from agentaudio.sound.vad import VoiceActivity
from agentaudio.voice_library.defects import find_defects
from agentaudio.voice_library.excerpt import WISHED_S
from agentaudio.voice_library.gathering import Revoked, gather
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.manifest import Entry, plain_id, read_manifest
from agentaudio.voice_library.manifest_tables import merged
from agentaudio.voice_library.neighbours import Neighbours, encode_and_count_speakers
from agentaudio.voice_library.prepared import PreparedVoice
from agentaudio.voice_library.quality import measure_quality
from agentaudio.voice_library.suggestion import suggest_card

BATCH = 32
"""Voices stored in one transaction."""
BATCH_S = 1.0
"""Seconds after which a smaller batch is stored too."""


@dataclass(frozen=True)
class Note:
    """A remark on one row of the source. row: counted from 1."""

    row: int
    file: str
    what: str


@dataclass
class IngestReport:
    """The outcome for each row.

    added: ids of the new voices
    skipped: rows whose recording is in the library already
    flagged: rows that were added and should be listened to, each with the reason
    refused: rows that cannot be used, each with the reason
    withheld: rows that were added but may not be used for synthesis, each with the reason: no licence, no consent, or
        one that ended or has another scope
    again: rows whose recording should be made again, added or not, each with its defects, see `find_defects`
    """

    added: list[str] = field(default_factory=list)
    skipped: list[Note] = field(default_factory=list)
    flagged: list[Note] = field(default_factory=list)
    refused: list[Note] = field(default_factory=list)
    withheld: list[Note] = field(default_factory=list)
    again: list[Note] = field(default_factory=list)


def ingest(
    library: VoiceLibrary,
    source: str | os.PathLike[str],
    *,
    common: Mapping[str, Any] | None = None,
    workers: int | None = None,
    root: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> IngestReport:
    """Add recordings to a library: of each the best 3 to 15 seconds, measured, embedded and described.

    source: a recording, a folder or a manifest, see `read_manifest`
    common: fields of the card for rows that lack them, such as licence and consent
    workers: threads; None uses one per core
    root: folder of the files of a manifest, see `read_manifest`
    on_progress: called with the number of rows done and of all rows

    A row without an id is named after its speaker or its file; a row without a description gets one derived from
    its sound. Recordings that are in the library already are skipped, so an interrupted run can be
    repeated. When this returns, or calls `on_progress`, the voices so far are stored durably.

    Raises VoiceError when the source or the library cannot be used, or the disk is full, and
    MissingExtra without the extra `embedded`. A row that cannot be used is reported and does not raise.
    """
    entries = list(read_manifest(source, root=root))
    run = IngestRun(library, dict(common or {}))
    for done, (entry, future) in enumerate(_in_order(run.prepare, entries, workers or os.cpu_count() or 1), 1):
        run.take(entry, future)
        if run.due or done == len(entries):
            run.store()
            if on_progress is not None:
                on_progress(done, len(entries))
    return run.report


class BadClip(VoiceError):
    """A recording has a defect with which the library takes no voices."""


class _Known(Exception):
    """The recording is in the library already."""


class IngestRun:
    """The steps of `ingest`: `prepare` each row, in any thread; then `take` it and `store` batches, in one thread."""

    def __init__(self, library: VoiceLibrary, common: dict[str, Any]) -> None:
        self.report = IngestReport()
        self._library = library
        self._common = common
        self._activity = VoiceActivity()
        self._neighbours = Neighbours(library)
        self._policy = library.policy
        self._batch: list[tuple[Entry, PreparedVoice, list[str]]] = []
        self._stored_at = time.monotonic()

    def prepare(self, entry: Entry) -> tuple[PreparedVoice, list[str]]:
        """A row as a voice, with reasons to listen to it. Thread-safe.

        Raises AudioError or VoiceError when the row cannot be used, _Known when its recording is in
        the library already.
        """
        if entry.problem is not None:
            raise VoiceError(entry.problem)
        words = entry.first.transcript or ("" if entry.more else str(self._common.get("transcript", "")))
        entry = replace(entry, first=replace(entry.first, transcript=words))
        gathered = gather(entry, self._activity, self._check)
        excerpt = gathered.excerpt
        label = entry.speaker or entry.file.stem
        named = {"id": plain_id(label), "name": label[:100]}
        fields = named | merged(self._common, entry.fields) | {"transcript": gathered.transcript}
        if "description" not in fields:
            guessed = {name: value for name, value in suggest_card(excerpt).items() if name not in fields}
            fields |= guessed | {"automatic": tuple(guessed)}
        vector, two = None, False
        if self._library.encoder is not None:
            vector, two = encode_and_count_speakers(self._library.encoder, excerpt.audio)
        quality = measure_quality(excerpt)
        defects = find_defects(excerpt, quality.snr_db)
        if gathered.two_channels:
            defects["two-channels"] = "its two channels hold different sound; name one with the column `channel`"
        if two:
            defects["two-speakers"] = "it sounds like two speakers"
        if excerpt.speech_s < WISHED_S:
            defects["little-speech"] = f"it holds only {excerpt.speech_s:.1f} s of speech"
        refused = [what for name, what in defects.items() if name in self._policy.refused_defects]
        if refused:
            raise BadClip(f"{'; '.join(refused)}; record it again")
        quality = quality.model_copy(update={"defects": tuple(defects)})
        voice = PreparedVoice.of(excerpt.audio, vector=vector, origin=gathered.origin, quality=quality, **fields)
        return voice, [*defects.values(), *gathered.flags]

    def take(self, entry: Entry, future: Future[tuple[PreparedVoice, list[str]]]) -> None:
        """Add a prepared row to the batch, or to the report when it is refused or known."""
        try:
            voice, flags = future.result()
            # Checked again: rows before this one were stored while it was prepared.
            self._check(voice.card.sha256)
            self._check(voice.origin or "")
            for _, other, _ in self._batch:
                if voice.card.sha256 == other.card.sha256 or voice.origin == other.origin:
                    raise _Known(f"it is the recording of {other.card.id!r}")
            self._batch.append((entry, self._named(entry, voice), flags))
        except _Known as known:
            self.report.skipped.append(_note(entry, str(known)))
        except (AudioError, VoiceError) as error:
            self.report.refused.append(_note(entry, str(error)))
            if isinstance(error, BadClip):
                self.report.again.append(_note(entry, str(error)))

    @property
    def due(self) -> bool:
        """Whether the batch should be stored now."""
        return len(self._batch) >= BATCH or time.monotonic() - self._stored_at > BATCH_S

    def store(self) -> None:
        """Store the batch, and report what became of each row."""
        batch, self._batch = self._batch, []
        outcomes = self._library.store([voice for _, voice, _ in batch]) if batch else []
        policy = self._library.policy
        for (entry, voice, flags), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, VoiceError):
                self.report.refused.append(_note(entry, str(outcome)))
                continue
            self.report.added.append(outcome.id)
            refusal = outcome.card.refusal("synthesis", policy=policy)
            if refusal is not None:
                self.report.withheld.append(_note(entry, refusal))
            if voice.vector is not None:
                near = self._neighbours.add(outcome.id, voice.vector)
                if near is not None:
                    flags.append(f"it sounds like {near[0]!r} (cosine {near[1]:.2f})")
            if outcome.card.quality is not None and outcome.card.quality.defects:
                self.report.again.append(_note(entry, ", ".join(outcome.card.quality.defects)))
            if flags:
                self.report.flagged.append(_note(entry, f"{outcome.id!r}: {'; '.join(flags)}"))
        self._stored_at = time.monotonic()

    def _check(self, sha256: str, whole: bool = True) -> None:
        """Raise Revoked for the recording of a revoked voice, and with `whole` _Known for that of another one."""
        card = self._library.recorded(sha256)
        if card is None:
            return
        if card.revoked is not None:
            raise Revoked(f"it is the recording of {card.id!r}, which was revoked on {card.revoked:%Y-%m-%d}")
        if whole:
            raise _Known(f"it is the recording of {card.id!r}")

    def _named(self, entry: Entry, voice: PreparedVoice) -> PreparedVoice:
        """Make an id that was derived from the file name unique; an id that was given stays as it is."""
        id = voice.card.id
        taken = id in {other.card.id for _, other, _ in self._batch} or self._library.has(id)
        if not taken or "id" in self._common or "id" in entry.fields:
            return voice
        return replace(voice, card=voice.card.model_copy(update={"id": f"{id}-{voice.card.sha256[:8]}"}))


Prepare = Callable[[Entry], tuple[PreparedVoice, list[str]]]


def _in_order(
    prepare: Prepare, entries: list[Entry], workers: int
) -> Iterator[tuple[Entry, Future[tuple[PreparedVoice, list[str]]]]]:
    """Each row with its prepared voice, in order; up to 4 rows per worker are prepared ahead."""
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[tuple[Entry, Future[tuple[PreparedVoice, list[str]]]]] = deque()
        try:
            for entry in entries:
                ahead.append((entry, pool.submit(prepare, entry)))
                if len(ahead) > 4 * workers:
                    yield ahead.popleft()
            while ahead:
                yield ahead.popleft()
        finally:
            for _, future in ahead:
                future.cancel()


def _note(entry: Entry, what: str) -> Note:
    return Note(entry.number, str(entry.file), what)
