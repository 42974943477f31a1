"""`Plain`: text of strangers without the marks by which a prompt separates roles, calls and sounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


class Plain:
    """Breaks up marks, so that the words of users, tools and documents cannot write a turn of another role.

    marks: texts with a meaning in prompts, such as <|im_end|>. Plain words among them, and texts shorter
        than three characters, are left as they are.
    """

    def __init__(self, marks: Iterable[str]) -> None:
        known = sorted({mark for mark in marks if _is_mark(mark)}, key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, known)) if known else r"(?!)")

    def text(self, text: str) -> str:
        """The text with a space behind the first character of each mark."""
        return self._marks.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)

    def deep(self, value: Any) -> Any:
        """A JSON value whose texts and keys are plain."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.deep(key): self.deep(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.deep(one) for one in value]
        return value


def _is_mark(text: str) -> bool:
    return len(text) > 2 and not re.fullmatch(r"[\w\s]+", text)
