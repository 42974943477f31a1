"""`Result`: the figures of a run with everything that decides whether they can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.measures import Figure
from agentaudio.files import write_atomically

RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class Result:
    """What `result.json` of a run holds.

    settings: of the run, see `Settings`
    scorer: its name, with normalisers and tokeniser
    items: how many were asked, times the seeds
    scored: how many of them have a score
    problems: how many have none, by reason, such as "broken clip", "unparsed" and "failed"
    listed: ids of the items without a score, by reason
    failure: why the first of the failed items failed; "" when none did
    measure: name of the figure that the benchmark is known by
    figures: averages over parts first, then each measure for each part and for all
    per_seed: the headline of each seed
    ignored: settings that the model did not take
    differences: from the published data, see `differences`
    versions: of the libraries that figures depend on
    """

    settings: Mapping[str, Any]
    title: str
    scorer: str
    items: int
    scored: int
    problems: Mapping[str, int]
    listed: Mapping[str, list[str]]
    measure: str
    figures: tuple[Figure, ...]
    per_seed: tuple[float, ...] = ()
    ignored: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    note: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def benchmark(self) -> str:
        """Name of the benchmark."""
        return str(self.settings["benchmark"])

    def save(self, folder: Path) -> Path:
        """Write `result.json`. Raises EvaluationError when it cannot be written."""
        content = json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"
        write_atomically(folder / RESULT, content.encode("utf-8", "replace"), error=EvaluationError)
        return folder / RESULT


_RESULTS: TypeAdapter[Result] = TypeAdapter(Result)


def load_result(folder: Path) -> Result:
    """The result of a finished run. Raises EvaluationError when there is none, or when it cannot be read."""
    path = folder / RESULT if folder.is_dir() else folder
    try:
        return _RESULTS.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise EvaluationError(f"{folder} holds no finished run; run the benchmark with --out {folder}") from None
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}") from None
    except ValidationError:
        raise EvaluationError(f"{path} is not the result of a run; run the benchmark again") from None
