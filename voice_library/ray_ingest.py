"""`ingest_with_ray`: add recordings to a library, prepared on all machines of a Ray cluster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from agentaudio.errors import MissingExtra
from agentaudio.sound.speaker_encoder import SpeakerEncoder
from agentaudio.voice_library.ingest import IngestReport, IngestRun
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.manifest import Entry, read_manifest
from agentaudio.voice_library.prepared import PreparedVoice

AHEAD = 8
"""Rows queued for each worker."""

Prepared = tuple[PreparedVoice, list[str]]


def ingest_with_ray(
    library: VoiceLibrary,
    source: str | os.PathLike[str],
    *,
    encoder: Callable[[], SpeakerEncoder],
    common: Mapping[str, Any] | None = None,
    workers: int | None = None,
    root: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> IngestReport:
    """`ingest`, with the rows prepared by Ray actors.

    Only this process writes to the library. An actor that dies is restarted and its rows are
    repeated; an interrupted run can be repeated, as with `ingest`.

    library: opened with the same encoder; every machine must see its folder and the source under the same path
    encoder: makes the speaker encoder, once in each worker
    workers: actors; None uses one for each core of the cluster
    root: folder of the files of a manifest, see `read_manifest`

    Raises MissingExtra without the extra `scale`, and what `ingest` raises.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ingest on a Ray cluster", "scale") from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    entries = list(read_manifest(source, root=root))
    run = IngestRun(library, dict(common or {}))
    # No limit on retries: an unreadable row fails with an AgentAudioError, and Ray retries only actors that died.
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
    """A Ray actor that prepares rows; it only reads the library."""

    def __init__(self, folder: str, encoder: Callable[[], SpeakerEncoder], common: dict[str, Any]) -> None:
        self._run = IngestRun(VoiceLibrary(folder, encoder=encoder()), common)

    def prepare(self, entry: Entry) -> Prepared:
        return self._run.prepare(entry)


def _in_order(actors: list[Any], entries: list[Entry]) -> Iterator[tuple[Entry, Future[Prepared]]]:
    """Each row with its prepared voice, in order."""
    ahead: deque[tuple[Entry, Future[Prepared]]] = deque()
    for number, entry in enumerate(entries):
        ahead.append((entry, actors[number % len(actors)].prepare.remote(entry).future()))
        if len(ahead) >= AHEAD * len(actors):
            yield ahead.popleft()
    yield from ahead
