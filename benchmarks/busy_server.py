"""`agentaudio` beside a thread that computes in Python without end, as tools may, for `benchmarks/server.py --busy`."""

from __future__ import annotations

import runpy
import threading


def compute() -> None:
    total = 0
    while True:
        for number in range(1_000):
            total += number * number


if __name__ == "__main__":
    threading.Thread(target=compute, daemon=True).start()
    runpy.run_module("agentaudio", run_name="__main__")
