"""`agentaudio models fetch` and `verify`: the weights that models need."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from agentaudio.cli.console import Terminal, err, in_home, mark, out
from agentaudio.errors import OptionError
from agentaudio.weights.ledger import Entry, find, ledger
from agentaudio.weights.store import Progress as Step
from agentaudio.weights.store import Store, megabytes


async def fetch(name: str, *more: str) -> None:
    """Fetch weights, after showing their licence and terms.

    Parameters
    ----------
    name
        Names of the weights; `agentaudio models list` shows them.
    more
        Further names.
    """
    await fetch_all((name, *more), out)


async def fetch_all(names: Iterable[str], console: Terminal) -> None:
    """Fetch weights, and show on the console their licences and terms before, and their folders after."""
    store = Store()
    entries = {each: find(each, ledger()) for each in names}
    for each, entry in entries.items():
        _describe(each, entry, console)
        with _bar() as show:
            folder = await store.ensure(each, show)
        console.print(mark("   ready", "green"), in_home(folder))


async def verify(*names: str) -> int:
    """Read fetched weights again and compare them with the ledger. Exits with 1 when any differ.

    Parameters
    ----------
    names
        Names of the weights; without a name, all that are on this machine.
    """
    store = Store()
    for each in names:
        find(each, ledger())
    chosen = names or tuple(each for each in ledger() if store.path(each).is_dir())
    if not chosen:
        out.print("no weights on this machine; `agentaudio models list` shows what can be fetched")
    failures = 0
    for each in chosen:
        try:
            wrong = await asyncio.to_thread(store.verify, each)
        except OSError as error:
            raise OptionError(f"cannot read {error.filename}: {error.strerror}; correct its permissions") from None
        failures += bool(wrong)
        sign = mark("✗", "red") if wrong else mark("✓", "green")
        out.print(sign, mark(each, "bold"), "; ".join(wrong.values()))
        if wrong:
            out.print(mark("  remedy", "dim"), f"agentaudio models fetch {each}")
    return 1 if failures else 0


def weights_rows() -> list[dict[str, Any]]:
    """The weights of the ledger, and whether they are on this machine."""
    store = Store()
    return [
        {
            "name": name,
            "purpose": entry.purpose,
            "licence": entry.licence,
            "terms": entry.terms,
            "credit": entry.credit,
            "home": entry.home,
            "gated": list(entry.gated),
            "bytes": entry.size,
            "here": not store.missing(name),
        }
        for name, entry in ledger().items()
    ]


def weights_table(rows: list[dict[str, Any]]) -> Table:
    """`weights_rows` for people."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("weights", "size", "licence", "here", "for"):
        table.add_column(title, no_wrap=title in ("weights", "size"), justify="right" if title == "size" else "left")
    for row in rows:
        here = mark("yes", "green") if row["here"] else mark("no", "dim")
        table.add_row(mark(row["name"], "bold"), megabytes(row["bytes"]), row["licence"], here, row["purpose"])
    return table


def _describe(name: str, entry: Entry, console: Terminal) -> None:
    console.print(mark(f"{name:>8}", "bold"), entry.purpose)
    console.print(mark(" licence", "dim"), f"{entry.licence}, by {entry.credit}; {entry.home}")
    if entry.terms:
        console.print(mark("   terms", "yellow"), entry.terms)
    for page in entry.gated:
        console.print(
            mark("   gated", "yellow"), f"accept the terms at {page}, then run `hf auth login` or set HF_TOKEN"
        )
    console.print(mark("    size", "dim"), megabytes(entry.size))


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Step], None]]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not err.is_terminal:
        yield lambda step: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("")
        yield lambda step: bar.update(task, description=step.source, completed=step.done, total=step.total)
