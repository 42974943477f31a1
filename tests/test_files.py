"""Files are replaced atomically: with readers, umasks, full disks, kills and threads."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentaudio.errors import AgentAudioError, AudioError, ConsentError, RetrievalError, VoiceError
from agentaudio.files import replacing, write_atomically


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("durable", [False, True])
def test_missing_folders_are_created_and_content_is_replaced(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "folders" / "a.bin"
    for content in (b"first", b"second, longer", b""):
        write_atomically(path, content, error=AudioError, durable=durable)
        assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["a.bin"]


def test_a_symbolic_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new", error=AudioError)
    assert not link.is_symlink() and link.read_bytes() == b"new" and target.read_bytes() == b"old"


def test_a_file_name_of_the_longest_length_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("🎧" * 63 + "abc")
    assert len(os.fsencode(path.name)) == 255
    write_atomically(path, b"x", error=AudioError)
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_gets_the_same_permissions_as_with_open(tmp_path: Path, umask: int, expected: int) -> None:
    # In a separate process, because all threads of a process share the umask.
    code = (
        f"import os, sys; os.umask({umask})\nfrom pathlib import Path\n"
        "from agentaudio.files import write_atomically\nfrom agentaudio.errors import AudioError\n"
        "write_atomically(Path(sys.argv[1]), b'x', error=AudioError)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=True)
    assert mode(tmp_path / "a") == expected


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.write_bytes(b"old")
    private.chmod(0o600)
    write_atomically(private, b"new", error=AudioError)
    assert mode(private) == 0o600 and private.read_bytes() == b"new"


def test_writing_does_not_change_the_umask_of_other_threads(tmp_path: Path) -> None:
    # Code that reads the umask by setting it makes some of the other thread's files world-writable.
    umask = os.umask(0o077)
    try:
        done = threading.Event()

        def write() -> None:
            while not done.is_set():
                write_atomically(tmp_path / "mine", b"x", error=AudioError)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            others = [tmp_path / f"other-{number}" for number in range(4000)]
            for other in others:
                os.close(os.open(other, os.O_CREAT | os.O_WRONLY, 0o666))
        finally:
            done.set()
            writer.join()
    finally:
        os.umask(umask)
    assert {mode(other) for other in others} == {0o600}
    assert mode(tmp_path / "mine") == 0o600


def calls_to_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch, *, durable: bool) -> list[str]:
    """Write a file, and list in order the paths that were flushed and renamed."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushing(handle: int) -> None:
        place = Path(os.readlink(f"/proc/self/fd/{handle}"))
        calls.append(f"flush {'file' if place.suffix == '.tmp' else place.name}")
        fsync(handle)

    def renaming(source: Path, target: Path) -> None:
        calls.append(f"rename to {target.name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(os, "replace", renaming)
    write_atomically(path, b"x", error=AudioError, durable=durable)
    return calls


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="reads the names of open files from /proc")
def test_a_durable_write_flushes_the_file_its_folder_and_every_folder_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = calls_to_the_disk(tmp_path / "outer" / "inner" / "a", monkeypatch, durable=True)
    assert set(calls[:2]) == {"flush outer", f"flush {tmp_path.name}"}
    assert calls[2:] == ["flush file", "rename to a", "flush inner"]


def test_other_writes_do_not_flush_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert calls_to_the_disk(tmp_path / "a", monkeypatch, durable=False) == ["rename to a"]


@pytest.mark.parametrize("error", [AudioError, VoiceError, RetrievalError])
def test_an_unwritable_path_raises_the_error_class_of_the_caller(tmp_path: Path, error: type[AgentAudioError]) -> None:
    (tmp_path / "occupied").write_bytes(b"a file where a folder should be")
    with pytest.raises(error, match=r"cannot write .*/occupied/a: File exists; choose another place"):
        write_atomically(tmp_path / "occupied" / "a", b"x", error=error)
    (tmp_path / "folder").mkdir()
    with pytest.raises(error, match=r"cannot write .*/folder: Is a directory"):
        write_atomically(tmp_path / "folder", b"x", error=error)
    with pytest.raises(error, match=r"cannot write /proc/a: "):
        write_atomically(Path("/proc/a"), b"x", error=error)
    assert sorted(os.listdir(tmp_path)) == ["folder", "occupied"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named_and_left_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"old")
    folder.chmod(0o500)
    try:
        with pytest.raises(VoiceError, match="cannot write .*/a: Permission denied"):
            write_atomically(folder / "a", b"new", error=VoiceError)
    finally:
        folder.chmod(0o700)
    assert (folder / "a").read_bytes() == b"old" and os.listdir(folder) == ["a"]


@pytest.mark.parametrize("durable", [False, True])
def test_a_full_disk_leaves_only_the_old_file(tmp_path: Path, durable: bool) -> None:
    # A limit on file size simulates a full disk: the kernel refuses the write midway.
    path = tmp_path / "a"
    path.write_bytes(b"old")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nfrom pathlib import Path\n"
        "from agentaudio.files import write_atomically\nfrom agentaudio.errors import AudioError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        f"try: write_atomically(Path(sys.argv[1]), bytes(100_000), error=AudioError, durable={durable})\n"
        "except AudioError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "cannot write" in done.stdout and "File too large" in done.stdout
    assert os.listdir(tmp_path) == ["a"] and path.read_bytes() == b"old"


def test_a_block_that_fails_leaves_the_old_file_and_raises_its_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    # ConsentError is a PermissionError that does not come from the file system.
    for failure in (KeyboardInterrupt(), ValueError("bad"), ConsentError("not allowed")):
        with pytest.raises(type(failure)) as caught, replacing(path, error=AudioError) as temporary:
            temporary.write_bytes(b"half")
            raise failure
        assert caught.value is failure
    assert os.listdir(tmp_path) == ["a"] and path.read_bytes() == b"old"


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from agentaudio.files import write_atomically\nfrom agentaudio.errors import AudioError\n"
        "write_atomically(Path(sys.argv[1]), bytes([0]) * 2_000_000, error=AudioError)\nprint('ready', flush=True)\n"
        "n = 0\n"
        "while True:\n"
        "    n = (n + 1) % 256\n"
        "    write_atomically(Path(sys.argv[1]), bytes([n]) * 2_000_000, error=AudioError)\n"
    )
    for wait_s in (0.0, 0.013, 0.029, 0.051):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        content = path.read_bytes()
        assert len(content) == 2_000_000 and len(set(content)) == 1
    assert all(name == "a" or (name.startswith(".") and name.endswith(".tmp")) for name in os.listdir(tmp_path))


def test_threads_that_write_one_path_leave_the_content_of_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, b"-" * 100_000, error=AudioError)

    def write(letter: bytes) -> None:
        for _ in range(30):
            write_atomically(path, letter * 100_000, error=AudioError)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for writer in writers:
        writer.start()
    seen = [path.read_bytes() for _ in range(50)]
    for writer in writers:
        writer.join()
    assert {len(content) for content in seen} == {100_000} and all(len(set(content)) == 1 for content in seen)
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["null\0byte", "lone surrogate \ud800", "..", "."])
def test_a_name_that_no_file_can_have_is_refused_and_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(AudioError, match="cannot write"):
        write_atomically(tmp_path / name, b"x", error=AudioError)
    with pytest.raises(AudioError, match="cannot write"):
        write_atomically(Path("/") / name, b"x", error=AudioError)


@pytest.mark.parametrize("path", [Path(), Path("/")])
def test_a_path_without_a_name_is_refused(path: Path) -> None:
    with pytest.raises(AudioError, match="cannot write .* has an empty name; choose another name"):
        write_atomically(path, b"x", error=AudioError)


def test_a_value_error_of_the_block_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="^mine$"), replacing(tmp_path / "a", error=AudioError):
        raise ValueError("mine")
    assert os.listdir(tmp_path) == []
