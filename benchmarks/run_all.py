"""Run every benchmark that needs no GPU, and store the figures in docs/figures/.

python benchmarks/run_all.py [NAME ...]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
VARIANTS = {
    "embedded_lite_turn": ("embedded_turn", "--model", "embedded-lite"),
    "first_sound_live": ("first_sound", "--live"),
}
"""Figures of a script that is run with options."""
FIGURES = HERE.parent / "docs" / "figures"
BENCHMARKS = (
    "agent_loop", "cloning", "recognition", "embedded_routing", "embedded_exchanges", "embedded_timbre",
    "embedded_turn", "embedded_lite_turn", "first_sound", "first_sound_live", "kokoro_speed", "short_answers",
    "other_languages", "voice_gallery", "voice_requests", "voice_choices", "voice_channels", "voice_ingest",
    "voice_faults", "agent_suite", "retrieval_quality", "voice_search", "routed_calls", "read_aloud", "hostile",
    "storage", "eval_overhead",
)  # fmt: skip


def main() -> None:
    wanted = sys.argv[1:] or BENCHMARKS
    unknown = set(wanted) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"unknown benchmark: {', '.join(sorted(unknown))}; choose from: {', '.join(BENCHMARKS)}")
    FIGURES.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in wanted:
        print(f"\n== {name}", flush=True)
        script, *options = VARIANTS.get(name, (name,))
        command = [sys.executable, str(HERE / f"{script}.py"), *options, "--json", str(FIGURES / f"{name}.json")]
        done = subprocess.run(command, cwd=HERE.parent, check=False)
        if done.returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
