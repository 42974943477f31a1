"""Values that belong to one session, and a search for those of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.sound.audio import Audio

RATE = 16_000
LEVELS = {"alfa7": 0.25, "bravo7": 0.5, "kilo7": 0.75}


@dataclasses.dataclass(frozen=True)
class Marked:
    """The state that a model made of a marked voice."""

    audio: Audio
    nbytes: int = 100

    class Maker:
        model, version = "marked", "1"

        def make(self, voice: ReferenceVoice) -> Marked:
            return Marked(voice.clip)

    @staticmethod
    def sound(number: int, duration_s: float) -> Audio:
        """Sound whose every sample has the level of session `number`."""
        level = list(LEVELS.values())[number]
        return Audio(np.full(round(duration_s * RATE), level, np.float32), RATE)


def marks_in(value: object, marks: Collection[str]) -> set[str]:
    """Which marks occur in the strings and in the sound that can be reached from a value."""
    found: set[str] = set()
    known: dict[int, object] = {}  # with the values, so that no id is used again
    left: list[Any] = [value]
    while left:
        one = left.pop()
        if id(one) in known:
            continue
        known[id(one)] = one
        if isinstance(one, str | bytes):
            text = one if isinstance(one, str) else one.decode("utf-8", "replace")
            found.update(mark for mark in marks if mark in text)
        elif isinstance(one, Audio):
            levels = np.unique(np.round(one.samples, 2))
            found.update(mark for mark in marks if LEVELS.get(mark) in levels)
        elif isinstance(one, Mapping):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            left += one
        elif isinstance(one, BaseException):
            left += [*one.args, one.__cause__, one.__context__]
        elif dataclasses.is_dataclass(one) and not isinstance(one, type):
            left += [getattr(one, field.name) for field in dataclasses.fields(one)]
        elif isinstance(one, type) or callable(one) or isinstance(one, int | float | None):
            pass
        else:
            left += [getattr(one, "__dict__", None), str(one)]
    return found
