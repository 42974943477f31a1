"""Turn taking in made conversations: ours, a fixed silence, and Pipecat's default.

    PYTHONPATH=. python benchmarks/turn_taking.py [--json FILE] [--split dev] [--only KIND] [-v]

Over 90 conversations of 19 kinds are spoken by Kokoro's stock styles, by demo voices and by two or three formulas for
noises, from a seed (turns/kinds.py). They are played to each policy by a room that owns the microphone and the
loudspeaker (turns/room.py): a step of the conversation waits for what the agent does. The clock counts frames, so that
the load of the machine changes nothing; what the ears heard, and the CPU time they took, is kept with the clips. The
agent answers without delay. Ours is compared with and without words, and with and without the turn model Smart Turn.
turns/verdicts.py says what is counted.

In each kind every third conversation belongs to `test`; the rules were adapted to `dev` only.

It needs the weights kokoro, misaki, whisper-base and smart-turn. Pipecat is compared if it can be imported.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from report import machine
from turns.kinds import KINDS, conversations
from turns.policies import Ears, FixedSilence, Judgement, Nobody, Ours
from turns.room import Policy, Room
from turns.speech import Speech
from turns.verdicts import FAULTS, Chance, Verdict, figures, judge

COLUMNS = (
    "conversations",
    "right",
    "chances",
    "wrong",
    *FAULTS,
    "delay_mean_s",
    "delay_p50_s",
    "delay_p95_s",
    "silence_p95_s",
)
SHORT = ("conv", "right", "of", "wrong", "cut", "none", "missed", "false", "noise", "mean", "p50", "p95", "sil95")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--split", choices=("all", "dev", "test"), default="all")
    parser.add_argument("--only", metavar="KIND", action="append", choices=list(KINDS), help="may be repeated")
    parser.add_argument("--policy", metavar="NAME", action="append", help="only these; may be repeated")
    parser.add_argument("--cache", metavar="DIR", type=Path, default=Path(tempfile.gettempdir()) / "agentaudio-turns")
    parser.add_argument("--resume", action="store_true", help="take what earlier runs with --resume have judged")
    parser.add_argument(
        "--judged", action="store_true", help="with --resume: play nothing, compare what all have judged"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list what was wrong")
    given = parser.parse_args()
    room, ears, judgement = Room(Speech(given.cache)), Ears(given.cache), Judgement(given.cache)
    chosen = [
        one
        for one in conversations()
        if (given.split == "all" or one.is_test == (given.split == "test")) and one.kind in (given.only or KINDS)
    ]
    policies, skipped = _policies(ears, judgement)
    if given.judged:
        skipped = {}
        policies = {path.stem: Nobody() for path in sorted(given.cache.glob("* *.json"))}
        earlier = [_Kept(given.cache / f"{name}.json") for name in policies]
        chosen = [one for one in chosen if all(kept.get(one.name) for kept in earlier)]
    found: dict[str, Any] = {"machine": machine(), "skipped": skipped}
    for name, policy in policies.items():
        if given.policy and name not in given.policy:
            continue
        kept = _Kept(given.cache / f"{name}.json" if given.resume else None)
        verdicts = []
        for one in chosen:
            verdict = kept.get(one.name) or judge(room.play(one, policy))
            kept.add(verdict)
            verdicts.append(verdict)
            ears.save()
            judgement.save()
        found[name] = _sets(verdicts)
        _show(name, verdicts, given.verbose)
        if given.json:
            Path(given.json).write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    for name, reason in skipped.items():
        print(f"\n{name}: left out, {reason}")


class _Kept:
    """Verdicts in a file, so that an interrupted run goes on. Delete it after a change of a policy.

    path: None keeps nothing
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path is not None and path.exists() else {}

    def get(self, name: str) -> Verdict | None:
        found = self._found.get(name)
        return found and Verdict(**found | {"chances": [Chance(**chance) for chance in found["chances"]]})

    def add(self, verdict: Verdict) -> None:
        self._found[verdict.name] = asdict(verdict)
        if self._path is not None:
            self._path.write_text(json.dumps(self._found), "utf-8")


def _policies(ears: Ears, judgement: Judgement) -> tuple[dict[str, Policy], dict[str, str]]:
    """Those that can run here, and why others cannot."""
    found: dict[str, Policy] = {
        "ours, with ears": Ours(ears),
        "ours, with ears and turn model": Ours(ears, judgement),
        "ours, without ears": Ours(None),
        "ours, without ears, with turn model": Ours(None, judgement),
        "500 ms of silence": FixedSilence(0.5),
        "800 ms of silence": FixedSilence(0.8),
    }
    try:
        from turns.pipecat_policy import PipecatDefault

        return found | {"Pipecat's default": PipecatDefault()}, {}
    except ImportError as error:
        return found, {"Pipecat's default": f"{error}; pip install 'pipecat-ai[silero,local-smart-turn-v3]==1.14.0'"}


def _sets(verdicts: list[Verdict]) -> dict[str, Any]:
    """The figures of all, of both sets, and of each kind."""
    return {
        "all": figures(verdicts),
        "dev": figures(one for one in verdicts if not one.is_test),
        "test": figures(one for one in verdicts if one.is_test),
        "kinds": {
            kind: figures(one for one in verdicts if one.kind == kind)
            for kind in dict.fromkeys(v.kind for v in verdicts)
        },
    }


def _show(name: str, verdicts: list[Verdict], verbose: bool) -> None:
    print(f"\n{name}\n{'':14}" + "".join(f"{title:>7}" for title in SHORT))
    groups: dict[str, Callable[[Verdict], bool]] = {
        kind: lambda one, kind=kind: one.kind == kind  # type: ignore[misc]
        for kind in dict.fromkeys(verdict.kind for verdict in verdicts)
    }
    groups |= {"dev": lambda one: not one.is_test, "test": lambda one: one.is_test, "all": lambda one: True}
    for title, belongs in groups.items():
        row = figures(one for one in verdicts if belongs(one))
        cells = ("-" if row[column] is None else str(row[column]) for column in COLUMNS)
        print(f"{title:14}" + "".join(f"{cell:>7}" for cell in cells))
    for verdict in verdicts if verbose else ():
        if verdict.faults:
            print(f"  {verdict.name}{' (test)' if verdict.is_test else ''}: {'; '.join(verdict.faults)}")


if __name__ == "__main__":
    main()
