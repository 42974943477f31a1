"""`run_suite`: each dialogue of a suite in a session of its own, as often as wanted, and judged."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agentaudio import __version__
from agentaudio.agent import Agent
from agentaudio.errors import OptionError, did_you_mean
from agentaudio.evaluation.suites import live
from agentaudio.evaluation.suites.checks import Judge, shown_call
from agentaudio.evaluation.suites.conversing import converse
from agentaudio.evaluation.suites.load import SuiteFile
from agentaudio.evaluation.suites.record import DialogueRun, Observed, SuiteRun, TurnRecord, Verdict
from agentaudio.evaluation.suites.schema import AgentSetup, Dialogue, LiveOptions, Suite, UserTurn
from agentaudio.evaluation.suites.sounds import UserSounds
from agentaudio.model.parts import Recogniser
from agentaudio.model.registry import load_recogniser
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder

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
    pace: float = 1.0,
    progress: Progress | None = None,
) -> SuiteRun:
    """Run a suite with a model, which is closed at the end. Blocks no event loop; cancelling it stops the turn.

    label: what the model is called in the result
    out: folder for the sounds
    repeats: None is the suite's
    only: ids or kinds of dialogues; empty for all
    done: runs that need not be run again
    pace: of live dialogues, see `live.play`

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
        runner = _Runner(agent, judge, out, suite.live, pace)
        inputs = {one.id: [await sounds.user_input(one, turn) for turn in one.turns] for one in chosen}
        await sounds.aclose()
        await agent.warm_up()
        for number, (repeat, dialogue) in enumerate(wanted, 1):
            if (repeat, dialogue.id) in runs:
                continue
            run = runs[repeat, dialogue.id] = await runner.run(dialogue, inputs[dialogue.id], repeat)
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


@dataclass(frozen=True)
class _Runner:
    """Runs dialogues with an agent, judges them, and keeps their sounds in the folder `out`."""

    agent: Agent
    judge: Judge
    out: Path
    live_options: LiveOptions
    pace: float

    async def run(self, dialogue: Dialogue, inputs: Sequence[str | Audio], repeat: int) -> DialogueRun:
        if dialogue.live:
            seen = await live.play(self.agent, dialogue, inputs, self.live_options, self.pace)
        else:
            seen = [one async for one in converse(self.agent, dialogue, inputs, seed=repeat)]
        turns = []
        for number, (turn, given, one) in enumerate(zip(dialogue.turns, inputs, seen, strict=True), 1):
            verdicts = await self.judge.verdicts(turn.expect, one) if turn.expect is not None else ()
            files = await asyncio.to_thread(self._save, given, one.reply, f"{dialogue.id}-{repeat}-{number}")
            turns.append(_recorded(turn, one, verdicts, files))
        return DialogueRun(dialogue.id, dialogue.kind, dialogue.language, repeat, tuple(turns))

    def _save(self, given: str | Audio, reply: Reply | None, name: str) -> dict[str, str]:
        """Write the user's and the agent's sound, where there is any."""
        sounds = {"user": given if isinstance(given, Audio) else None, "agent": None if reply is None else reply.audio}
        folder = self.out / "sounds"
        folder.mkdir(parents=True, exist_ok=True)
        return {
            who: str(sound.save(folder / f"{name}-{who}.flac").relative_to(self.out))
            for who, sound in sounds.items()
            if sound is not None and len(sound)
        }


def _recorded(turn: UserTurn, seen: Observed, verdicts: tuple[Verdict, ...], files: dict[str, str]) -> TurnRecord:
    reply = seen.reply or Reply("")
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
