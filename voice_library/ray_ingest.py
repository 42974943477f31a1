"""`ingest_with_ray`: recordings become voices on all machines of a Ray cluster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from agentaudio.errors import MissingExtra
from agentaudio.voice_library.ingest import IngestReport, _Ingest
from agentaudio.voice_library.library import PreparedVoice, VoiceLibrary
from agentaudio.voice_library.manifest import Entry, read_manifest
from agentaudio.voice_library.speaker_encoder import SpeakerEncoder

AHEAD = 8  # rows that wait at each worker
Prepared = tuple[PreparedVoice, list[str]]


def ingest_with_ray(
    library: VoiceLibrary,
    source: str | os.PathLike[str],
    *,
    encoder: Callable[[], SpeakerEncoder],
    common: Mapping[str, Any] | None = None,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> IngestReport:
    """`ingest`, where the slow part of each row is done by a pool of Ray actors.

    This process alone writes the library. A worker that dies is started again, and its rows are
    given out anew; a run that was interrupted goes on where it stopped, as `ingest` does.

    library: opened with the same encoder, in a folder that every machine sees under the same path, as source
    encoder: makes the speaker encoder, once in each worker
    workers: actors; None takes one for each core of the cluster

    Raises MissingExtra without the extra `scale`, and what `ingest` raises.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ingest on a Ray cluster", "scale") from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    entries = list(read_manifest(source))
    run = _Ingest(library, dict(common or {}))
    # Without limits: what cannot be read fails with an error of ours, so only dying is tried again.
    worker = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)(_Worker)
    count = max(1, min(len(entries), workers or int(ray.cluster_resources().get("CPU", 1))))
    actors = [worker.remote(str(library.folder.resolve()), encoder, dict(common or {})) for _ in range(count)]
    try:
        for done, (entry, future) in enumerate(_in_order(actors, entries), 1):
            run.take(entry, future)
            if run.due or done == len(entries):
                run.store()
                if on_progress is not None:
                    on_progress(done, len(entries))
    finally:
        for actor in actors:
            ray.kill(actor)
    return run.report


class _Worker:
    """Prepares rows in a process of its own, beside a library that it only reads."""

    def __init__(self, folder: str, encoder: Callable[[], SpeakerEncoder], common: dict[str, Any]) -> None:
        self._run = _Ingest(VoiceLibrary(folder, encoder=encoder()), common)

    def prepare(self, entry: Entry) -> Prepared:
        return self._run.prepare(entry)


def _in_order(actors: list[Any], entries: list[Entry]) -> Iterator[tuple[Entry, Future[Prepared]]]:
    """Rows with what becomes of them, in their order."""
    ahead: deque[tuple[Entry, Future[Prepared]]] = deque()
    for number, entry in enumerate(entries):
        ahead.append((entry, actors[number % len(actors)].prepare.remote(entry).future()))
        if len(ahead) >= AHEAD * len(actors):
            yield ahead.popleft()
    yield from ahead
