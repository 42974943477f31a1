"""Commands that serve run in uvloop where it is installed, and in asyncio's loop where it is not."""

from __future__ import annotations

import asyncio
import inspect
import sys
from types import SimpleNamespace

import pytest

from agentaudio.cli.event_loop import SWITCH_S, in_fast_loop
from agentaudio.errors import OptionError


@in_fast_loop
async def command(*, words: tuple[str, ...] = ()) -> None:
    """Says words."""
    await asyncio.sleep(0)
    if words:
        raise OptionError(" ".join(words))


def test_a_command_keeps_its_name_its_help_and_its_options() -> None:
    assert command.__name__ == "command" and command.__doc__ == "Says words."
    assert list(inspect.signature(command).parameters) == ["words"]
    assert not inspect.iscoroutinefunction(command)


@pytest.mark.parametrize("is_there", (True, False))
def test_it_runs_in_the_loop_that_is_there_and_its_errors_come_out(
    monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    made = []

    def new_event_loop() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]

    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=new_event_loop) if is_there else None)
    command()
    with pytest.raises(OptionError, match="no such thing"):
        command(words=("no", "such", "thing"))
    assert len(made) == 2 * is_there and all(loop.is_closed() for loop in made)


def test_other_threads_do_not_hold_the_loop_up_for_long_while_a_command_runs() -> None:
    seen = []

    @in_fast_loop
    async def looks() -> None:
        seen.append(sys.getswitchinterval())

    before_s = sys.getswitchinterval()
    looks()
    assert seen == [pytest.approx(SWITCH_S)] and sys.getswitchinterval() == before_s
    assert 20 * 50 * SWITCH_S < 0.5  # what the messages of 20 conversations wait for a thread that computes
