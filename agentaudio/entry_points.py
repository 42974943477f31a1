"""`installed`: what installed packages offer to agentaudio by entry points."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import sys
from importlib.metadata import EntryPoint

Folder = tuple[str, int, int]
"""A folder of the import path as it is now: its path, inode and time of modification in nanoseconds."""


def installed(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group that begins with "agentaudio.", from all installed packages.

    The metadata of all packages, which takes milliseconds to read, is read once, and again after a folder of the import
    path has changed: a package was installed or removed.
    """
    return _by_group(tuple(_import_path())).get(group, ())


def _import_path() -> list[Folder]:
    found = []
    for path in sys.path:
        with contextlib.suppress(OSError):
            now = os.stat(path or os.curdir)
            found.append((path, now.st_ino, now.st_mtime_ns))
    return found


@functools.lru_cache(maxsize=1)
def _by_group(_path: tuple[Folder, ...]) -> dict[str, tuple[EntryPoint, ...]]:
    points = importlib.metadata.entry_points()
    ours = [group for group in points.groups if group.startswith("agentaudio.")]
    return {group: tuple(points.select(group=group)) for group in ours}
