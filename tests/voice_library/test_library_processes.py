"""A library used by several processes at once, some of which are killed."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.sounds import tone
from support.voices import Bands, in_another_process

from agentaudio.errors import ConsentError, VoiceError, VoiceNotFound
from agentaudio.voice_library.check import check
from agentaudio.voice_library.library import VoiceLibrary

WRITE = """
import signal, sys
sys.path.insert(0, sys.argv[3])
from support.sounds import tone
from support.voices import Bands
from agentaudio.voice_library.library import VoiceLibrary

library = VoiceLibrary(sys.argv[1], encoder=Bands())
for number in range(10_000):
    name = f"{sys.argv[2]}-{number}"
    library.add(tone(100 + number % 400, 1 + number / 10_000), id=name, name=name, description=name)
    print(name, flush=True)
"""
READ = """
import sys
from agentaudio.voice_library.library import VoiceLibrary

library = VoiceLibrary(sys.argv[1])
print("ready", flush=True)
seen = 0
while not select_stdin():
    voices = list(library)
    assert len(voices) >= seen, (len(voices), seen)
    seen = len(voices)
    for voice in voices[-3:]:
        voice.clip
    rows = sum(len(batch) for batch, _ in library.embeddings())
    assert rows >= seen, (rows, seen)
print(seen)
""".replace("select_stdin()", "__import__('select').select([sys.stdin], [], [], 0)[0]")
TESTS = Path(__file__).parents[1]


def started(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise AssertionError(process.communicate()[1])
    return line


@pytest.mark.system
def test_a_kill_neither_loses_nor_splits_a_voice_while_others_read(tmp_path: Path) -> None:
    library = VoiceLibrary.create(tmp_path / "voices", encoder=Bands())
    reader = in_another_process(READ, library.folder)
    assert started(reader) == "ready"
    acknowledged: list[str] = []
    for round in range(3):
        writer = in_another_process(WRITE, library.folder, f"round{round}", TESTS)
        acknowledged.append(started(writer))
        time.sleep(random.uniform(0.05, 0.4))
        writer.kill()
        acknowledged += writer.communicate()[0].split()
    lines, complaint = reader.communicate("stop\n", timeout=60)
    assert reader.returncode == 0, complaint
    check(library, repair=True)
    assert check(library) == []
    stored = {voice.id for voice in VoiceLibrary(library.folder)}
    assert set(acknowledged) <= stored and len(stored) <= len(acknowledged) + 3
    assert int(lines) <= len(stored) == len(library.select(embedded=True))


def test_readers_see_what_another_process_adds_and_revokes_at_once(tmp_path: Path) -> None:
    library = VoiceLibrary.create(tmp_path, encoder=Bands())
    before = library.generation
    writer = in_another_process(WRITE, tmp_path, "voice", TESTS)
    first = started(writer)
    voice = library.get(first)
    assert library.generation > before
    writer.kill()
    writer.communicate()
    code = "import sys; from agentaudio import VoiceLibrary; VoiceLibrary(sys.argv[1]).revoke(sys.argv[2])"
    assert in_another_process(code, tmp_path, first).communicate() == ("", "")
    with pytest.raises(VoiceNotFound, match="was revoked on"):
        library.get(first)
    with pytest.raises(ConsentError, match="was revoked on"):
        voice.require("synthesis")
    with pytest.raises(VoiceError, match="cannot read"):
        _ = voice.clip


def test_a_writer_waits_for_another_and_then_says_who_it_is(tmp_path: Path) -> None:
    VoiceLibrary.create(tmp_path)
    code = """
import sys
from pathlib import Path
from agentaudio.voice_library.writer_lock import WriterLock
with WriterLock(Path(sys.argv[1]), 1.0):
    print("locked", flush=True)
    sys.stdin.readline()
"""
    holder = in_another_process(code, tmp_path)
    assert started(holder) == "locked"
    hasty = VoiceLibrary(tmp_path, wait_s=0.1)
    with pytest.raises(VoiceError, match=rf"being changed by process {holder.pid} on .*gave up after 0\.1 s"):
        hasty.add(tone(), id="ann", name="Ann", description="")
    assert len(hasty) == 0
    holder.communicate("\n")
    hasty.add(tone(), id="ann", name="Ann", description="")


def test_a_child_of_a_fork_opens_the_library_anew(library: VoiceLibrary) -> None:
    code = """
import os, sys
from agentaudio.voice_library.library import VoiceLibrary
library = VoiceLibrary(sys.argv[1])
library.remove("ruby")
child = os.fork()
if not child:
    library.remove("robot")
    os._exit(0 if {v.id for v in library} == {"walter", "secret"} else 1)
print(os.waitpid(child, 0)[1], len(library), flush=True)
"""
    process = in_another_process(code, library.folder)
    assert process.communicate()[0].split() == ["0", "2"]


def test_voices_travel_to_other_processes(library: VoiceLibrary) -> None:
    copy = pickle.loads(pickle.dumps(library.get("walter")))
    assert copy == library.get("walter") and copy.require() is copy
    library.revoke("walter")
    with pytest.raises(ConsentError):
        copy.require()


def test_a_moved_or_copied_library_is_the_same(library: VoiceLibrary, tmp_path: Path) -> None:
    shutil.copytree(library.folder, tmp_path / "copy")  # while it is open
    library.close()
    library.folder.rename(tmp_path / "moved")
    for folder in (tmp_path / "copy", tmp_path / "moved"):
        again = VoiceLibrary(folder)
        assert [voice.id for voice in again] == ["walter", "ruby", "robot", "secret"]
        assert check(again) == []


READ_ONLY = """
import ctypes, os, sys
# A mount namespace of our own, in which the folder is read-only for everybody.
libc = ctypes.CDLL(None, use_errno=True)
folder = sys.argv[1].encode()
CLONE_NEWNS, MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 1, 32, 4096, 16384, 1 << 18
def must(code):
    if code:
        print("no namespace"); sys.exit(0)
must(libc.unshare(CLONE_NEWNS))
must(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
must(libc.mount(folder, folder, None, MS_BIND, None))
must(libc.mount(folder, folder, None, MS_BIND | MS_REMOUNT | MS_RDONLY, None))
from agentaudio.errors import VoiceError
from agentaudio.voice_library.library import VoiceLibrary
library = VoiceLibrary(sys.argv[1])
print(*[voice.id for voice in library if voice.clip])
try:
    library.remove("ruby")
except VoiceError as error:
    print(error)
"""


def test_a_read_only_mount_can_be_read_and_refuses_changes(library: VoiceLibrary) -> None:
    library.close()
    lines = in_another_process(READ_ONLY, library.folder).communicate()[0].splitlines()
    if lines == ["no namespace"]:
        pytest.skip("this machine allows no mount namespace")
    assert lines[0] == "walter ruby robot secret"
    assert "Read-only file system" in lines[1] and "copy it to where it can be written" in lines[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_can_be_read(library: VoiceLibrary) -> None:
    library.close()
    library.folder.chmod(0o555)
    try:
        assert len(VoiceLibrary(library.folder)) == 4
    finally:
        library.folder.chmod(0o755)


FULL = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from support.sounds import tone
from agentaudio.errors import VoiceError
from agentaudio.voice_library.library import VoiceLibrary
library = VoiceLibrary(sys.argv[1])
clip = tone(333, 1, 8_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (len(clip.to_bytes("flac")) + int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    library.add(clip, id="late", name="Late", description="x" * 9_000)
except VoiceError as error:
    print(error)
print(len(library))
"""


@pytest.mark.parametrize("beyond_the_clip", [-100, 100], ids=["at the clip", "at the database"])
def test_a_full_disk_is_an_error_that_loses_nothing(library: VoiceLibrary, beyond_the_clip: int) -> None:
    library.close()
    process = in_another_process(FULL, library.folder, TESTS, beyond_the_clip)
    printed, complaint = process.communicate()
    lines = printed.splitlines()
    assert process.returncode == 0, complaint
    assert "free some space" in lines[0] and lines[-1] == "4"
    again = VoiceLibrary(library.folder)
    assert check(again) == []
    assert [voice.id for voice in again] == ["walter", "ruby", "robot", "secret"]
    again.add(tone(333, 5), id="late", name="Late", description="x" * 9_000)
    assert check(again) == []


def test_an_interrupt_leaves_the_library_whole(tmp_path: Path) -> None:
    library = VoiceLibrary.create(tmp_path, encoder=Bands())
    writer = in_another_process(WRITE, tmp_path, "voice", TESTS)
    started(writer)
    deadline = time.monotonic() + 30
    while writer.poll() is None and time.monotonic() < deadline:  # one inside a callback of libsndfile is lost
        writer.send_signal(signal.SIGINT)
        time.sleep(0.02)
    writer.kill()
    assert "KeyboardInterrupt" in writer.communicate()[1]
    assert check(library) == [] and len(library) >= 1
