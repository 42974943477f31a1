"""`Asking`: asks a model the items of a benchmark, has answers transcribed and judged, and keeps all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inspect_ai.model import ChatMessageAssistant, GenerateConfig, Model

from agentaudio.errors import AgentAudioError, EvaluationError, ModelError, NetworkError
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.item import Answer, BrokenClip, Item, SoundNotKept
from agentaudio.evaluation.ledger import Ledger
from agentaudio.evaluation.measures import ItemScore
from agentaudio.evaluation.messages import (
    call_of,
    item_messages,
    judge_message,
    spoken_file,
    tool_infos,
    user_message,
)
from agentaudio.evaluation.scorer import DEAF, Ask, Scorer, Vote
from agentaudio.evaluation.scores import Scores, answer_key
from agentaudio.model.parts import Recogniser
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.sound.audio import Audio

FAILURES_IN_A_ROW = 10
"""Failures after which the run stops: the model or the judge, not the item, is at fault."""

Finished = Callable[[Item, ItemScore], None]


@dataclass(slots=True)
class Asking:
    """The work of one run.

    model: None when only kept answers are scored
    judge: None without one
    judge_hears: whether the judge takes sound
    recogniser: writes spoken answers down; None takes the model's own words
    folder: of the run; sounds of answers are below it
    finished: called with each item that was scored
    scores: of all answers that were scored, or that have no score for a known reason
    failures: why the model or the scorer failed, by the key of the answer

    When an answer cannot be written, or after FAILURES_IN_A_ROW failures of the model or of the judge, every further
    item fails with `fatal`.
    """

    benchmark: Benchmark
    model: Model | None
    answers: Ledger
    votes: Ledger
    folder: Path
    judge: Model | None = None
    judge_hears: bool = False
    recogniser: Recogniser | None = None
    finished: Finished = lambda item, score: None
    fatal: AgentAudioError | None = None
    ignored: set[str] = field(default_factory=set)
    scores: Scores = field(default_factory=Scores)
    failures: dict[str, str] = field(default_factory=dict)
    _failures: int = 0
    _failed_votes: int = 0

    def __repr__(self) -> str:
        return f"Asking({self.benchmark.name})"

    async def answer(self, item: Item, seed: int) -> Answer:
        """The answer to an item: the kept one, or a new one, which is then kept.

        Raises what the model raises; nothing is kept then.
        """
        key = answer_key(item, seed)
        if (kept := self.answers.get(key)) is not None:
            return Answer.from_dict(kept)
        if self.fatal is not None:
            raise self.fatal.with_traceback(None)  # each raise adds its frames, which the log shows
        try:
            answer = await self._ask(item, seed)
        except BrokenClip as error:
            answer = Answer(broken=str(error))
        except Exception as error:
            if isinstance(error, SoundNotKept):
                self.fatal = error
            self._failed(key, error)
            raise
        self._failures = 0
        self._keep(self.answers, key, answer.to_dict())
        return answer

    async def score(self, scorer: Scorer, item: Item, answer: Answer, seed: int) -> ItemScore:
        """Score an answer. A broken clip has no score."""
        if answer.broken is not None:
            score = ItemScore(None, why=answer.broken, problem="broken clip")
        else:
            answer = replace(answer, sounds=tuple(str(self.folder / sound) for sound in answer.sounds))
            ask = None if self.judge is None else self._asker(self.judge, item, seed)
            try:
                score = await scorer.score(item, answer, ask)
            except Exception as error:
                self.failures[answer_key(item, seed)] = str(error)
                raise
        self.scores.add(item, seed, score)
        self.finished(item, score)
        return score

    def _asker(self, judge: Model, item: Item, seed: int) -> Ask:
        config = generate_config(self.benchmark.judging)

        async def ask(
            prompt: str, number: int, parse: Callable[[str], float | None], *, sounds: Sequence[str] = ()
        ) -> Vote:
            if sounds and not self.judge_hears:
                return Vote(None, DEAF, failed=True)
            heard = "".join(Path(one).name for one in sounds)  # named by their digests
            digest = hashlib.sha256((prompt + heard).encode("utf-8", "replace")).hexdigest()[:16]
            key = f"{item.id}#{seed}#{number}#{digest}"
            if (kept := self.votes.get(key)) is not None:
                return Vote(parse(kept["reply"]), kept["reply"])
            if self.fatal is not None:
                raise self.fatal.with_traceback(None)
            try:
                output = await judge.generate([await judge_message(prompt, sounds)], config=config)
            except (ModelError, NetworkError) as error:
                self._failed_votes += 1
                if self._failed_votes >= FAILURES_IN_A_ROW:
                    self._stop("judge", self._failed_votes, error)
                return Vote(None, str(error), failed=True)
            self._failed_votes = 0
            vote = Vote(parse(output.completion), output.completion)
            if vote.value is not None:  # what could not be read is asked again by the next run
                self._keep(self.votes, key, {"reply": vote.reply})
            return vote

        return ask

    def _keep(self, ledger: Ledger, key: str, value: dict[str, Any]) -> None:
        try:
            ledger.keep(key, value)
        except EvaluationError as error:
            self.fatal = error
            raise

    def _failed(self, key: str, error: Exception) -> None:
        self.failures[key] = str(error)
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            self._stop("model", self._failures, error)

    def _stop(self, who: str, times: int, error: Exception) -> None:
        self.fatal = self.fatal or EvaluationError(
            f"the {who} failed {times} times in a row, at last with: {error}; finished items are kept: "
            "mend the cause and run the same command again"
        )

    async def _ask(self, item: Item, seed: int) -> Answer:
        if self.model is None:
            raise EvaluationError(f"item {item.id} has no answer yet; run the benchmark before it is scored again")
        messages = await item_messages(self.benchmark.instruction, item)
        texts, own, sounds, calls = [], [], [], []
        tools, config = tool_infos(self.benchmark.tools), self._config(seed)
        for further in (*item.then, None):
            output = await self.model.generate(messages, tools=tools, config=config)
            self.ignored |= set((output.metadata or {}).get("ignored", ()))
            sound = spoken_file(output)
            own.append(output.completion.strip())
            texts.append(await self._words(sound, own[-1]))
            if sound is not None:
                sounds.append(str(sound.relative_to(self.folder)))
            calls += [call_of(one) for one in output.message.tool_calls or ()]
            if further is not None:
                messages = [*messages, ChatMessageAssistant(content=own[-1] or "…"), await user_message(further)]
        rounds = tuple(texts) if item.then else ()
        return Answer("\n".join(texts), "\n".join(own), tuple(sounds), tuple(calls), rounds)

    async def _words(self, sound: Path | None, own: str) -> str:
        if sound is None or self.recogniser is None:
            return own
        audio = await Audio.aload(sound, max_duration_s=self.recogniser.max_audio_s, setting="of the recogniser")
        return (await self.recogniser.recognise(audio)).text.strip()

    def _config(self, seed: int) -> GenerateConfig:
        config = generate_config(self.benchmark.options)
        return config.model_copy(update={"seed": seed}) if self.benchmark.sampled else config


def generate_config(options: GenerateOptions) -> GenerateConfig:
    """The settings of inspect-ai for these options."""
    penalty = options.repetition_penalty
    return GenerateConfig(
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        stop_seqs=list(options.stop) or None,
        extra_body={"repetition_penalty": penalty} if penalty is not None else None,
    )
