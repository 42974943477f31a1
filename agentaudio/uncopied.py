"""`Uncopied`: objects that hold a model, connections or tasks, and refuse to be copied."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn


class Uncopied:
    """Mixin. `copy`, `deepcopy` and `pickle` raise a TypeError that says what to do.

    instead: what to do in place of a copy, in `class Agent(Uncopied, instead="share it")`
    """

    __slots__ = ()
    _instead: ClassVar[str]

    def __init_subclass__(cls, *, instead: str = "share it", **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._instead = instead

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"{name} objects can be neither copied nor pickled; {self._instead}")
