"""`load_suite`: a suite from a YAML or TOML file. Errors name the file, the line and the key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agentaudio.errors import OptionError, did_you_mean
from agentaudio.evaluation.suites.schema import Dialogue, Suite
from agentaudio.tools.declarative.source import SUFFIXES, Place, Source, read_source

DEMO = "demo"
"""Name of the suite that comes with agentaudio."""
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class SuiteFile:
    """A suite and where it was read. `folder` is where its relative paths start."""

    suite: Suite
    path: Path

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def digest(self) -> str:
        """SHA-256 of the suite, as it is written in JSON."""
        return hashlib.sha256(self.suite.model_dump_json(exclude_unset=True).encode()).hexdigest()


def load_suite(suite: str | Path) -> SuiteFile:
    """Read a suite. "demo" is the one that comes with agentaudio.

    Raises OptionError with file, line and key for what a suite cannot hold, for two dialogues with one id, for
    sounds that do not exist, and for checks that need a live dialogue elsewhere.
    """
    path = Path(str(files("agentaudio.demo") / "suite.yaml")) if suite == DEMO else Path(suite)
    if path.suffix not in SUFFIXES:
        raise OptionError(f"{path} is not a suite; give a file that ends in {', '.join(SUFFIXES)}, or {DEMO!r}")
    source = read_source(path)
    if not isinstance(source.data, dict):
        raise source.error((), "a suite is a mapping with name, agent and dialogues")
    try:
        found = SuiteFile(Suite.model_validate(source.data), path)
    except ValidationError as error:
        raise _explained(source, error.errors(include_url=False)[0]) from None
    _check(source, found)
    return found


def _check(source: Source, found: SuiteFile) -> None:
    seen: dict[str, int] = {}
    for place, dialogue in enumerate(found.suite.dialogues):
        if dialogue.id in seen:
            raise source.error(("dialogues", place, "id"), f"two dialogues have the id {dialogue.id!r}; rename one")
        seen[dialogue.id] = place
        _check_turns(source, found.folder, ("dialogues", place, "turns"), dialogue)


def _check_turns(source: Source, folder: Path, place: Place, dialogue: Dialogue) -> None:
    for number, turn in enumerate(dialogue.turns):
        here = (*place, number)
        if turn.sound is not None and not (folder / turn.sound).is_file():
            raise source.error((*here, "sound"), f"there is no sound file {folder / turn.sound}")
        if dialogue.live:
            if turn.type is not None and turn.expect is not None and turn.expect.is_live:
                raise source.error((*here, "type"), "a typed turn interrupts at once; say it, or check something else")
            continue
        if turn.begins is not None:
            raise source.error((*here, "begins"), "only turns of a live dialogue begin at a moment; add live: true")
        if turn.expect is not None and turn.expect.is_live:
            key = "agent_goes_on" if turn.expect.agent_goes_on else "stops_agent_within_s"
            raise source.error((*here, "expect", key), f"{key} needs a live dialogue; add live: true")


def _explained(source: Source, item: Any) -> OptionError:
    """An error of pydantic in our words, at the place in the file that it is about."""
    place: Place = ()
    for step in item["loc"]:
        if (*place, step) in source.lines or item["type"] in ("missing", "extra_forbidden") and step == item["loc"][-1]:
            place = (*place, step)
    dotted = ".".join(str(step) for step in place)
    if item["type"] == "missing":
        return source.error(place, f"{dotted} is missing")
    if item["type"] == "extra_forbidden":
        return source.error(place, f"there is no setting {dotted}; {did_you_mean(str(place[-1]), _known(place))}")
    if item["type"] == "value_error":
        return source.error(place, f"{dotted}: {item['ctx']['error']}")
    shown = repr(item["input"])
    shown = shown if len(shown) < _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + "…"
    return source.error(place, f"{dotted}: {item['msg']}, not {shown}")


def _known(place: Place) -> list[str]:
    """The settings that are known where `place` names one that is not."""
    form: type[BaseModel] = Suite
    for step in place[:-1]:
        if isinstance(step, str) and step in form.model_fields:
            form = _form_of(form.model_fields[step].annotation) or form
    return list(form.model_fields)


def _form_of(annotation: Any) -> type[BaseModel] | None:
    """The form within an annotation such as `list[Dialogue]` or `Expect | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((form for inner in getattr(annotation, "__args__", ()) if (form := _form_of(inner))), None)
