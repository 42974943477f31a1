"""How a benchmark tells its figures: a table for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def publish(title: str, figures: Mapping[str, Any], json_path: str | None) -> None:
    """Print the figures, and write them to a JSON file when one is named."""
    width = max(map(len, figures))
    print(title)
    for name, value in figures.items():
        print(f"  {name:<{width}}  {value}")
    if json_path is not None:
        Path(json_path).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
