"""The options of `ask`, `chat` and `serve` that say how a model runs and how it generates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from agentaudio.errors import OptionError
from agentaudio.model.options import Signature
from agentaudio.model.registry import find_loader
from agentaudio.model.speech_lm import GenerateOptions

_GROUP = Group("How the model runs and generates", sort_key=10)


def _flag(text: str) -> Parameter:
    return Parameter(help=text, group=_GROUP)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Generation:
    """What is left out is the model's own choice. A model refuses what it cannot honour."""

    language: Annotated[str | None, _flag("Language to hear and answer in, such as en, zh or pt-BR.")] = None
    temperature: Annotated[float | None, _flag("How varied the answers are; 0 always takes the likeliest word.")] = None
    max_tokens: Annotated[int | None, _flag("Longest answer of one generation, in the model's tokens.")] = None
    seed: Annotated[int | None, _flag("The same seed gives the same answer to the same question.")] = None
    device: Annotated[str | None, _flag("Where the model runs, such as cuda, cuda:1, mps or cpu.")] = None
    dtype: Annotated[str | None, _flag("Number format of the weights: bfloat16, float16 or float32.")] = None
    compiled: Annotated[bool | None, _flag("Compile the decoding, which takes minutes and is then faster.")] = None

    def options(self, *, speak: bool = True) -> GenerateOptions:
        """How to generate. Raises OptionError for a value out of range."""
        return GenerateOptions(
            speak=speak,
            language=self.language,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            seed=self.seed,
        )

    def loading(self, spec: str, given: tuple[str, ...]) -> tuple[str, ...]:
        """`--option` as given, and what these options add to it for the loader of the model `spec`.

        Raises OptionError for an option that the loader does not take, and for one that is given in both ways.
        """
        wanted = {"device": self.device, "dtype": self.dtype, "compiled": self.compiled}
        chosen = {name: value for name, value in wanted.items() if value is not None}
        if not chosen:
            return given
        signature = Signature.of(find_loader(spec.partition(":")[0]))
        known = {option.name for option in signature.options}
        twice = {item.partition("=")[0] for item in given}
        for name in chosen:
            if name not in known and not signature.open:
                raise OptionError(f"model {spec!r} has no --{name}: it does not choose where and how it runs")
            if name in twice:
                raise OptionError(f"--{name} and --option {name}=... are the same; give one of them")
        return (*given, *(f"{name}={value}" for name, value in chosen.items()))
