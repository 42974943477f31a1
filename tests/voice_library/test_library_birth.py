"""A process that ends while it makes a library leaves nothing that stops the next one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.sounds import tone
from support.voices import in_another_process

from agentaudio.errors import VoiceError
from agentaudio.voice_library.check import check
from agentaudio.voice_library.library import VoiceLibrary

TESTS = Path(__file__).parents[1]

# Half of the processes are killed by a timer at a random instant, which also hits SQLite; a quarter at a random line;
# a quarter get Ctrl-C at a random line.
DIE = """
import json, os, random, signal, sys, time
from pathlib import Path
from agentaudio.voice_library.library import VoiceLibrary

folder, times = Path(sys.argv[1]), int(sys.argv[2])
random.seed(20)

def lines(react):
    count = 0
    def trace(frame, event, argument):
        nonlocal count
        if "importlib" not in frame.f_code.co_filename and event == "line":
            count += 1
            react(count)
        return trace
    sys.settrace(trace)
    VoiceLibrary.open_or_create(folder / f"line-{random.getrandbits(32)}").close()
    sys.settrace(None)
    return count

def interrupt(at, how):
    def react(count):
        if count == at:
            how()
    lines(react)

def ctrl_c():
    sys.settrace(None)
    raise KeyboardInterrupt

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

lines(lambda count: None)  # imports what creation needs
total = lines(lambda count: None)
begun = time.perf_counter()
VoiceLibrary.open_or_create(folder / "timed").close()
duration = time.perf_counter() - begun
ends = {"killed": 0, "interrupted": 0, "done": 0}
for number in range(times):
    at = random.random()
    child = os.fork()
    if not child:
        if number % 2:
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + at * duration)
            VoiceLibrary.open_or_create(folder / f"clock-{number}")
        else:
            try:
                interrupt(int(1 + at * (total - 1)), kill if number % 4 else ctrl_c)
            except KeyboardInterrupt:
                os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    ends["killed" if os.WIFSIGNALED(status) else "interrupted" if os.WEXITSTATUS(status) == 3 else "done"] += 1
print(json.dumps(ends))
"""


@pytest.mark.system
def test_a_library_whose_birth_was_cut_short_anywhere_is_made_by_the_next_run(tmp_path: Path) -> None:
    dying = in_another_process(DIE, tmp_path, 160)
    out, complaint = dying.communicate(timeout=60)
    assert dying.returncode == 0, complaint
    ends = json.loads(out)
    assert ends["killed"] + ends["interrupted"] >= 100 and ends["interrupted"] >= 20, ends
    cut_short = 0
    for folder in sorted(tmp_path.iterdir()):
        cut_short += not (folder / "library.sqlite3").exists()
        library = VoiceLibrary.open_or_create(folder)
        assert len(library) == 0 and check(library) == []
        library.close()
        assert {path.name for path in folder.iterdir()} <= {"library.sqlite3", "library.lock"}
    assert cut_short >= 20


def test_what_a_kill_left_is_no_library_and_becomes_one(tmp_path: Path) -> None:
    for name in ("library.lock", ".0123456789abcdef.tmp"):
        (tmp_path / name).write_bytes(b"left")
    with pytest.raises(VoiceError, match="not a voice library"):
        VoiceLibrary(tmp_path)
    library = VoiceLibrary.open_or_create(tmp_path)
    library.add(tone(duration_s=2), id="a", name="A", description="")
    assert [voice.id for voice in VoiceLibrary.open_or_create(tmp_path)] == ["a"]


@pytest.mark.parametrize("name", ["notes.txt", "clips/ab/abcd.flac", "holiday.sqlite3", ".bashrc"])
def test_a_folder_of_other_files_does_not_become_a_library(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(VoiceError, match="not a voice library"):
        VoiceLibrary.open_or_create(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(name).name]


@pytest.mark.system
def test_processes_that_make_one_library_at_the_same_time_all_open_it(tmp_path: Path) -> None:
    code = "import sys; from agentaudio.voice_library.library import VoiceLibrary as V; V.open_or_create(sys.argv[1])"
    together = [in_another_process(code, tmp_path / "voices") for _ in range(4)]
    assert [one.communicate(timeout=60)[1] for one in together] == [""] * 4
