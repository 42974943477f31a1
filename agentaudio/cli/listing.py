"""`agentaudio models list`: what is installed."""

from __future__ import annotations

from cyclopts import App
from rich.table import Table

from agentaudio.cli.console import out, print_json
from agentaudio.model.registry import installed_backends

models = App(name="models", help="Look at the installed speech models.")


@models.command(name="list")
def list_models(*, json: bool = False) -> None:
    """Show the speech models that can be loaded by name.

    Parameters
    ----------
    json
        Print names and plugins as JSON.
    """
    rows = [
        {"name": name, "package": point.dist.name if point.dist else "", "plugin": point.value}
        for name, point in sorted(installed_backends().items())
    ]
    if json:
        print_json(rows)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("name", "package", "plugin"):
        table.add_column(title)
    for row in rows:
        table.add_row(row["name"], row["package"], row["plugin"])
    out.print(table)
