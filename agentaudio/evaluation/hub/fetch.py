"""`fetch_copy`: get a copy of a benchmark from the hub, and lay it out as it is published."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from agentaudio.errors import EvaluationError, NetworkError, WeightsError
from agentaudio.evaluation.hub.archives import is_archive, unpack
from agentaudio.evaluation.hub.copy import HubCopy, HubName
from agentaudio.evaluation.hub.parquet import lay_out
from agentaudio.files import write_atomically
from agentaudio.http import Guard, fetch, guarded_client, parse_url
from agentaudio.weights import hub
from agentaudio.weights.download import Address, download
from agentaudio.weights.ledger import Hub
from agentaudio.weights.lock import locked_async
from agentaudio.weights.nearby import hub_cache
from agentaudio.weights.placing import SourceFailed
from agentaudio.weights.store import cache_folder, megabytes
from agentaudio.weights.threads import finish

MOST_LIST_BYTES = 50_000_000
"""Longest list of files of a repository."""
MOST_PLAIN_BYTES = 20_000_000
"""Longest file that is not in Git LFS; the hub takes 10 MB."""
_DONE, _FETCHED, _LAID_OUT = "complete.json", "files", "data"

Say = Callable[[str], None]
Report = Callable[[int, int], None]
"""(bytes that are there, bytes in all)"""


class _Lfs(BaseModel):
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class _File(BaseModel):
    rfilename: str
    size: int | None = Field(default=None, ge=0)
    blobId: str | None = Field(default=None, pattern="^[0-9a-f]{40}$")
    lfs: _Lfs | None = None

    @property
    def bytes(self) -> int:
        return self.lfs.size if self.lfs is not None else self.size or 0


class _Info(BaseModel):
    """What the hub says of a data set at a revision."""

    sha: str = Field(pattern="^[0-9a-f]{40}$")
    siblings: list[_File]
    cardData: dict[str, Any] | None = None
    gated: bool | str = False

    @property
    def licence(self) -> str:
        """As its card says."""
        found = (self.cardData or {}).get("license") or "not stated"
        return ", ".join(map(str, found)) if isinstance(found, list) else str(found)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A copy on this machine.

    folder: in the published layout of the benchmark
    name: with the commit as its revision
    """

    folder: Path
    name: HubName


async def fetch_copy(
    name: HubName, copy: HubCopy, *, say: Say, report: Report = lambda done, total: None, root: Path | None = None
) -> Fetched:
    """Fetch the files that a benchmark needs, verify them, and lay them out. What is there is not fetched again.

    say: told the size and the licence before the first file is fetched
    report: called while bytes arrive
    root: folder for copies; None is `datasets` in the cache of agentaudio

    A copy whose revision is a commit, and which is complete, needs no network. When this is cancelled or killed, what
    has arrived is kept for the next call.

    Raises EvaluationError when the hub cannot be reached or must not be (HF_HUB_OFFLINE), when it has no such data set,
    revision or files, when a file is not as the hub says, and when the disk cannot take it.
    """
    home = (cache_folder().with_name("datasets") if root is None else root) / name.repository.replace("/", "--")
    if name.is_pinned and (home / name.revision / _DONE).is_file():
        return _found(home / name.revision, name, copy)
    if hub.is_offline():
        raise EvaluationError(f"{name} is not on this machine, and the hub is not asked, because HF_HUB_OFFLINE is set")
    try:
        info = await _info(name)
        pinned = HubName(name.repository, info.sha)
        folder = home / info.sha
        wanted = [one for one in info.siblings if copy.needs(one.rfilename)]
        if not wanted:
            shown = ", ".join(sorted(one.rfilename for one in info.siblings)[:6]) or "nothing"
            raise EvaluationError(
                f"{pinned} has none of the files {', '.join(copy.files)}; it has {shown}: it is another data set, or "
                "another version of it"
            )
        if not (folder / _DONE).is_file():
            size = sum(one.bytes for one in wanted)
            say(f"{pinned}: {len(wanted)} files, {megabytes(size)}, licence {info.licence}; fetching into {folder}")
            async with locked_async(home / f"{info.sha}.lock"):
                await _fetch(pinned, info, wanted, folder / _FETCHED, report)
                await finish(_lay_out, copy, wanted, folder)
        return _found(folder, pinned, copy)
    except (SourceFailed, NetworkError, WeightsError) as error:
        raise EvaluationError(
            f"{name} cannot be fetched: {error}; what has arrived is kept: run the same command again"
        ) from None


def _found(folder: Path, name: HubName, copy: HubCopy) -> Fetched:
    return Fetched(folder / _LAID_OUT / copy.folder, name)


async def _info(name: HubName) -> _Info:
    """What the hub says. Raises EvaluationError for an answer that is not one of the hub's."""
    url = f"{hub.endpoint()}/api/datasets/{name.repository}/revision/{quote(name.revision, safe='')}?blobs=true"
    async with guarded_client(Guard.for_service(parse_url(url)), timeout_s=20.0, connect_timeout_s=4.0) as client:
        answer = await fetch(client, client.build_request("GET", url), max_bytes=MOST_LIST_BYTES)
    if answer.status in (401, 403, 404):
        raise EvaluationError(
            f"the hub has no data set {name.repository!r} with the revision {name.revision!r} that everybody may see; "
            "check the name"
        )
    if answer.status != 200:
        raise SourceFailed(f"the hub answered {answer.status}")
    try:
        return _Info.model_validate_json(answer.body)
    except ValidationError as error:
        raise EvaluationError(
            f"{parse_url(url).host} does not answer as the hub does: {error.errors()[0]['msg']}"
        ) from None


async def _fetch(name: HubName, info: _Info, wanted: list[_File], folder: Path, report: Report) -> None:
    total = sum(one.bytes for one in wanted)
    source = Hub(kind="hub", repository=name.repository, revision=info.sha, gated=bool(info.gated))
    headers = hub.headers_for(source)
    await finish(_require_space, folder, total)
    before = 0
    for one in wanted:
        path = _path(folder, one.rfilename)
        url = f"{hub.endpoint()}/datasets/{name.repository}/resolve/{info.sha}/{quote(one.rfilename)}"
        address = Address(url, headers, lambda status: _refusal(source, status, bool(headers)))
        await finish(_take_over, name.repository, info.sha, one, path)
        if one.lfs is None:
            await _plain(address, path, one)
        elif not await finish(_is_there, path, one.lfs):

            def arrived(done: int, before: int = before) -> None:
                report(before + done, total)

            await download(address, path, size=one.lfs.size, sha256=one.lfs.sha256, report=arrived)
        before += one.bytes
        report(before, total)


async def _plain(address: Address, path: Path, file: _File) -> None:
    """Fetch a file that is in Git itself, and check it by the id of its blob."""
    if await finish(_is_blob, path, file.blobId):
        return
    if file.bytes > MOST_PLAIN_BYTES:
        raise SourceFailed(f"{file.rfilename} has {megabytes(file.bytes)}, which is too much for a file outside of LFS")
    async with guarded_client(
        Guard.for_service(parse_url(address.url)), timeout_s=20.0, connect_timeout_s=4.0
    ) as client:
        request = client.build_request("GET", address.url, headers=dict(address.headers))
        answer = await fetch(client, request, max_bytes=MOST_PLAIN_BYTES)
    if answer.status != 200:
        raise SourceFailed(address.refusal(answer.status))
    if file.blobId is not None and _blob_id(answer.body) != file.blobId:
        raise SourceFailed(f"{file.rfilename} is not the file that the hub lists")
    await finish(_write, path, answer.body)


def _take_over(repository: str, commit: str, file: _File, path: Path) -> None:
    """Take a file that the cache of the Hugging Face libraries has; what it holds is checked like what is fetched."""
    cached = hub_cache() / f"datasets--{repository.replace('/', '--')}" / "snapshots" / commit / file.rfilename
    if not path.is_file() and cached.is_file():
        _link(cached.resolve(), path)


def _refusal(source: Hub, status: int, logged_in: bool) -> str:
    page = f"{hub.endpoint()}/{source.repository}"
    return hub.refusal(source, status, logged_in=logged_in).replace(
        page, f"{hub.endpoint()}/datasets/{source.repository}"
    )


def _lay_out(copy: HubCopy, wanted: list[_File], folder: Path) -> None:
    """Make the published layout of what was fetched, and note that it is complete."""
    fetched, data = folder / _FETCHED, folder / _LAID_OUT
    shutil.rmtree(data, ignore_errors=True)
    names = sorted(one.rfilename for one in wanted)
    if copy.layout is not None:
        lay_out([(name, _path(fetched, name)) for name in names], copy.layout, data)
    else:
        for name in names:
            place = _path(data, name)
            if is_archive(name):
                unpack(_path(fetched, name), place.parent)
            else:
                _link(_path(fetched, name), place)
    write_atomically(folder / _DONE, json.dumps({"files": names}).encode(), error=EvaluationError, durable=True)


def _link(source: Path, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        try:
            place.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, place)
    except OSError as error:
        raise EvaluationError(f"cannot write {place}: {error.strerror}; free some space") from None


def _path(folder: Path, name: str) -> Path:
    """Where a file of the repository is kept. Raises EvaluationError for a name that leads out of the folder."""
    if name.startswith("/") or ".." in name.split("/") or "\0" in name or not name:
        raise EvaluationError(f"the hub lists the file {name!r}, whose name leads out of its folder; do not use it")
    return folder / name


def _require_space(folder: Path, size: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        raise EvaluationError(
            f"cannot write {folder}: {error.strerror}; set AGENTAUDIO_CACHE to another place"
        ) from None
    if size - there > free:
        raise EvaluationError(
            f"{megabytes(size)} are to be fetched and {folder} has {megabytes(free)} left; free some space, or set "
            "AGENTAUDIO_CACHE to another place"
        )


def _is_there(path: Path, lfs: _Lfs) -> bool:
    try:
        if path.stat().st_size != lfs.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == lfs.sha256
    except OSError:
        return False


def _is_blob(path: Path, blob: str | None) -> bool:
    try:
        return blob is not None and path.stat().st_size <= MOST_PLAIN_BYTES and _blob_id(path.read_bytes()) == blob
    except OSError:
        return False


def _blob_id(content: bytes) -> str:
    """The id by which Git knows a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, content, error=EvaluationError)
