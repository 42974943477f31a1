"""`run_suite`: each dialogue of a suite in a session of its own, as often as wanted, and judged."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from agentaudio import __version__
from agentaudio.agent import Agent
from agentaudio.errors import OptionError, did_you_mean
from agentaudio.evaluation.suites import live
from agentaudio.evaluation.suites.checks import Judge, shown_call
from agentaudio.evaluation.suites.load import SuiteFile
from agentaudio.evaluation.suites.observing import Observer, evidence, results, shown_error
from agentaudio.evaluation.suites.record import DialogueRun, Observed, SuiteRun, TurnRecord
from agentaudio.evaluation.suites.schema import AgentSetup, Dialogue, Suite, UserTurn
from agentaudio.evaluation.suites.sounds import UserSounds
from agentaudio.model.parts import Recogniser
from agentaudio.model.registry import load_recogniser
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.session import Session
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder

RESULT_WAIT_S = 30.0
"""How long the result of a background tool is waited for."""

Progress = Callable[[DialogueRun, int, int], object]
"""Called after each run of a dialogue, with the number of runs that are done, and of all."""


def make_agent(file: SuiteFile, model: SpeechLM) -> Agent:
    """The agent of a suite. Raises OptionError for a function that cannot be imported, and what `Agent` raises."""
    setup = file.suite.agent
    if isinstance(setup, AgentSetup):
        return Agent(
            model,
            tools=[_path(file, name) for name in setup.tools],
            documents=setup.documents and _path(file, setup.documents),
            voices=setup.voices and _path(file, setup.voices),
            voice=setup.voice,
            instructions=setup.instructions,
        )
    module, _, name = setup.partition(":")
    try:
        agent = getattr(importlib.import_module(module), name)(model)
    except (ImportError, AttributeError) as error:
        raise OptionError(f"{file.path}: agent {setup!r} cannot be imported: {error}") from None
    if not isinstance(agent, Agent):
        raise OptionError(f"{file.path}: agent {setup!r} returns {agent!r:.100}, not an Agent")
    return agent


def _path(file: SuiteFile, name: str) -> str:
    """A relative path from the suite's folder, where there is such a file or folder; else the name as it is."""
    path = file.folder / name
    return str(path) if name != "demo" and path.exists() else name


async def run_suite(
    file: SuiteFile,
    model: SpeechLM,
    *,
    label: str,
    out: Path,
    sounds: UserSounds,
    repeats: int | None = None,
    only: Sequence[str] = (),
    done: Iterable[DialogueRun] = (),
    progress: Progress | None = None,
) -> SuiteRun:
    """Run a suite with a model, which is closed at the end. Blocks no event loop; cancelling it stops the turn.

    label: what the model is called in the result
    out: folder for the sounds
    repeats: None is the suite's
    only: ids or kinds of dialogues; empty for all
    done: runs that need not be run again

    A dialogue that raises counts as failed, with the reason. Raises OptionError for an agent that cannot be made
    and an unknown dialogue, and what the synthesiser of the users' speech raises.
    """
    suite, began = file.suite, datetime.now(UTC).isoformat(timespec="seconds")
    chosen = _chosen(suite, only)
    sounds.check()
    count = suite.repeats if repeats is None else repeats
    runs = {(run.repeat, run.dialogue): run for run in done}
    wanted = [(repeat, one) for repeat in range(1, count + 1) for one in chosen]
    async with AsyncExitStack() as ending:
        agent = await ending.enter_async_context(make_agent(file, model))
        ear = _Ear(suite.ear)
        ending.push_async_callback(ear.aclose)
        judge = Judge(clip=sounds.clip, encoder=EmbeddedSpeakerEncoder, transcribe=ear)
        inputs = {one.id: [await sounds.user_input(one, turn) for turn in one.turns] for one in chosen}
        await sounds.aclose()
        await agent.warm_up()
        for number, (repeat, dialogue) in enumerate(wanted, 1):
            if (repeat, dialogue.id) in runs:
                continue
            run = runs[repeat, dialogue.id] = await _run(
                agent, suite, dialogue, inputs[dialogue.id], repeat, judge, out
            )
            if progress is not None:
                progress(run, number, len(wanted))
    kept = tuple(runs[repeat, one.id] for repeat, one in wanted)
    return SuiteRun(suite.name, file.digest, label, __version__, began, count, kept)


def _chosen(suite: Suite, only: Sequence[str]) -> list[Dialogue]:
    known = {name for one in suite.dialogues for name in (one.id, one.kind)}
    for name in only:
        if name not in known:
            raise OptionError(f"the suite has no dialogue and no kind {name!r}; {did_you_mean(name, known)}")
    return [one for one in suite.dialogues if not only or one.id in only or one.kind in only]


class _Ear:
    """Transcribes answers with a recogniser that is loaded on first use."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._recogniser: Recogniser | None = None

    async def __call__(self, audio: Audio) -> str:
        if self._recogniser is None:
            self._recogniser = await asyncio.to_thread(load_recogniser, self._spec)
        return (await self._recogniser.recognise(audio)).text

    async def aclose(self) -> None:
        if self._recogniser is not None:
            await self._recogniser.aclose()


async def _run(
    agent: Agent, suite: Suite, dialogue: Dialogue, inputs: Sequence[str | Audio], repeat: int, judge: Judge, out: Path
) -> DialogueRun:
    if dialogue.live:
        seen = await live.play(agent, dialogue, inputs, suite.live)
    else:
        seen = [one async for one in _converse(agent, dialogue, inputs, repeat)]
    turns = []
    for number, (turn, given, one) in enumerate(zip(dialogue.turns, inputs, seen, strict=True), 1):
        name = f"{dialogue.id}-{repeat}-{number}"
        turns.append(await _judged(turn, given, one, judge, out, name))
    return DialogueRun(dialogue.id, dialogue.kind, dialogue.language, repeat, tuple(turns))


async def _converse(
    agent: Agent, dialogue: Dialogue, inputs: Sequence[str | Audio], repeat: int
) -> AsyncIterator[Observed]:
    """The turns of a dialogue, one after the other, in one session."""
    session = agent.session(plays=False)
    options = agent.setup.options
    if "seed" in agent.model.capabilities.options:
        options = replace(options, seed=repeat)
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


async def _judged(turn: UserTurn, given: str | Audio, seen: Observed, judge: Judge, out: Path, name: str) -> TurnRecord:
    verdicts = await judge.verdicts(turn.expect, seen) if turn.expect is not None else ()
    reply, files = seen.reply, {}
    if isinstance(given, Audio):
        files["user"] = await asyncio.to_thread(_save, given, out, f"{name}-user")
    if reply is not None and reply.audio is not None and len(reply.audio):
        files["agent"] = await asyncio.to_thread(_save, reply.audio, out, f"{name}-agent")
    if reply is None:
        return TurnRecord(turn.shown, stages=seen.stages, verdicts=verdicts, error=seen.error, sounds=files)
    return TurnRecord(
        turn.shown,
        heard=reply.heard or "",
        answer=reply.text,
        calls=tuple(shown_call(run.call.name, run.call.arguments) for run in reply.tool_calls),
        voice=None if reply.voice is None else reply.voice.id,
        citations=tuple(citation.source for citation in reply.citations),
        stages=dict(seen.stages),
        verdicts=verdicts,
        error=seen.error,
        sounds=files,
    )


def _save(sound: Audio, out: Path, name: str) -> str:
    (out / "sounds").mkdir(parents=True, exist_ok=True)
    return str(sound.save(out / "sounds" / f"{name}.flac").relative_to(out))
