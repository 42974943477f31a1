"""What was right and what was wrong in a conversation, and the figures of many.

Each utterance of the user, each sound to be ignored, and each background (a bed, an echo, nobody) is one chance to be
wrong. Utterances that follow within TOGETHER_S are one. What is counted:

- cut off: an answer begins between the first and the last audible sample of an utterance
- no answer: none begins within ANSWER_WITHIN_S after it
- missed interruption: the answer sounds STOP_WITHIN_S after the start of a barge-in, or goes on after a hold
- false interruption: an answer is stopped for something to be ignored, or held for more than HELD_S, or more than
  HOLDS times
- answered a noise: an answer begins that no utterance asks for; a second answer to one utterance is one of these

The delay of an answer is from the last audible sample of the utterance to its first sound, without the time to think.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from turns.room import TICK_S, Answer, Record, Said

FAULTS = ("cut off", "no answer", "missed interruption", "false interruption", "answered a noise")
TOGETHER_S = 0.45
ANSWER_WITHIN_S = 6.0
STOP_WITHIN_S = 1.5
HELD_S, HOLDS = 2.5, 3
EDGE_S = 0.04
AFTER_NOISE_S = 4.0
"""An answer, or a stop, within it after a noise is laid to the noise."""


@dataclass(slots=True)
class Chance:
    """One utterance, sound to be ignored, or background.

    delay_s: to the answer; silence_s: from the first voiced sound of a barge-in to the last sound of what it interrupts
    """

    what: str
    faults: list[str] = field(default_factory=list)
    delay_s: float | None = None
    silence_s: float | None = None


@dataclass(slots=True)
class Verdict:
    name: str
    kind: str
    is_test: bool
    chances: list[Chance]
    holds: int

    @property
    def faults(self) -> list[str]:
        return [f"{chance.what}: {fault}" for chance in self.chances for fault in chance.faults]


def judge(record: Record) -> Verdict:
    """Every chance of one conversation."""
    groups = _utterances(record)
    ignored = [said for said in record.said if said.step.role == "ignore"]
    began = [answer for answer in record.answers if answer.began_s is not None]
    owned: list[Answer] = []
    chances: list[Chance] = []
    spans = [(group[0].start_s, max(said.end_s for said in group)) for group in groups]
    for place, (group, (start_s, end_s)) in enumerate(zip(groups, spans, strict=True)):
        until_s = min([end_s + ANSWER_WITHIN_S] + [start for start, _ in spans[place + 1 :]])
        chances.append(_utterance(record, group[0], start_s, end_s, until_s, began, owned))
    noises = [Chance(said.step.says) for said in ignored]
    conversation = record.conversation
    behind = Chance("background")
    has_background = bool(conversation.bed or conversation.echo or not conversation.steps)

    def cause(at_s: float) -> Chance:
        near = [
            n for n, said in zip(noises, ignored, strict=True) if said.start_s <= at_s <= said.end_s + AFTER_NOISE_S
        ]
        return near[-1] if near else behind

    for answer in began:
        assert answer.began_s is not None
        if not any(answer is one for one in owned):
            _add(cause(answer.began_s), "answered a noise")
    for answer in record.answers:
        stopped_s = answer.stopped_s
        if stopped_s is None or any(start - EDGE_S <= stopped_s <= end + STOP_WITHIN_S for start, end in spans):
            continue
        _add(cause(stopped_s), "false interruption")
    held = [h for h in record.holds if h[1] > h[0] and not any(s - EDGE_S <= h[0] <= e for s, e in spans)]
    for chance in [*noises, behind]:
        mine = [end - start for start, end in held if cause(start) is chance]
        if len(mine) > HOLDS or sum(mine) > HELD_S * max(1, len(mine)) or any(one > HELD_S for one in mine):
            _add(chance, "false interruption")
    chances += noises
    if has_background or behind.faults:
        chances.append(behind)
    return Verdict(conversation.name, conversation.kind, conversation.is_test, chances, len(record.holds))


def figures(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """Counts of the faults, and delays in seconds; None for what did not occur."""
    verdicts = list(verdicts)
    chances = [chance for verdict in verdicts for chance in verdict.chances]
    faults = Counter(fault for chance in chances for fault in chance.faults)
    delays = [chance.delay_s for chance in chances if chance.delay_s is not None]
    silences = [chance.silence_s for chance in chances if chance.silence_s is not None]
    return {
        "conversations": len(verdicts),
        "right": sum(not verdict.faults for verdict in verdicts),
        "chances": len(chances),
        "wrong": sum(bool(chance.faults) for chance in chances),
        **{fault: faults[fault] for fault in FAULTS},
        "delay_mean_s": round(float(np.mean(delays)), 2) if delays else None,
        "delay_p50_s": _percentile(delays, 50),
        "delay_p95_s": _percentile(delays, 95),
        "silence_p50_s": _percentile(silences, 50),
        "silence_p95_s": _percentile(silences, 95),
    }


def _utterances(record: Record) -> list[list[Said]]:
    groups: list[list[Said]] = []
    for said in record.said:
        if said.step.role == "ignore":
            continue
        if groups and said.step.role == "turn" and said.start_s - groups[-1][-1].end_s < TOGETHER_S:
            groups[-1].append(said)
        else:
            groups.append([said])
    return groups


def _utterance(
    record: Record, said: Said, start_s: float, end_s: float, until_s: float, began: list[Answer], owned: list[Answer]
) -> Chance:
    """The chance of an utterance; the answers it accounts for are added to `owned`."""
    chance = Chance(said.step.says)
    onsets = [(answer.began_s, answer) for answer in began if answer.began_s is not None]
    early = [answer for at_s, answer in onsets if start_s < at_s < end_s - EDGE_S]
    after = [(at_s, answer) for at_s, answer in onsets if end_s - EDGE_S <= at_s < until_s]
    owned += early
    if early:
        chance.faults.append("cut off")
    if after:
        chance.delay_s = round(after[0][0] - end_s - record.conversation.think_s, 3)
        owned.append(after[0][1])
    elif not early:
        chance.faults.append("no answer")
    if said.step.role == "barge" and said.over is not None:
        index = next(place for place, answer in enumerate(record.answers) if answer is said.over)
        last = max((place for place, sounding in enumerate(record.sounding) if sounding == index), default=0)
        silence_s = (last + 2) * TICK_S - start_s
        if silence_s > STOP_WITHIN_S:
            chance.faults.append("missed interruption")
        elif said.over.stopped_s is not None:
            chance.silence_s = round(silence_s - (said.voiced_s - start_s), 3)
    return chance


def _add(chance: Chance, fault: str) -> None:
    if fault not in chance.faults:
        chance.faults.append(fault)


def _percentile(values: list[float], share: float) -> float | None:
    return round(float(np.percentile(values, share)), 2) if values else None
