"""Tests the tests: plants one fault after another in a file and runs the tests that cover it.

    make mutate TARGET=agentaudio/http.py

A fault that no test notices survives. The survivors and their share are printed and kept in
docs/figures/mutation.json. Write there why a survivor is left ("reason"): later runs keep it. The
working tree is never changed: each worker has a copy of it.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from cosmic_ray.testing import run_tests
from cosmic_ray.work_item import TestOutcome
from mutants import Mutant, mutants_of

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures" / "mutation.json"
DEV, LOCAL = ".venv/bin/python", ".venvs/local/bin/python"  # LOCAL has torch

AGENT = ("tests/test_agent*.py", "tests/test_turn*.py", "tests/test_session*.py", "tests/test_cancel*.py")
TARGETS = {
    "agentaudio/turn.py": (DEV, AGENT),
    "agentaudio/session.py": (DEV, AGENT),
    "agentaudio/conversation.py": (DEV, ("tests/test_conversation*.py", *AGENT)),
    "agentaudio/http.py": (DEV, ("tests/test_http*.py",)),
    "agentaudio/retry.py": (DEV, ("tests/test_retry.py",)),
    "agentaudio/sound/stream.py": (DEV, ("tests/sound/test_stream*.py",)),
    "tools/execution.py": (DEV, ("tests/tools/test_execution*.py", "tests/test_cancel*.py")),
    "voice_library/voice.py": (DEV, ("tests/voice_library/test_voice*.py", "tests/voice_library/test_consent*.py",
                                     "tests/voice_library/test_library.py", "tests/voice_library/test_library_c*.py")),
    "model/step_audio_2/language/interleave.py": (DEV, ("tests/model/step_audio_2/language/test_interleave.py",)),
    "model/step_audio_2/token2wav/stream.py": (LOCAL, ("tests/model/step_audio_2/token2wav/test_speech_stream.py",
                                                       "tests/model/step_audio_2/token2wav/test_wave_stream.py")),
}  # fmt: skip
"""By file: the interpreter, and the fast tests that cover it; patterns that match nothing are left out."""


class Copy:
    """A copy of the working tree in which one file is replaced by its mutants."""

    def __init__(self, folder: Path, target: str, python: str, tests: list[str]) -> None:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listing.split("\0")):
            if os.path.lexists(ROOT / name):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
        self._file = folder / target
        self._command = " ".join(
            ["env", "-C", str(folder), f"PYTHONPATH={folder}", str(ROOT / python), "-m", "pytest", "-x", "-q",
             "-p", "no:cacheprovider", *tests]
        )  # fmt: skip

    def outcome(self, source: str, limit_s: float) -> str:
        """Runs the tests with this source: "survived", "killed" or "timed out"."""
        self._file.write_text(source, encoding="utf-8")
        result, output = run_tests(self._command, limit_s)
        if result is TestOutcome.INCOMPETENT:
            sys.exit(output)
        if result is TestOutcome.SURVIVED:
            return "survived"
        return "timed out" if output == "timeout" else "killed"


def mutate(target: str, jobs: int) -> None:
    """Runs all mutants of a file and writes the figures. Exits when the tests fail without a fault."""
    python, patterns = TARGETS[target]
    tests = list(dict.fromkeys(name for pattern in patterns for name in sorted(glob.glob(pattern, root_dir=ROOT))))
    source = (ROOT / target).read_text(encoding="utf-8")
    mutants = mutants_of(source)
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(jobs):
            copies.put(Copy(Path(folder, str(number)), target, python, tests))
        first = copies.get()
        begun = time.monotonic()
        if first.outcome(source, 600) != "survived":
            sys.exit(f"the tests of {target} fail without a fault: {' '.join(tests)}")
        limit_s = 3 * (time.monotonic() - begun) + 10
        if first.outcome(f"{source}\nraise SystemError\n", 600) == "survived":
            sys.exit(f"the tests of {target} do not import it from the copy: {' '.join(tests)}")
        copies.put(first)
        print(f"{target}: {len(mutants)} mutants, tests take {(limit_s - 10) / 3:.0f} s: {' '.join(tests)}", flush=True)

        def run(mutant: Mutant) -> str:
            copy = copies.get()
            try:
                outcome = copy.outcome(mutant.source, limit_s)
            finally:
                copies.put(copy)
            if outcome == "survived":
                print(f"  line {mutant.line}\n    - {mutant.was}\n    + {mutant.became}", flush=True)
            return outcome

        with ThreadPoolExecutor(jobs) as pool:
            outcomes = list(pool.map(run, mutants))
    publish(target, mutants, outcomes)


def publish(target: str, mutants: list[Mutant], outcomes: list[str]) -> None:
    """Writes the figures of a file, with the reasons that were given for the same survivors before."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    before = figures.get("targets", {}).get(target, {}).get("survivors", [])
    reasons = {(item["was"], item["became"]): item["reason"] for item in before}
    survivors = [
        {"line": m.line, "was": m.was, "became": m.became, "reason": reasons.get((m.was, m.became), "")}
        for m, outcome in zip(mutants, outcomes, strict=True)
        if outcome == "survived"
    ]
    count = Counter(outcomes)
    share = len(survivors) / len(mutants)
    figures["tool"] = f"cosmic-ray {version('cosmic-ray')}"
    figures.setdefault("targets", {})[target] = {
        "mutants": len(mutants), "killed": count["killed"], "timed_out": count["timed out"],
        "survived": len(survivors), "survival": round(share, 4), "survivors": survivors,
    }  # fmt: skip
    figures["targets"] = dict(sorted(figures["targets"].items()))
    FIGURES.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{target}: {len(survivors)} of {len(mutants)} mutants survived ({share:.1%})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS], help="files; all of them without one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="copies that run at the same time")
    arguments = parser.parse_args()
    for target in arguments.target or TARGETS:
        mutate(target, arguments.jobs)


if __name__ == "__main__":
    main()
