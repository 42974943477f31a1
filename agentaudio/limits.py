"""`Limits`: how much one turn of an agent may take. `UsageLimits`: what a turn or a session may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any

from agentaudio.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLimits:
    """What may be used; None sets no limit.

    A turn that needs more ends with the stop "usage_limit": calls that the model has made are not run, because nobody
    would say what came of them. What was said and done stays in the conversation. Tokens are known when a generation
    has ended, so its own may be more.

    requests: generations of the model
    tool_calls: calls of tools
    input_tokens, output_tokens: as the model counts them
    sound_s: seconds of sound of the answers; an answer is cut there

    Raises OptionError for a limit below 0.
    """

    requests: int | None = None
    tool_calls: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    sound_s: float | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and (not isinstance(value, int | float) or not value >= 0):
                raise OptionError(f"UsageLimits.{one.name} is {value!r}; give a number of 0 or more, or None")


UNLIMITED = UsageLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one turn, against models and inputs that would keep it busy forever.

    An answer that reaches `characters` or `sound_s` ends there, with the reason "length". Calls beyond
    `calls_per_step`, and calls whose arguments are beyond `argument_depth` or `argument_chars`, fail with a message to
    the model; such arguments are dropped. A turn that reaches `turn_s`, or whose model does not begin to answer within
    `first_word_s`, fails with LimitError.

    calls_per_step: tool calls of one generation
    argument_depth: nesting of the arguments of a call, as JSON
    argument_chars: about the characters of the arguments of a call, as JSON
    characters: words of one generation, with what it cites
    sound_s: seconds of sound of one generation, also as speech tokens
    turn_s: seconds of a turn on the wall clock, tools included
    first_word_s: seconds from the beginning of a generation to its first word, sound or call, on the wall clock
    turn, session: what a turn may use, and what all turns of a session may use together

    Raises OptionError for a limit that is not above 0, and for a UsageLimits of another type.
    """

    calls_per_step: int = 32
    argument_depth: int = 32
    argument_chars: int = 1_000_000
    characters: int = 100_000
    sound_s: float = 3_600.0
    turn_s: float = 900.0
    first_word_s: float = 900.0
    turn: UsageLimits = UNLIMITED
    session: UsageLimits = UNLIMITED

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in ("turn", "session"):
                if not isinstance(value, UsageLimits):
                    raise OptionError(f"Limits.{one.name} is {value!r}; give UsageLimits(...)")
            elif not value > 0:
                raise OptionError(f"Limits.{one.name} is {value!r}; give a number above 0")

    @property
    def counts_usage(self) -> bool:
        """Whether usage is limited."""
        return self.turn is not UNLIMITED or self.session is not UNLIMITED

    def problem(self, arguments: Mapping[str, Any]) -> str | None:
        """Why arguments are nested too deeply or too long, as a message to the model; None when they are not."""
        level: list[Any] = [arguments]
        length = len(arguments)
        for _ in range(self.argument_depth):
            inner: list[Any] = []
            for value in level if length <= self.argument_chars else ():
                for item in (*value, *value.values()) if isinstance(value, (dict, Mapping)) else value:
                    length += _length(item)
                    if length > self.argument_chars:
                        return self._too_long()
                    if not isinstance(item, _SCALARS) and isinstance(item, _CONTAINERS):
                        inner.append(item)
            if length > self.argument_chars:
                return self._too_long()
            if not inner:
                return None
            level = inner
        return (
            f"The arguments are nested deeper than {self.argument_depth} levels (Limits.argument_depth); flatten them."
        )

    def _too_long(self) -> str:
        return f"The arguments have more than {self.argument_chars} characters (Limits.argument_chars); send less."


_SCALARS = (str, int, float, NoneType)  # asked for first, because asking Mapping is slow
_CONTAINERS = (dict, list, tuple, Mapping)
_SIZED = (str, bytes, *_CONTAINERS)


def _length(item: Any) -> int:
    """At least the characters of an item as JSON, without those of its own items."""
    if isinstance(item, int):
        return 1 + item.bit_length() // 4
    if isinstance(item, float) or item is None:
        return 1
    return 1 + len(item) if isinstance(item, _SIZED) else 1
