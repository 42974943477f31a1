"""`Limits`: how much one turn of an agent may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from agentaudio.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one turn, against models and inputs that would keep it busy forever.

    An answer that reaches `characters` or `sound_s` ends there, with the reason "length". Calls beyond
    `calls_per_step` or deeper than `argument_depth` fail with a message to the model. A turn that reaches
    `turn_s` fails with LimitError.

    calls_per_step: tool calls of one generation
    argument_depth: nesting of the arguments of a call, as JSON
    characters: words of one generation
    sound_s: seconds of sound of one generation
    turn_s: seconds of a turn on the wall clock, tools included

    Raises OptionError for a limit that is not above 0.
    """

    calls_per_step: int = 32
    argument_depth: int = 32
    characters: int = 100_000
    sound_s: float = 3_600.0
    turn_s: float = 900.0

    def __post_init__(self) -> None:
        for one in fields(self):
            if not (value := getattr(self, one.name)) > 0:
                raise OptionError(f"Limits.{one.name} is {value!r}; give a number above 0")

    def problem(self, arguments: Mapping[str, Any]) -> str | None:
        """Why arguments are nested too deeply, as a message to the model; None when they are not."""
        level: list[Any] = [arguments]
        for _ in range(self.argument_depth):
            level = [inner for value in level for inner in _inside(value)]
            if not level:
                return None
        return (
            f"The arguments are nested deeper than {self.argument_depth} levels (Limits.argument_depth); flatten them."
        )


def _inside(value: Any) -> list[Any]:
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [item for item in items if isinstance(item, Mapping | list | tuple)]
