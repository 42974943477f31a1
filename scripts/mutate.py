"""Mutation testing: insert one fault at a time in a file, and run the tests that cover it.

    make mutate TARGET=agentaudio/http.py
    make mutate TARGET="agentaudio/http.py --survivors"

A fault that no test detects survives. Survivors and their share are printed and stored in
docs/figures/mutation.json. Explain there, as "reason", why a survivor is accepted; later runs keep the
reason. The working tree is not changed: each worker uses a copy. --survivors repeats only the survivors of
the last run, for use after improving the tests.
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
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mutants import Mutant, mutants_of

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures" / "mutation.json"
DEV, LOCAL = ".venv/bin/python", ".venvs/local/bin/python"  # LOCAL has torch

AGENT = ("tests/test_session.py", "tests/test_agent.py", "tests/test_capabilities.py", "tests/test_cancellation.py",
         "tests/test_limits.py", "tests/test_deltas.py", "tests/test_turn.py", "tests/tools/test_late_results.py",
         "tests/test_session_*.py")  # fmt: skip
TARGETS = {
    "agentaudio/conversation.py": (DEV, ("tests/test_conversation.py",)),
    "agentaudio/deltas.py": (DEV, ("tests/test_deltas.py", "tests/test_limits.py")),
    "agentaudio/hearing.py": (DEV, ("tests/test_agent.py", "tests/test_capabilities.py", "tests/test_session.py")),
    "agentaudio/http.py": (DEV, ("tests/test_http*.py",)),
    "agentaudio/outbox.py": (DEV, ("tests/test_outbox.py", "tests/test_session.py")),
    "agentaudio/playback.py": (DEV, ("tests/test_playback.py", "tests/test_session.py")),
    "agentaudio/record.py": (DEV, ("tests/test_session.py",)),
    "agentaudio/retry.py": (DEV, ("tests/test_retry.py",)),
    "agentaudio/session.py": (DEV, ("tests/test_session.py", "tests/test_session_[ck]*.py", "tests/test_tracing.py",
                                    "tests/test_cancellation.py", "tests/tools/test_late_results.py",
                                    "tests/live/test_background_tools.py", "tests/test_compact*.py",
                                    "tests/storage/test_[frw]*.py")),
    "agentaudio/setup.py": (DEV, ("tests/test_capabilities.py", "tests/test_agent.py", "tests/test_session.py")),
    "agentaudio/sound/stream.py": (DEV, ("tests/sound/test_stream*.py",)),
    "agentaudio/turn.py": (DEV, AGENT),
    "agentaudio/turn_voice.py": (DEV, ("tests/test_session.py", "tests/test_agent.py", "tests/test_capabilities.py")),
    "tools/execution.py": (DEV, ("tests/tools/test_execution*.py", "tests/tools/test_late_results.py",
                                 "tests/test_cancellation.py")),
    "voice_library/voice.py": (DEV, ("tests/voice_library/test_consent.py", "tests/voice_library/test_library.py")),
    "model/step_audio_2/language/interleave.py": (DEV, ("tests/model/step_audio_2/language/test_interleave.py",)),
    "model/step_audio_2/token2wav/stream.py": (LOCAL, ("tests/model/step_audio_2/token2wav/test_speech_stream.py",
                                                       "-knot compiled and not sixteen and not half_precision")),
}  # fmt: skip
"""The interpreter and the fast tests of each file, the most telling first; or an option of pytest."""


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
        self._count = 0
        module = target.removesuffix(".py").replace("/", ".")
        module = module if module.startswith("agentaudio.") else f"agentaudio.{module}"
        self._worker = subprocess.Popen(
            [ROOT / python, "scripts/forked_tests.py", module, "-x", "-q",
             "--failed-first",  # what detected the last mutant often detects the next
             "--hypothesis-profile=mutate", *tests],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": ""},
            text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def test(self, source: str, limit_s: float) -> tuple[bool, float]:
        """Whether all tests pass within `limit_s` with `source` as the file; and the processor time in seconds."""
        self._file.write_text(source, encoding="utf-8")
        self._count += 1
        os.utime(self._file, (self._count, self._count))  # or Python may take an older mutant's bytecode for this one
        assert self._worker.stdin is not None and self._worker.stdout is not None
        self._worker.stdin.write(f"{limit_s}\n")
        code, seconds = self._worker.stdout.readline().split()
        return code == "0", float(seconds)

    def close(self) -> None:
        self._worker.terminate()
        self._worker.wait()


def mutate(target: str, jobs: int, *, only_survivors: bool) -> None:
    """Run all mutants of `target` and store the figures. Exits when the tests fail without a fault."""
    python, patterns = TARGETS[target]
    tests = [name for pattern in patterns for name in sorted(glob.glob(pattern, root_dir=ROOT))]
    tests = [*dict.fromkeys(tests), *(option for option in patterns if option.startswith("-"))]
    source = (ROOT / target).read_text(encoding="utf-8")
    every = mutants_of(source)
    known = {(item["was"], item["became"]) for item in figures_of(target).get("survivors", [])}
    mutants = [mutant for mutant in every if (mutant.was, mutant.became) in known] if only_survivors else every
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(jobs):
            copies.put(Copy(Path(folder, str(number)), target, python, tests))
        first = copies.get()
        passed, seconds = first.test(source, 600)
        if not passed:
            sys.exit(f"the tests of {target} fail without a fault: {' '.join(tests)}")
        limit_s = 2 * seconds + 5
        if first.test(f"{source}\nraise SystemError\n", 600)[0]:
            sys.exit(f"the tests of {target} do not import it from the copy: {' '.join(tests)}")
        copies.put(first)
        print(f"{target}: {len(mutants)} mutants, tests take {seconds:.0f} s: {' '.join(tests)}", flush=True)

        def run(mutant: Mutant) -> bool:
            copy = copies.get()
            survived, _ = copy.test(mutant.source, limit_s)
            copies.put(copy)
            if survived:
                print(f"  line {mutant.line}\n    - {mutant.was}\n    + {mutant.became}", flush=True)
            return survived

        with ThreadPoolExecutor(jobs) as pool:
            survived = list(pool.map(run, mutants))
        while not copies.empty():
            copies.get().close()
    publish(target, len(every), [one for one, alive in zip(mutants, survived, strict=True) if alive])


def figures_of(target: str) -> dict[str, Any]:
    """The figures of the last run for `target`; empty before the first."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    return dict(figures.get("targets", {}).get(target, {}))


def publish(target: str, total: int, alive: list[Mutant]) -> None:
    """Store the figures of `target`, and keep the reasons of survivors that were known before.

    total: number of mutants
    alive: the mutants that survived
    """
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    reasons = {(item["was"], item["became"]): item["reason"] for item in figures_of(target).get("survivors", [])}
    survivors = [
        {"line": m.line, "was": m.was, "became": m.became, "reason": reasons.get((m.was, m.became), "")} for m in alive
    ]
    share = len(survivors) / total
    figures["tool"] = f"cosmic-ray {version('cosmic-ray')}"
    figures.setdefault("targets", {})[target] = {
        "mutants": total, "survived": len(survivors), "survival": round(share, 4), "survivors": survivors,
    }  # fmt: skip
    figures["targets"] = dict(sorted(figures["targets"].items()))
    FIGURES.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{target}: {len(survivors)} of {total} mutants survived ({share:.1%})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS], help="files to mutate; default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of mutants to test in parallel")
    parser.add_argument("--survivors", action="store_true", help="only the survivors of the last run")
    arguments = parser.parse_args()
    for target in arguments.target or TARGETS:
        mutate(target, arguments.jobs, only_survivors=arguments.survivors)


if __name__ == "__main__":
    main()
