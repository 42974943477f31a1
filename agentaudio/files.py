"""Files: opened only inside their folder, and written so that nobody ever meets half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from agentaudio.errors import AgentAudioError

TEMPORARY_SUFFIX = ".tmp"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # O_NONBLOCK: a pipe without a writer would block `open`


def open_within(folder: Path, path: Path) -> BufferedReader:
    """Open a regular file for reading, if it lies in the folder once links are resolved.

    Every step of the resolved path is opened without following links, so that a link which is put there
    after the check leads nowhere. A named pipe or device is refused without waiting for it. A hard link
    cannot be told from the file itself.

    Raises OSError, whose `strerror` says what is wrong.
    """
    try:
        root, real = folder.resolve(strict=True), path.resolve(strict=True)
    except RuntimeError:  # circular links, in Python before 3.13
        raise OSError(errno.ELOOP, "its links lead in a circle", str(path)) from None
    if not real.is_relative_to(root):
        raise OSError(errno.EACCES, f"it leads out of {folder}", str(path))
    *folders, name = real.relative_to(root).parts or (".",)
    at = os.open(root, _FOLDER)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        handle = os.open(name, _FILE | os.O_NOFOLLOW, dir_fd=at)
    finally:
        os.close(at)
    return _regular(handle, path)


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading, without waiting for a named pipe or device. Raises OSError for those too."""
    return _regular(os.open(path, _FILE), path)


def _regular(handle: int, path: Path) -> BufferedReader:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return open(path, "rb", opener=lambda *_: handle)


def write_atomically(path: Path, content: bytes, *, error: type[AgentAudioError], durable: bool = False) -> None:
    """Replace the content of a file in one step; see `replacing` for what holds then and what is raised."""
    with replacing(path, error=error, durable=durable) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path, *, error: type[AgentAudioError], durable: bool = False) -> Iterator[Path]:
    """Give a temporary file to write; when the block ends it becomes `path` in one rename.

    path: the file to make or replace; missing folders are made
    error: the class to raise when the file system refuses, such as AudioError or VoiceError
    durable: flush the file and its folder to the disk first, so that the file survives a power cut
    yields: an empty file in the folder of `path`. The block may write it in any way, but not delete it.

    Readers see the old content until the block ends and the new content afterwards, never a mixture.
    When the block raises, the old file stays and the temporary file is deleted. A process that is
    killed in the block leaves a file whose name begins with a dot and ends in `.tmp`.

    A symbolic link at `path` is replaced itself; its target is never written, so a link in a folder cannot
    direct a write out of it.
    A new file gets the permissions that `open` would give it (0o666 less the umask); one that is
    replaced keeps its own. Several threads and processes may write the same path: the last one stays.

    Raises `error`, which names the path and the reason. An error of the block that is not an OSError
    passes unchanged.
    """
    try:
        try:
            _make_folder(path.parent, durable)
            temporary = _new_file_beside(path)
        except ValueError as invalid:  # no name, a null byte, or a character that no file name can hold
            raise error(f"cannot write {str(path)!r}: {invalid}; choose another name") from None
        try:
            yield temporary
            if durable:
                flush(temporary)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        if durable:
            flush(path.parent)
    except AgentAudioError:  # ConsentError is an OSError too
        raise
    except OSError as refusal:
        reason = refusal.strerror or str(refusal)
        raise error(f"cannot write {path}: {reason}; choose another place or free some space") from refusal


def _new_file_beside(path: Path) -> Path:
    temporary = path.with_name(f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    # The kernel subtracts the umask. Reading it (os.umask) would change it for all threads for a moment.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(handle, stat.S_IMODE(path.stat().st_mode))
    except BaseException:
        temporary.unlink()
        raise
    finally:
        os.close(handle)
    return temporary


def _make_folder(folder: Path, durable: bool) -> None:
    if not durable:
        folder.mkdir(parents=True, exist_ok=True)
        return
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        flush(made.parent)


def flush(path: Path) -> None:
    """Flush a file or a folder to the disk, so that it survives a power cut. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
