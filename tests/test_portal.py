"""The background event loop: threads, other loops, Ctrl-C, fork and exit."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from agentaudio.errors import OptionError
from agentaudio.portal import Portal, portal


@pytest.fixture
def own() -> Iterator[Portal]:
    """A separate portal for the test, closed after it."""
    made = Portal()
    yield made
    made.close()


async def loop_id() -> int:
    return id(asyncio.get_running_loop())


class Waiting:
    """A coroutine that waits until it is cancelled, then takes a moment to end."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()

    async def work(self) -> None:
        self.begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            self.ended.set()


def in_process(code: str, *, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout_s)


def test_every_call_runs_in_the_same_loop(own: Portal) -> None:
    loops = {own.run(loop_id()), own.submit(loop_id()).result(), asyncio.run(own.call(loop_id()))}
    assert len(loops) == 1


def test_the_process_has_one_portal() -> None:
    assert portal() is portal()
    assert portal().run(loop_id()) == portal().run(loop_id())


def test_tasks_continue_between_calls(own: Portal) -> None:
    done: list[int] = []

    async def start() -> asyncio.Task[None]:
        async def work() -> None:
            await asyncio.sleep(0.02)
            done.append(1)

        return asyncio.create_task(work())

    async def wait_for(task: asyncio.Task[None]) -> None:
        await task

    task = own.run(start())
    assert not done
    own.run(wait_for(task))
    assert done


def test_200_calls_from_20_threads_get_their_own_results(own: Portal) -> None:
    async def square(number: int) -> int:
        await asyncio.sleep(0.001 * (number % 7))
        return await asyncio.to_thread(lambda: number * number)

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(lambda number: own.run(square(number)), range(200))) == [n * n for n in range(200)]


def test_calls_that_wait_in_the_loops_threads_do_not_block_each_other(own: Portal) -> None:
    async def inner() -> int:
        return await asyncio.to_thread(lambda: 1)

    async def outer() -> int:
        return await asyncio.to_thread(lambda: own.run(inner()))

    async def crowd() -> int:
        return sum(await asyncio.gather(*(outer() for _ in range(30))))

    assert own.submit(crowd()).result(10) == 30


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError("x")])
def test_an_exception_reaches_the_caller_and_the_loop_goes_on(own: Portal, error: BaseException) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    async def fail_in_a_task() -> None:
        await asyncio.create_task(fail())

    before = own.run(loop_id())
    for work in (fail, fail_in_a_task):
        with pytest.raises(type(error)) as raised:
            own.run(work())
        assert raised.value.args == error.args
    with pytest.raises(type(error)):
        asyncio.run(own.call(fail()))
    assert own.run(loop_id()) == before


def test_a_submitted_future_holds_the_error(own: Portal) -> None:
    async def fail() -> None:
        raise ValueError("no")

    assert isinstance(own.submit(fail()).exception(5), ValueError)


def test_context_variables_travel_into_the_coroutine(own: Portal) -> None:
    name = contextvars.ContextVar("name", default="nobody")

    async def read() -> str:
        return name.get()

    async def bridge() -> str:
        name.set("Ruby")
        return await own.call(read())

    name.set("Walter")
    assert own.run(read()) == "Walter"
    assert own.submit(read()).result(5) == "Walter"
    assert asyncio.run(bridge()) == "Ruby"


def test_cancelling_a_future_cancels_the_coroutine(own: Portal) -> None:
    waiting = Waiting()
    future = own.submit(waiting.work())
    assert waiting.begun.wait(5) and future.cancel()
    assert waiting.ended.wait(5)
    with pytest.raises(CancelledError):
        future.result()


def test_cancelling_the_caller_in_another_loop_returns_when_the_work_has_ended(own: Portal) -> None:
    waiting = Waiting()

    async def give_up() -> bool:
        task = asyncio.create_task(own.call(waiting.work()))
        await asyncio.to_thread(waiting.begun.wait)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(give_up())
    assert waiting.ended.is_set()


def test_a_caller_in_another_loop_does_not_block_it(own: Portal) -> None:
    async def both() -> list[str]:
        order: list[str] = []

        async def slow() -> None:
            await own.call(asyncio.sleep(0.2))
            order.append("slow")

        async def quick() -> None:
            await asyncio.sleep(0.02)
            order.append("quick")

        await asyncio.gather(slow(), quick())
        return order

    assert asyncio.run(both()) == ["quick", "slow"]


def test_a_blocking_call_inside_an_event_loop_is_refused(own: Portal) -> None:
    async def wrong() -> None:
        own.run(asyncio.sleep(0), instead="write `await agent.run(...)`")

    with pytest.raises(OptionError, match="inside an event loop; write `await agent.run"):
        asyncio.run(wrong())
    with pytest.raises(OptionError, match="inside an event loop"):
        own.run(wrong())  # in its own thread it would wait for itself


def test_short_work_may_block_another_loop_but_not_its_own(own: Portal) -> None:
    async def short() -> int:
        return own.run(loop_id(), may_block_loop=True)

    assert asyncio.run(short()) == own.run(loop_id())
    with pytest.raises(OptionError, match="inside an event loop"):
        own.run(short())


def test_the_bridge_works_in_the_portals_own_loop(own: Portal) -> None:
    async def nested() -> int:
        return await own.call(loop_id())

    assert own.run(nested()) == own.run(loop_id())


def test_closing_cancels_the_work_and_then_runs_the_cleanups() -> None:
    made, order = Portal(), list[str]()
    waiting = Waiting()

    async def clean(name: str) -> None:
        order.append(f"{name} after the work: {waiting.ended.is_set()}")
        await asyncio.sleep(0)
        raise OSError("no")  # the others are still cleaned

    made.on_close(lambda: clean("first"))
    made.on_close(lambda: clean("second"))
    made.on_close(lambda: clean("taken back"))()
    future = made.submit(waiting.work())
    assert waiting.begun.wait(5)
    made.close()
    assert order == ["first after the work: True", "second after the work: True"]
    with pytest.raises(CancelledError):
        future.result(5)
    with pytest.raises(OptionError, match="closed"):
        made.run(asyncio.sleep(0))
    with pytest.raises(OptionError, match="closed"):
        asyncio.run(made.call(asyncio.sleep(0)))
    made.close()


def test_a_closed_portal_is_replaced() -> None:
    done = in_process(
        "import asyncio\n"
        "from agentaudio.portal import portal\n"
        "first = portal()\n"
        "first.run(asyncio.sleep(0)); first.close()\n"
        "print(portal() is first, portal().run(asyncio.sleep(0, 'works')))"
    )
    assert (done.stdout.strip(), done.stderr) == ("False works", "")


def test_close_is_refused_inside_an_event_loop(own: Portal) -> None:
    async def wrong() -> None:
        own.close()

    with pytest.raises(OptionError, match="cannot be closed inside an event loop"):
        own.run(wrong())


def test_at_interpreter_exit_the_cleanups_run_and_nothing_hangs() -> None:
    begun = time.monotonic()
    done = in_process(
        "import asyncio, threading\n"
        "from agentaudio.portal import portal\n"
        "async def work():\n"
        "    try: await asyncio.sleep(600)\n"
        "    finally: print('cancelled')\n"
        "async def clean():\n"
        "    await asyncio.sleep(0.01); print('cleaned')\n"
        "portal().on_close(clean)\n"
        "portal().submit(work())\n"
        "def wait():\n"
        "    try: portal().run(asyncio.sleep(600))\n"
        "    except asyncio.CancelledError: pass\n"
        "threading.Thread(target=wait, daemon=True).start()\n"
        "portal().run(asyncio.sleep(0.05)); print('end')"
    )
    assert (done.stdout.split(), done.stderr, done.returncode) == (["end", "cancelled", "cleaned"], "", 0)
    assert time.monotonic() - begun < 10


def test_work_that_ignores_cancellation_does_not_hang_the_exit() -> None:
    done = in_process(
        "import asyncio, agentaudio.portal as module\n"
        "module.CLOSE_TIMEOUT_S = 0.2\n"
        "async def stubborn():\n"
        "    while True:\n"
        "        try: await asyncio.sleep(600)\n"
        "        except asyncio.CancelledError: pass\n"
        "module.portal().submit(stubborn()); module.portal().run(asyncio.sleep(0.05)); print('end')",
        timeout_s=20,
    )
    assert (done.stdout, done.returncode) == ("end\n", 0)


def test_a_blocked_loop_does_not_hang_the_exit() -> None:
    done = in_process(
        "import asyncio, time, agentaudio.portal as module\n"
        "module.CLOSE_TIMEOUT_S = 0.1\n"
        "async def block(): time.sleep(600)\n"
        "module.portal().submit(block()); time.sleep(0.1); print('end')",
        timeout_s=20,
    )
    assert (done.stdout, done.returncode) == ("end\n", 0)
    assert "blocked by a task" in done.stderr


def test_calls_during_interpreter_exit_are_refused() -> None:
    done = in_process(
        "import asyncio, atexit\n"
        "def late():\n"
        "    from agentaudio.portal import portal\n"
        "    try: portal().run(asyncio.sleep(0))\n"
        "    except Exception as error: print(error)\n"
        "atexit.register(late)\n"
        "import agentaudio.portal\n"
    )
    assert "closed" in done.stdout and done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as on POSIX")
def test_ctrl_c_cancels_the_coroutine_and_waits_for_its_end() -> None:
    code = (
        "import asyncio, signal\n"
        "from agentaudio.portal import portal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "async def work():\n"
        "    print('begun', flush=True)\n"
        "    try: await asyncio.sleep(600)\n"
        "    finally:\n"
        "        await asyncio.sleep(0.1); print('ended', flush=True)\n"
        "try: portal().run(work())\n"
        "except KeyboardInterrupt: print('interrupted', flush=True)\n"
        "print(portal().run(asyncio.sleep(0, 'goes on')))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert (rest.splitlines(), process.returncode) == (["ended", "interrupted", "goes on"], 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_gets_its_own_loop_and_the_parents_goes_on() -> None:
    done = in_process(
        "import asyncio, os, sys, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "from agentaudio.portal import portal\n"
        "before = portal(); before.run(asyncio.sleep(0))\n"
        "async def clean(): print(f'cleaned by the parent: {os.getpid() == parent}', flush=True)\n"
        "parent = os.getpid(); before.on_close(clean)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    try: before.run(asyncio.sleep(0))\n"
        "    except Exception as error: print('fork of it' in str(error))\n"
        "    print(portal() is before, portal().run(asyncio.sleep(0.05, 'child')), flush=True)\n"
        "    sys.exit(0)\n"
        "print(os.waitpid(child, 0)[1], before.run(asyncio.sleep(0.05, 'parent')), flush=True)\n"
    )
    assert done.stdout.splitlines() == ["True", "False child", "0 parent", "cleaned by the parent: True"]
    assert done.stderr == ""
