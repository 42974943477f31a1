"""`minimised`: the smallest part of an input that still fails in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable

from fuzzing.target import Case


def minimised(case: Case, signature: Callable[[Case], str | None], *, seconds: float) -> bytes:
    """The content with all pieces left out that the failure does not need.

    signature: how an input fails
    seconds: for all attempts

    Source: Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input", without the
    tests of single pieces.
    """
    wanted = signature(case)
    content = case.content
    deadline = time.monotonic() + seconds
    size = len(content) // 2
    while size and wanted is not None:
        at, smaller = 0, False
        while at < len(content) and time.monotonic() < deadline:
            shorter = content[:at] + content[at + size :]
            if signature(Case(case.kind, shorter)) == wanted:
                content, smaller = shorter, True
            else:
                at += size
        if time.monotonic() >= deadline:
            break
        size = size if smaller and size < len(content) else size // 2
    return content
