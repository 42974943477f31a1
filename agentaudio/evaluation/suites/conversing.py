"""`converse`: a dialogue turn by turn, without a clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from agentaudio.agent import Agent
from agentaudio.evaluation.suites.observing import Observer, evidence, results, shown_error
from agentaudio.evaluation.suites.record import Observed
from agentaudio.evaluation.suites.schema import Dialogue
from agentaudio.session import Session
from agentaudio.sound.audio import Audio

RESULT_WAIT_S = 30.0
"""How long the result of a background tool is waited for."""


async def converse(
    agent: Agent, dialogue: Dialogue, inputs: Sequence[str | Audio], *, seed: int
) -> AsyncIterator[Observed]:
    """Run the turns of a dialogue one after the other in one session, and yield what was observed in each.

    inputs: what the user types or says in each turn
    seed: for models that take one
    """
    session = agent.session(plays=False)
    options = agent.setup.options
    if "seed" in agent.model.capabilities.options:
        options = replace(options, seed=seed)
    session.setup = replace(session.setup, options=options)
    observer = Observer(session.voice)
    for turn, given in zip(dialogue.turns, inputs, strict=True):
        numbers: list[int] = []
        error = await _one_turn(session, given, observer, numbers)
        wanted = set(turn.expect.result_of or ()) if turn.expect is not None else set()
        if error is None and not wanted <= set(results(session.conversation)):
            error = await _bring_in(session, observer, numbers)
        yield Observed(
            observer.reply(numbers),
            stages=observer.stages(numbers),
            evidence=evidence(session.conversation),
            results=results(session.conversation),
            error=error,
        )


async def _one_turn(session: Session, given: str | Audio | None, observer: Observer, numbers: list[int]) -> str | None:
    """Run a turn, and note its number. Returns why it failed."""
    try:
        async for event in session.stream(given):
            observer.take(event)
            if event.turn not in numbers:
                numbers.append(event.turn)
    except Exception as error:  # also what a strange model or tool raises: the other dialogues are run all the same
        return shown_error(error)
    return None


async def _bring_in(session: Session, observer: Observer, numbers: list[int]) -> str | None:
    """Wait for the result of a background tool, and let the agent answer it."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + RESULT_WAIT_S
    while not session.has_news:
        if loop.time() > until_s:
            return None
        await asyncio.sleep(0.05)
    return await _one_turn(session, None, observer, numbers)
