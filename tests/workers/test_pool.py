"""Foreign content that crashes, hangs or grows costs its own request only, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentaudio.errors import AudioError, RetrievalError
from agentaudio.workers.child import NICENESS
from agentaudio.workers.limits import WorkLimits
from agentaudio.workers.messages import Message
from agentaudio.workers.pool import Job, Pool

pytestmark = pytest.mark.hostile

SMALL = WorkLimits("limits.SMALL", timeout_s=30, cpu_s=1, memory_mb=100, output_mb=2)
HASTY = WorkLimits("limits.HASTY", timeout_s=0.3, cpu_s=60, memory_mb=100, output_mb=2)


@pytest.fixture(autouse=True)
def tasks_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool("test", processes=2)
    yield made
    made.close()


def ask(job: Job[Any], task: str, limits: WorkLimits = SMALL, content: bytes = b"", **request: Any) -> Message:
    return job.ask(f"tasks:{task}", request, content, limits=limits, what="the file", error=RetrievalError)


def test_data_and_bytes_come_back(pool: Pool) -> None:
    content = bytes(range(256)) * 5_000
    assert pool.run(lambda job: ask(job, "echo", content=content, a=[1, "ü", None])) == ({"a": [1, "ü", None]}, content)


@pytest.mark.parametrize(
    ("task", "limits", "problem"),
    [
        ("spin", SMALL, r"takes more than 1 s of processor time to read \(limits.SMALL.cpu_s\)"),
        ("spin", HASTY, r"takes more than 0.3 s to read \(limits.HASTY.timeout_s\)"),
        ("hold_the_interpreter", HASTY, r"takes more than 0.3 s"),
        ("fill_memory", SMALL, r"needs more than 100 MB of memory to read \(limits.SMALL.memory_mb\)"),
        ("die", SMALL, r"ended the process that read it with status -11"),
        ("leave", SMALL, r"ended the process that read it with status 0"),
        ("close_output", SMALL, r"ended the process"),
        ("recurse", SMALL, r"cannot be read \(it is nested too deeply\)"),
        ("fail", SMALL, r"cannot be read \('xref'\)"),
    ],
)
def test_bad_content_is_named_with_its_limit_and_the_next_request_is_answered(
    pool: Pool, task: str, limits: WorkLimits, problem: str
) -> None:
    with pytest.raises(RetrievalError, match=f"^the file {problem}"):
        pool.run(lambda job: ask(job, task, limits))
    assert pool.run(lambda job: ask(job, "echo"))[0] == {}


def test_an_answer_above_the_limit_is_not_taken(pool: Pool) -> None:
    assert len(pool.run(lambda job: ask(job, "answer_much", size=2_000_000))[1]) == 2_000_000
    with pytest.raises(RetrievalError, match=r"more than 2 MB when it is read \(limits.SMALL.output_mb\)"):
        pool.run(lambda job: ask(job, "answer_much", size=2_000_001))


def test_an_error_of_the_package_keeps_its_class_and_text(pool: Pool) -> None:
    with pytest.raises(AudioError, match=r"^this is not sound$"):
        pool.run(lambda job: ask(job, "refuse"))


def test_a_process_is_used_again_until_its_request_fails(pool: Pool) -> None:
    pool.run(lambda job: ask(job, "echo"))
    (first,) = pool.pids
    pool.run(lambda job: ask(job, "echo"))
    assert pool.pids == [first]
    with pytest.raises(RetrievalError):
        pool.run(lambda job: ask(job, "die"))
    pool.run(lambda job: ask(job, "echo"))
    assert pool.pids != [first] and not alive(first)


def test_a_process_killed_while_it_was_idle_is_replaced(pool: Pool) -> None:
    pool.run(lambda job: ask(job, "echo"))
    os.kill(pool.pids[0], signal.SIGKILL)
    assert pool.run(lambda job: ask(job, "echo"))[0] == {}


def test_cancelling_kills_the_process_at_once(pool: Pool) -> None:
    patient = WorkLimits("patient", timeout_s=60, cpu_s=60, memory_mb=100, output_mb=2)

    async def cancel() -> float:
        await pool.call(lambda job: ask(job, "echo"))
        task = asyncio.create_task(pool.call(lambda job: ask(job, "hold_the_interpreter", patient)))
        await asyncio.sleep(0.2)
        begun = time.perf_counter()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while pool.pids:
            await asyncio.sleep(0.01)
        return time.perf_counter() - begun

    assert asyncio.run(cancel()) < 2


def test_a_request_whose_pool_is_closed_says_so_and_is_not_begun_again(pool: Pool) -> None:
    pool.run(lambda job: ask(job, "sleep_for", seconds=0))  # a process that is not new would be replaced if it had died
    closer = threading.Timer(0.3, pool.close)
    closer.start()
    with pytest.raises(RetrievalError, match="the file was not read, because its worker process was closed; try again"):
        pool.run(lambda job: ask(job, "sleep_for", seconds=60))
    closer.join()
    assert pool.pids == []


def test_waiting_requests_can_be_cancelled_and_others_go_on(pool: Pool) -> None:
    async def many() -> list[Any]:
        busy = [asyncio.create_task(pool.call(lambda job: ask(job, "spin"))) for _ in range(12)]
        await asyncio.sleep(0.2)
        last = asyncio.create_task(pool.call(lambda job: ask(job, "echo", a=1)))
        for task in busy:
            task.cancel()
        return [await last, await asyncio.gather(*busy, return_exceptions=True)]

    (found, _), cancelled = asyncio.run(many())
    assert found == {"a": 1} and all(isinstance(one, asyncio.CancelledError) for one in cancelled)


def test_at_most_so_many_processes_run_at_a_time(pool: Pool) -> None:
    async def many() -> int:
        busy = [asyncio.create_task(pool.call(lambda job: ask(job, "spin", HASTY))) for _ in range(6)]
        most = 0
        while not all(task.done() for task in busy):
            most = max(most, len(pool.pids))
            await asyncio.sleep(0.01)
        await asyncio.gather(*busy, return_exceptions=True)
        return most

    assert asyncio.run(many()) == 2


def test_many_kills_leave_neither_processes_nor_descriptors(pool: Pool) -> None:
    def once() -> None:
        with pytest.raises(RetrievalError, match="ended the process"):
            pool.run(lambda job: ask(job, "die", signal=signal.SIGKILL))

    once()
    descriptors, threads = len(os.listdir("/dev/fd")), threading.active_count()
    for _ in range(int(os.environ.get("AGENTAUDIO_TEST_KILLS", "8"))):
        once()
    assert pool.pids == [] and len(os.listdir("/dev/fd")) == descriptors
    assert threading.active_count() <= threads + 1


def test_the_threads_of_asyncio_stay_free(pool: Pool) -> None:
    async def other() -> float:
        busy = [asyncio.create_task(pool.call(lambda job: ask(job, "spin", HASTY))) for _ in range(40)]
        await asyncio.sleep(0.1)
        begun = time.perf_counter()
        await asyncio.to_thread(int)
        waited = time.perf_counter() - begun
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        return waited

    assert asyncio.run(other()) < 1


def test_keys_in_the_environment_are_not_passed_on(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_API_KEY", "x")
    assert "SECRET_API_KEY" not in pool.run(lambda job: ask(job, "environment"))[0]


def test_a_worker_gives_way_to_its_parent_and_does_not_get_its_ctrl_c(pool: Pool) -> None:
    found = pool.run(lambda job: ask(job, "place"))[0]
    # Linux shares the CPUs between sessions first: in another session, the niceness would have no effect.
    assert found["session"] == os.getsid(0) and found["group"] != os.getpgid(0)
    assert found["niceness"] == min(19, os.nice(0) + NICENESS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("ending", ["done", "os._exit(0)", "os.kill(os.getpid(), 9)", "busy"])
def test_forks_have_their_own_processes_and_the_end_leaves_none(ending: str) -> None:
    code = f"""
        import os, sys, threading, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_pool import SMALL, Pool, ask
        from agentaudio.workers.limits import WorkLimits
        pool = Pool("test")
        pool.run(lambda job: ask(job, "echo"))
        print(*pool.pids, flush=True)
        child = os.fork()
        if not child:
            assert pool.pids == []
            assert pool.run(lambda job: ask(job, "echo", a=2))[0] == {{"a": 2}}
            print(*pool.pids, flush=True)
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        assert pool.run(lambda job: ask(job, "echo", a=1))[0] == {{"a": 1}}
        if {ending!r} == "busy":
            threading.excepthook = lambda raised: None  # the thread may still live to see its request closed
            threading.Thread(target=pool.run, args=(lambda job: ask(job, "spin"),), daemon=True).start()
            time.sleep(0.3)
            print(*pool.pids, flush=True)
        elif {ending!r} != "done":
            {ending if "os" in ending else "pass"}
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=100)
    assert ran.stderr == "" and ran.returncode in (0, -9)
    pids = {int(word) for word in ran.stdout.split()}
    assert len(pids) >= 2
    deadline = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_the_event_loop_goes_on_while_a_thread_of_the_pool_starts_slowly(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = threading.Thread.start

    def slow(thread: threading.Thread) -> None:
        time.sleep(0.3)  # as where other programs have all processors
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", slow)
    begun = time.perf_counter()
    call = asyncio.ensure_future(pool.call(lambda job: "done"))
    await asyncio.sleep(0)
    assert time.perf_counter() - begun < 0.25
    assert await call == "done"


async def test_jobs_fail_when_the_system_starts_no_thread_and_later_ones_run(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                await asyncio.wait_for(pool.call(lambda job: "done"), 5)
    assert await asyncio.wait_for(pool.call(lambda job: "done"), 5) == "done"
