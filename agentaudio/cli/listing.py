"""`agentaudio tools list` and `agentaudio models list`: what is installed."""

from __future__ import annotations

from cyclopts import App
from rich.table import Table

from agentaudio.cli.console import out, print_json
from agentaudio.errors import AgentAudioError
from agentaudio.model.registry import installed_backends
from agentaudio.tools.discovery import find_tools, installed_tools

tools = App(name="tools", help="Look at the installed tools.")
models = App(name="models", help="Look at the installed speech models.")


@tools.command(name="list")
def list_tools(*, json: bool = False) -> None:
    """Show the tools that agents can be given by name.

    Parameters
    ----------
    json
        Print names, descriptions and schemas as JSON.
    """
    rows = []
    for name, point in sorted(installed_tools().items()):
        try:
            tool = find_tools([name])[name]
            rows.append({"name": name, "description": tool.description, "parameters": tool.parameters})
        except AgentAudioError as error:
            rows.append({"name": name, "error": str(error), "plugin": point.value})
    if json:
        print_json(rows)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("name", "arguments", "description"):
        table.add_column(title, no_wrap=title == "name")
    for row in rows:
        if "error" in row:
            table.add_row(str(row["name"]), "", f"[red]{row['error']}[/]")
            continue
        arguments = ", ".join(row["parameters"].get("properties", {}))  # type: ignore[attr-defined]
        table.add_row(str(row["name"]), arguments, str(row["description"]).split("\n")[0])
    out.print(table)


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
