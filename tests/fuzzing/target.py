"""`Target`: what one fuzzer reads, the files that it starts from, and how it changes them."""

from __future__ import annotations

import functools
import importlib
import random
from pathlib import Path
from typing import NamedTuple, cast

from agentaudio.errors import AgentAudioError
from fuzzing import mutate


class Case(NamedTuple):
    """One input. kind: such as the suffix of a file, which decides how the content is read"""

    kind: str
    content: bytes


class Target:
    """A reader of foreign content.

    name: as in `fuzzing.TARGETS`
    refusals: the classes of error that the reader documents
    cpu_s: most processor time for one input, in seconds
    memory_mb: most growth of the process's resident memory for one input, in MB
    inside: files may only be opened in the folder that `prepare` gets
    connects: it may try to connect; the attempt is refused
    dictionary: words that mean something to the reader
    """

    name: str
    refusals: tuple[type[AgentAudioError], ...]
    cpu_s = 10.0
    memory_mb = 300
    inside = False
    connects = False
    dictionary: tuple[bytes, ...] = ()

    def seeds(self) -> dict[str, list[bytes]]:
        """Well-formed contents by kind. The same in each process."""
        raise NotImplementedError

    def prepare(self, folder: Path) -> None:
        """Make what `read` needs. folder: empty, for this target alone"""

    def read(self, case: Case) -> str:
        """Read an input, and use the result as a caller would; returns a word for the outcome.

        Raises one of `refusals` for an input that cannot be read. Anything else is a failure.
        """
        raise NotImplementedError

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        """A mutant of a seed. others: the seeds of the same kind"""
        return mutate.changed(chance, seed, others, self.dictionary)

    @functools.cached_property
    def _seeds(self) -> dict[str, list[bytes]]:
        return self.seeds()

    def case(self, seed: int, number: int) -> Case:
        """The input of a number, the same for the same seed."""
        chance = random.Random(f"{self.name} {seed} {number}")
        kinds = list(self._seeds)
        kind = kinds[number % len(kinds)]
        others = self._seeds[kind]
        return Case(kind, self.changed(chance, kind, chance.choice(others), others))


def find(place: str) -> Target:
    """A target. place: "module:Class\""""
    module, _, name = place.partition(":")
    return cast(Target, getattr(importlib.import_module(module), name)())
