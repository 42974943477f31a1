"""Files are opened only inside their folder, and only if they are regular."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentaudio.files import open_regular, open_within


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_bytes(b"t0psecret")
    (tmp_path / "set" / "inner").mkdir(parents=True)
    (tmp_path / "set" / "inner" / "a").write_bytes(b"fine")
    return tmp_path / "set"


WAYS_OUT: dict[str, Callable[[Path], Path]] = {
    "parent": lambda folder: folder / ".." / "private" / "key",
    "absolute": lambda folder: folder.parent / "private" / "key",
    "through an inner folder": lambda folder: folder / "inner" / ".." / ".." / "private" / "key",
    "link": lambda folder: linked(folder / "link", folder.parent / "private" / "key"),
    "relative link": lambda folder: linked(folder / "link", Path("../private/key")),
    "linked folder": lambda folder: linked(folder / "link", folder.parent / "private") / "key",
    "link to a link": lambda folder: linked(folder / "b", linked(folder / "a", folder.parent / "private" / "key")),
    "link to the file system": lambda folder: linked(folder / "root", Path("/")) / "etc" / "hostname",
    "this process": lambda folder: linked(folder / "me", Path("/proc/self/environ")),
}


def linked(link: Path, target: Path) -> Path:
    link.symlink_to(target)
    return link


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_path_leads_out_of_the_folder(folder: Path, way: str) -> None:
    with pytest.raises(OSError, match="leads out of"):
        open_within(folder, WAYS_OUT[way](folder))


@pytest.mark.parametrize("name", ["inner/a", "inner/../inner/a", "link", "linked/a", "./inner//a"])
def test_files_and_links_inside_are_opened(folder: Path, name: str) -> None:
    linked(folder / "link", Path("inner/a"))
    linked(folder / "linked", Path("inner"))
    with open_within(folder, folder / name) as file:
        assert file.read() == b"fine" and file.name == str(folder / name)


@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder", "the folder itself", "circle", "missing"])
def test_what_is_not_a_regular_file_is_refused_at_once(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "x"
    monkeypatch.chdir(folder)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("x")
    elif kind == "circle":
        linked(path, path)
    elif kind != "missing":
        path = {"device": Path("/dev/zero"), "folder": folder / "inner"}.get(kind, folder)
    begun = time.monotonic()
    with pytest.raises(OSError):
        open_within(Path("/dev") if kind == "device" else folder, path)
    with pytest.raises(OSError):
        open_regular(path)
    assert time.monotonic() - begun < 1


def test_a_link_that_is_swapped_in_after_the_check_leads_nowhere(folder: Path) -> None:
    target, swapped, stop = folder / "inner", folder / "other", threading.Event()
    linked(swapped, folder.parent / "private")
    (folder / "inner" / "key").write_bytes(b"fine")

    def swap() -> None:
        while not stop.is_set():
            for first, second, third in ((target, folder / "kept", swapped), (target, swapped, folder / "kept")):
                os.rename(first, second)
                os.rename(third, first)

    swapping = threading.Thread(target=swap)
    swapping.start()
    read = set()
    try:
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            try:
                with open_within(folder, folder / "inner" / "key") as file:
                    read.add(file.read())
            except OSError:
                continue
    finally:
        stop.set()
        swapping.join()
    assert read <= {b"fine"}


def test_no_descriptor_is_left_open(folder: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("counts descriptors in /proc")
    os.mkfifo(folder / "pipe")
    before = len(os.listdir("/proc/self/fd"))
    for name in ["inner/a", "pipe", "missing", "inner", "../private/key"] * 10:
        try:
            open_within(folder, folder / name).close()
        except OSError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before
