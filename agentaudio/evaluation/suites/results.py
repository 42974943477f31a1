"""The files of a run: its result, the runs that are done while it goes on, and JUnit's report for CI."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from agentaudio.errors import EvaluationError
from agentaudio.escaping import visible
from agentaudio.evaluation.ledger import Ledger
from agentaudio.evaluation.suites.figures import summary
from agentaudio.evaluation.suites.record import DialogueRun, SuiteRun
from agentaudio.files import write_atomically

RESULT, UNFINISHED, JUNIT, REPORT = "result.json", "unfinished", "junit.xml", "report.html"


def save_result(run: SuiteRun, folder: Path) -> Path:
    """Write the run and its summary as JSON. Raises EvaluationError when the folder cannot be written."""
    content = {"summary": summary(run), "run": run.to_dict()}
    path = folder / RESULT
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    write_atomically(path, text.encode("utf-8", "replace"), error=EvaluationError)
    return path


def load_result(path: Path) -> SuiteRun:
    """Read what `save_result` wrote. path: the file, or its folder

    Raises EvaluationError for another file.
    """
    path = path / RESULT if path.is_dir() else path
    try:
        return SuiteRun.from_dict(json.loads(path.read_text("utf-8"))["run"])
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise EvaluationError(f"{path} is not the result of a suite; `agentaudio eval agent` writes them") from None


class Unfinished:
    """The runs of a suite that are done, in a file to which each is added, so that a run that was cut off goes on.

    key: what must be the same for that, such as the digest of the suite, and the model; each key has a file of its own

    Close it at the end. Raises EvaluationError when the file cannot be read or written, or when another process runs
    the same.
    """

    def __init__(self, folder: Path, **key: Any) -> None:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        self._path = folder / f"{UNFINISHED}-{digest[:12]}.jsonl"
        self._ledger = Ledger(self._path)

    def done(self) -> list[DialogueRun]:
        """The runs that are done, without those that another version wrote in another form."""
        found = []
        for name in self._ledger:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                found.append(DialogueRun.from_dict(self._ledger.get(name) or {}))
        return found

    def add(self, run: DialogueRun) -> None:
        """Note a run that is done. Raises EvaluationError when it cannot be written; those before are kept."""
        self._ledger.keep(f"{run.dialogue}#{run.repeat}", asdict(run))

    def end(self) -> None:
        """The run is complete, and its result was saved."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file, and remove it when no run was done."""
        if not len(self._ledger):
            self.end()
        self._ledger.close()


def save_junit(run: SuiteRun, folder: Path, shortfalls: Sequence[str]) -> Path:
    """Write the runs as JUnit's XML: a test case for each run of a dialogue, and one for the suite's requirements.

    Raises EvaluationError when the folder cannot be written.
    """
    suite = ElementTree.Element("testsuite", name=visible(f"{run.suite} ({run.model})"), timestamp=run.began)
    for one in run.runs:
        case = _case(suite, f"{run.suite}.{one.kind}", f"{one.dialogue}[{one.repeat}]")
        case.set("time", f"{sum(turn.stages.get('total', 0.0) for turn in one.turns):.3f}")
        wrong = list(faults(one))
        if wrong:
            kind = "error" if any(turn.error for turn in one.turns) else "failure"
            ElementTree.SubElement(case, kind, message=visible(wrong[0])).text = visible("\n".join(wrong))
    requirements = _case(suite, run.suite, "requirements")
    if shortfalls:
        shown = visible("\n".join(shortfalls))
        ElementTree.SubElement(requirements, "failure", message=visible(shortfalls[0])).text = shown
    for attribute, tag in (("failures", "failure"), ("errors", "error")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    path = folder / JUNIT
    content = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    write_atomically(path, content, error=EvaluationError)
    return path


def _case(suite: ElementTree.Element, group: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=visible(group), name=visible(name))


def faults(run: DialogueRun) -> list[str]:
    """What was wrong in a run of a dialogue, a line for each fault."""
    found = []
    for number, turn in enumerate(run.turns, 1):
        about = f"turn {number} ({turn.said}): "
        if turn.error is not None:
            found.append(about + turn.error)
        found += [f"{about}{verdict.check}: {verdict.detail}" for verdict in turn.verdicts if not verdict.passed]
    return found
