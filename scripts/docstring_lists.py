"""An extension of griffe: shows the parameters that our docstrings list as `name: what it is` as a list."""

from __future__ import annotations

import inspect
import re
from typing import Any

from griffe import Extension, Object

ITEM = re.compile(r"^(?P<names>\w+(, \w+)*): (?P<text>.*)$")


class ParameterLists(Extension):
    """Rewrites the docstring of each object that griffe has read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(docstring: str) -> str:
    """The docstring with its `name: text` lines, and the indented lines that go on with them, as a Markdown list.

    A line is an item at the beginning of a paragraph or after another item.
    """
    lines, item_may_begin, in_item = list[str](), True, False
    for line in inspect.cleandoc(docstring).splitlines():
        found = ITEM.match(line) if item_may_begin or in_item else None
        if found and found["text"]:
            names = ", ".join(f"`{name}`" for name in found["names"].split(", "))
            lines.append(f"- {names}: {found['text']}")
            in_item = True
        elif in_item and line.startswith("    "):
            lines[-1] += " " + line.strip()
        else:
            if in_item and line:
                lines.append("")
            lines.append(line)
            in_item = False
        item_may_begin = not line
    return "\n".join(lines)
