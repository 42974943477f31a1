"""Fuzz whatever reads foreign content.

    make fuzz                                                   each fuzzer for a minute
    python scripts/fuzz.py sound manifests --inputs 100000      these, so many inputs each
    python scripts/fuzz.py sound --seed 7 --only 1234           one input again, by its number
    python scripts/fuzz.py sound --workers --inputs 2000        through the worker processes, which is much slower
    python scripts/fuzz.py sound --kind wav --file a.bin        the input in a file

For each input must hold: the result is valid, or one error of the documented class, on one line without characters
that a terminal obeys; time and memory are bounded; no file and no process is left; no program starts, and where a
folder is given nothing outside it is opened. Failing inputs are minimised, and written to --failures. --json merges
the figures into a file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fuzzing import TARGETS  # noqa: E402
from fuzzing.campaign import Findings, campaign, replay, write_failures  # noqa: E402
from fuzzing.near import IN_WORKERS  # noqa: E402
from fuzzing.target import find  # noqa: E402


def figures(found: Findings) -> dict[str, Any]:
    """What docs/figures/fuzz.json keeps of a campaign."""
    return {
        "inputs": found.inputs,
        "seed": found.seed,
        "outcomes": dict(found.outcomes.most_common()),
        "failures": sum(failure["count"] for failure in found.failures.values()),
        "slowest_ms": found.slowest_ms,
        "largest_growth_mb": found.largest_mb,
        "seconds": found.seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--inputs", type=int, default=10**9)
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for each fuzzer")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--only", type=int, metavar="NUMBER")
    parser.add_argument("--workers", action="store_true", help="parse in worker processes, as programs do")
    parser.add_argument("--kind")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"there is no fuzzer {', '.join(unknown)}; known: {', '.join(TARGETS)}")
    if asked.workers:
        os.environ[IN_WORKERS] = "1"
    seed = int.from_bytes(os.urandom(3)) if asked.seed is None else asked.seed
    if asked.only is not None or asked.file is not None:
        (name,) = asked.targets
        if asked.file is not None:
            kind, content = asked.kind, asked.file.read_bytes()
        else:
            kind, content = find(TARGETS[name]).case(seed, asked.only)
            print(kind, repr(content[:2_000]))
        print(json.dumps(replay(TARGETS[name], kind, content), indent=2).replace("\\n", "\n"))
        return
    failed = False
    for name in asked.targets or TARGETS:
        print(f"{name}: seed {seed}", flush=True)
        found = campaign(name, TARGETS[name], seed=seed, inputs=asked.inputs, start=asked.start, seconds=asked.seconds)
        made = figures(found)
        print(f"{name}: {json.dumps(made)}; the slowest is input {found.slowest}", flush=True)
        for failure in found.failures.values():
            print(f"  {failure['count']} x {failure['failure']}: input {failure['number']}: {failure['detail'][:300]}")
        for path in write_failures(found, TARGETS[name], asked.failures):
            print(f"  {path}")
        failed |= bool(found.failures)
        if asked.json is not None:
            kept = json.loads(asked.json.read_text()) if asked.json.exists() else {"targets": {}}
            kept["machine"] = f"{os.cpu_count()} x {platform.machine()}, Python {platform.python_version()}"
            kept["targets"][f"{name}, in workers" if asked.workers else name] = made
            asked.json.write_text(json.dumps(kept, indent=2) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
