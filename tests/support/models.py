"""Helpers for scripting a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentaudio.model.scripted import Scripted


def calls(*made: tuple[str, Mapping[str, object]]) -> dict[str, object]:
    """A step that makes these calls."""
    return {"calls": [{"name": name, "arguments": arguments} for name, arguments in made]}


def scripted(*steps: object, **able: Any) -> Scripted:
    """A model that replays these steps. able: capabilities that replace Scripted's."""
    model = Scripted(steps)  # type: ignore[arg-type]
    if able:
        model.capabilities = replace(Scripted.capabilities, **able)
    return model
