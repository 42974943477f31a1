"""Read the docstring of a function: the text for a model, and the descriptions of the parameters."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

_FIELD = re.compile(r":(?:param|parameter|arg|argument|key|keyword|kwarg)\b")
_SPHINX = re.compile(rf"^\s*{_FIELD.pattern}", re.MULTILINE)
_NUMPY = re.compile(r"^\s*(?:Other )?Parameters\s*\n\s*-{3,}", re.MULTILINE)
_SECTION = re.compile(r"^\s*[A-Z][A-Za-z ]+:\s*$|^\s*-{3,}\s*$|^\s*:\w+", re.MULTILINE)
_HEADER = re.compile(r"[A-Z][A-Za-z ]*:\s*")
_PARAMETERS = re.compile(r"(?:keyword |other )?(?:args|arguments|parameters|params):\s*", re.IGNORECASE)


def read_docstring(text: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """The text of a docstring in Google, NumPy or Sphinx style, and the descriptions of parameters by name.

    The text has all but the sections about parameters, results and exceptions: also notes, warnings and examples.

    text: as `inspect.getdoc` gives it
    names: of the parameters
    """
    if not _SECTION.search(text):
        return text.strip(), {}
    import griffe

    if _SPHINX.search(text):
        fields = griffe.Docstring(_SPHINX.sub(lambda found: _FIELD.sub(":param", found[0]), text))
        return _without_fields(text), _descriptions(fields.parse(griffe.Parser.sphinx, warnings=False))
    if _NUMPY.search(text):
        sections = griffe.Docstring(text).parse(griffe.Parser.numpy, warnings=False)
    else:
        # A blank line first: griffe, too, would take the indentation of what follows "Args:" away.
        sections = griffe.Docstring("\n".join(["", *_spaced(text, names)])).parse(griffe.Parser.google, warnings=False)
    return "\n\n".join(_texts(sections)).strip(), _descriptions(sections)


def _descriptions(sections: list[Any]) -> dict[str, str]:
    return {
        parameter.name.lstrip("*"): " ".join(parameter.description.split())
        for section in sections
        if section.kind.value in ("parameters", "other parameters")
        for parameter in section.value
    }


def _texts(sections: list[Any]) -> Iterator[str]:
    for section in sections:
        match section.kind.value:
            case "text":
                yield section.value
            case "admonition":
                kind, title = section.value.kind.replace("-", " "), section.title
                # "Warning: Not at night", with the details below, has both.
                heading = f"{kind.capitalize()}: {title}" if kind.rstrip("s") not in title.lower() else f"{title}:"
                yield f"{heading}\n{section.value.description}"
            case "examples":
                yield "Examples:\n" + "\n\n".join(value for _, value in section.value)
            case "deprecated":
                yield f"Deprecated since {section.value.version}: {section.value.description}"


def _without_fields(text: str) -> str:
    """The text of a docstring in Sphinx style without its fields, such as `:param city: ...` with all their lines."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        if re.match(r":\w+[^:]*:", line):
            inside = True
        elif line.strip() and not line[0].isspace():
            inside = False
        if not inside:
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _spaced(text: str, names: Collection[str]) -> Iterator[str]:
    """The lines of a docstring in Google style with a blank line between sections, and with parameters indented.

    When "Args:" is the first line, `inspect.getdoc` takes the indentation of the parameters away.
    """
    entry = re.compile(rf"\*{{0,2}}(?:{'|'.join(map(re.escape, names)) or '(?!)'})\s*(?:\([^)]*\))?\s*:")
    before, flat = "", False
    for line in text.splitlines():
        at_margin = line.strip() and not line[0].isspace()
        if at_margin and (flat := (flat or bool(_PARAMETERS.fullmatch(before))) and bool(entry.match(line))):
            line = f"    {line}"
        elif flat and line[:1].isspace():
            line = f"    {line}"
        elif at_margin and before and (before[0].isspace() or _HEADER.fullmatch(line)):
            yield ""
        flat = flat and bool(line.strip())
        before = line
        yield "Args:" if _PARAMETERS.fullmatch(line) else line  # griffe does not know every name for them
