"""Output of the benchmarks: a printed table and a JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def publish(title: str, figures: Mapping[str, Any], json_path: str | None) -> None:
    """Print `figures` as a table under `title`, and write them as JSON to `json_path` unless it is None."""
    width = max(map(len, figures))
    print(title)
    for name, value in figures.items():
        print(f"  {name:<{width}}  {value}")
    if json_path is not None:
        Path(json_path).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """The processor, its cores, and how many tasks wanted one while this ran."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"processor": name, "cores": os.cpu_count(), "load_average": round(os.getloadavg()[1], 1)}
