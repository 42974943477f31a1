"""`Benchmark`: the facts about a benchmark, and how to find an installed one."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path

from agentaudio.conversation import ToolSpec
from agentaudio.entry_points import installed
from agentaudio.errors import AgentAudioError, EvaluationError, did_you_mean
from agentaudio.evaluation.hub.copy import HubCopy
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorer import Scorer
from agentaudio.model.speech_lm import GenerateOptions

GROUP = "agentaudio.benchmarks"
"""Entry points of benchmarks: name = "module:BENCHMARK"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The facts about a benchmark.

    read: the items of a local folder, in a fixed order; raises EvaluationError for a folder that it cannot read
    needs: files and folders that must be in the folder, as glob patterns
    home: where the data comes from
    licence: of the data
    size: how much data there is, in words
    hub: a copy on the Hugging Face hub, which `--data hf:` fetches; None where none is known
    instruction: system text for the model; "" for none
    transcribes: whether the model is asked to write down what it hears, in the way that suits the model
    clones: whether the model speaks the item's text in the voice of the item's clip
    speaks: whether the spoken answer is scored, by its transcript
    options: how the model generates
    tools: that the model may call
    sampled: whether answers differ from run to run, so that several seeds should be used
    judging: how the judge generates
    averages: plain means over groups that the benchmark publishes, by name; () stands for all groups. One whose groups
        are not all there is left out.
    expected: number of items that are published for a group
    note: what is known to differ from the published protocol
    """

    name: str
    title: str
    read: Callable[[Path], Iterable[Item]] = field(hash=False)
    scorer: Scorer
    needs: tuple[str, ...] = ()
    home: str = ""
    licence: str = ""
    size: str = ""
    hub: HubCopy | None = None
    instruction: str = ""
    transcribes: bool = False
    clones: bool = False
    speaks: bool = False
    options: GenerateOptions = GenerateOptions()
    tools: tuple[ToolSpec, ...] = ()
    sampled: bool = False
    judging: GenerateOptions = GenerateOptions()
    averages: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    expected: Mapping[str, int] = field(default_factory=dict, hash=False)
    note: str = ""


def installed_benchmarks() -> dict[str, EntryPoint]:
    """The entry points of installed benchmarks, by name."""
    return {point.name: point for point in sorted(installed(GROUP), key=lambda point: point.name)}


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of a name, or the one that a Python file defines as BENCHMARK.

    name: of an installed benchmark, or the path of a file that ends in .py; the file is run

    Raises EvaluationError for an unknown name, with the nearest one, and for a file without a BENCHMARK.
    """
    if name.endswith(".py"):
        return _from_file(Path(name))
    installed = installed_benchmarks()
    if name not in installed:
        raise EvaluationError(f"no benchmark {name!r} is installed; {did_you_mean(name, installed)}")
    return _checked(installed[name].load(), name)


def _from_file(path: Path) -> Benchmark:
    spec = importlib.util.spec_from_file_location(f"agentaudio_benchmark_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise EvaluationError(f"there is no file {path}; give the name of a benchmark or of a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses of the file look their module up
    try:
        spec.loader.exec_module(module)
    except AgentAudioError:
        raise
    except Exception as error:
        raise EvaluationError(f"{path} cannot be run: {error!r}") from error
    return _checked(getattr(module, "BENCHMARK", None), str(path))


def _checked(found: object, name: str) -> Benchmark:
    if not isinstance(found, Benchmark):
        raise EvaluationError(f"{name} defines {type(found).__name__} as BENCHMARK; it must be a Benchmark")
    return found
