"""`Wishes`: the voice and the search that a request asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Where = Literal["documents", "web"]


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was asked for.

    query: what to look for, in the words of the request
    where: None when the request leaves it open
    """

    query: str
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request asks for.

    voice: who to sound like, in the words of the request; "default" for the model's own voice; None to keep the voice
    search: None when no search was asked for
    """

    voice: str | None = None
    search: Search | None = None
