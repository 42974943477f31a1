"""`agentaudio eval compare`: runs side by side, and beside the published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from agentaudio.cli.console import err, in_home, mark, out, print_json
from agentaudio.errors import OptionError
from agentaudio.evaluation.compare import REPRODUCED, Row, compare
from agentaudio.evaluation.measures import in_words
from agentaudio.evaluation.published import model_title
from agentaudio.evaluation.report import save_comparison
from agentaudio.evaluation.result import load_result


def compare_runs(
    *runs: Path,
    published: bool = False,
    as_model: str | None = None,
    save: tuple[Path, ...] = (),
    json: bool = False,
) -> None:
    """Put runs side by side, and beside the published figures.

    A published value is called reproduced only where it lies in the 95 % interval of the run.

    Parameters
    ----------
    runs
        Folders of finished runs.
    published
        Also show the published values of the same figures.
    as_model
        Published model that the runs stand for, such as step-audio-2-mini; by default the one that is named like the
        model of the run. Implies --published.
    save
        File to write the comparison to, as a page (.html) or a picture (.png); repeat it for more.
    json
        Print the comparison as JSON.
    """
    if not runs:
        raise OptionError("name the folder of at least one run")
    shows_published = published or as_model is not None
    found = compare([load_result(folder) for folder in runs], published=shows_published, model=as_model)
    for path in save:
        save_comparison(found, path)
        err.print(f"written: {in_home(path)}")
    if json:
        print_json(asdict(found))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("figure", "model", "value", "95 % interval", ""):
        table.add_column(title, justify="right" if title in ("value", "95 % interval") else "left", overflow="fold")
    for row in found.rows:
        _add(table, row, found.labels)
    out.print(table)
    for source in dict.fromkeys(row.source for row in found.rows if row.source):
        out.print(f"published: {source}")
    for warning in found.warnings:
        out.print(mark("note", "yellow"), warning)


def _add(table: Table, row: Row, labels: Sequence[str]) -> None:
    title = f"{row.place.replace('/', '/ ')} {row.name}"  # so that a narrow terminal breaks it there
    for label in labels:
        if (figure := row.figures.get(label)) is not None:
            verdict = row.verdicts.get(label, "")
            colour = "green" if verdict == REPRODUCED else "yellow"
            table.add_row(title, mark(label, "bold"), f"{figure.value:.2f}", in_words(figure), mark(verdict, colour))
            title = ""
    for model, value in row.published.items():
        table.add_row("", mark(model_title(model), "dim"), mark(f"{value:g}", "dim"), "", mark("published", "dim"))
