"""`agentaudio models`, and the options `--model` and `--option` that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.table import Table

from agentaudio.cli.console import err, mark, out, print_json, progress
from agentaudio.cli.weights import fetch_all, weights_rows, weights_table
from agentaudio.errors import AgentAudioError, OptionError, WeightsError, WeightsMissing
from agentaudio.model.options import Option, Signature
from agentaudio.model.registry import find_loader, installed_backends, load_model
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.plain import plain
from agentaudio.weights.store import missing

models = App(name="models", help="Show the speech models and their options, and fetch the weights that they need.")
models.command("agentaudio.cli.weights:fetch", help="Fetch weights, after showing their licence and terms.")
models.command("agentaudio.cli.weights:verify", help="Read fetched weights again and compare them with the ledger.")

ModelOptions = Annotated[tuple[str, ...], Parameter(name="--option")]


@models.command(name="list")
def list_models(*, json: bool = False) -> None:
    """Show the speech models that can be loaded by name, their options, and the weights that can be fetched.

    Parameters
    ----------
    json
        Print models and weights as JSON.
    """
    rows = [_described(name) for name in sorted(installed_backends())]
    if json:
        print_json({"models": rows, "weights": weights_rows()})
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("model", "option", "type", "default", "environment"):
        table.add_column(title, no_wrap=title in ("model", "option"))
    for row in rows:
        table.add_row(mark(row["name"], "bold"), mark(row["package"], "dim"))
        for option in row.get("options", ()):
            default = mark("required", "dim") if option["required"] else _default(option["default"])
            table.add_row("", option["name"], option["type"], default, option["variable"] or "")
    out.print(table)
    out.print()
    out.print(weights_table(weights_rows()))
    for row in rows:
        if "unavailable" in row:
            err.print(mark(row["name"], "yellow"), f"cannot be loaded: {row['unavailable']}")


def load_for_command(spec: str, options: Sequence[str]) -> SpeechLM:
    """The model of `--model NAME:ARGUMENT --option NAME=VALUE ...`.

    Raises OptionError for an option that is not NAME=VALUE, and what `load_model` raises.
    """
    return load_model(spec, **read_options(options, Signature.of(find_loader(spec.partition(":")[0]))))


async def load_or_fetch(spec: str, options: Sequence[str], *, substitute: bool = True) -> SpeechLM:
    """As `load_for_command`, but weights that `embedded` lacks are fetched first.

    substitute: where they cannot be fetched, `embedded-lite` takes its place, and a line on standard error says so;
        otherwise WeightsError is raised, as a measured model must be the one that is named
    """
    try:
        with progress(f"loading {spec}"):
            return load_for_command(spec, options)
    except WeightsMissing:
        if spec != "embedded":
            raise
    from agentaudio.model.embedded.engine import WEIGHTS  # its patterns take longer to compile than all else to start

    try:
        await fetch_all([name for name in WEIGHTS if missing(name)], err)
    except WeightsError as error:
        if not substitute:
            raise
        err.print(mark("    lite", "yellow"), f"{error}; going on with embedded-lite, which hears and speaks less well")
        return load_for_command("embedded-lite", [option for option in options if not option.startswith("threads=")])
    return load_for_command(spec, options)


def read_options(options: Sequence[str], signature: Signature) -> dict[str, Any]:
    """Options as typed, by name. `none` stands for None where an option may be None.

    Raises OptionError for one that is not NAME=VALUE, and for a name that is given twice.
    """
    known = {option.name: option for option in signature.options}
    given: dict[str, Any] = {}
    for item in options:
        name, separator, value = item.partition("=")
        if not separator:
            raise OptionError(f"--option {name[:40]} has no value; write it like --option device=cpu")
        if name in given:
            raise OptionError(f"--option {name[:40]} is given twice; give it once")
        option = known.get(name)
        given[name] = None if option is not None and option.may_be_none and value.lower() == "none" else value
    return given


def _described(name: str) -> dict[str, Any]:
    point = installed_backends()[name]
    row: dict[str, Any] = {"name": name, "package": point.dist.name if point.dist else "", "plugin": point.value}
    try:
        return row | {"options": [_option(option) for option in Signature.of(find_loader(name)).options]}
    except AgentAudioError as error:
        return row | {"unavailable": str(error)}


def _option(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "type": option.type,
        "required": option.required,
        "default": None if option.secret else plain(option.default),
        "variable": option.variable,
    }


def _default(value: Any) -> str:
    return {None: "none", True: "yes", False: "no"}[value] if isinstance(value, bool | None) else str(value)
