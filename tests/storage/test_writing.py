"""The thread that writes: jobs in their order, and none is lost when the program or the store ends."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time

import pytest

from agentaudio.storage.writing import Writing

ENDS = """
import sys, time
from agentaudio.storage.writing import Writing

writing = Writing("writes")
for number in range(3):
    writing.start(lambda number=number: (time.sleep(0.05), print(number, flush=True)))
"""


def test_jobs_run_in_their_order_and_give_their_outcome() -> None:
    writing, done = Writing("writes"), list[int]()
    for number in range(50):
        writing.start(lambda number=number: done.append(number))  # type: ignore[misc]
    assert writing.submit(lambda: len(done)).result() == 50 and done == list(range(50))
    with pytest.raises(ZeroDivisionError):
        writing.submit(lambda: 1 / 0).result()
    assert writing.submit(lambda: 5).result() == 5
    writing.shutdown()


def test_what_waits_is_done_before_the_thread_ends_and_nothing_is_taken_afterwards() -> None:
    writing, done = Writing("writes"), list[int]()
    writing.start(lambda: time.sleep(0.05))
    writing.start(lambda: done.append(1))
    writing.shutdown()
    assert done == [1] and "writes" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(RuntimeError, match="has ended"):
        writing.start(lambda: None)
    writing.shutdown()


def test_a_program_that_ends_does_the_jobs_that_wait() -> None:
    ran = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == ["0", "1", "2"] and not ran.stderr


def test_a_thread_ends_with_the_last_reference() -> None:
    writing = Writing("writes")
    writing.submit(lambda: None).result()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "writes"]
    del writing
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_a_job_that_fails_is_logged_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    writing = Writing("writes")
    writing.start(lambda: 1 / 0)
    assert writing.submit(lambda: 5).result() == 5
    assert [record.message for record in caplog.records] == ["a job of a store failed"]
    writing.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_writes_in_a_thread_of_its_own() -> None:
    writing = Writing("writes")
    writing.submit(lambda: None).result()
    if (child := os.fork()) == 0:
        os._exit(0 if writing.submit(lambda: 7).result(10) == 7 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    writing.shutdown()
