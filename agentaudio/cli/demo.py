"""`agentaudio demo`: three spoken turns, printed as they happen."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from agentaudio.cli.console import ensure_writable, in_home, mark, out, print_json, progress
from agentaudio.cli.models import ModelOptions, load_or_fetch
from agentaudio.cli.narrator import Narrator
from agentaudio.demo.report import write_report
from agentaudio.demo.run import DemoTurn, demo_agent, play


async def demo(
    *,
    out_folder: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("demo-output"),
    model: str = "embedded",
    option: ModelOptions = (),
    json: bool = False,
) -> None:
    """Run three turns of a spoken conversation and write a report with their sound and their steps.

    Parameters
    ----------
    out_folder
        Folder for the questions, the answers and report.html.
    model
        Speech model, as NAME or NAME:ARGUMENT; `agentaudio models list` shows them.
    option
        Option of the model, as NAME=VALUE; repeat it for more.
    json
        Print only the replies, as JSON.
    """
    ensure_writable(out_folder / "report.html")
    begun = time.perf_counter()
    agent = demo_agent(await load_or_fetch(model, option))
    turns = list[DemoTurn]()
    with contextlib.closing(Narrator()) as narrator:
        async with agent:
            with progress("loading models, documents and voices"):
                await agent.warm_up()
            if not json:
                out.print(mark(f"ready after {time.perf_counter() - begun:.1f} s", "dim"))
            async for item in play(agent, out_folder):
                if isinstance(item, DemoTurn):
                    turns.append(item)
                    if not json:
                        out.print()
                        out.print(mark(f"turn {len(turns)}", "bold"), "", mark(in_home(item.question_file), "dim"))
                elif not json:
                    narrator.show(item)
    report = write_report(turns, out_folder / "report.html")
    if json:
        print_json([turn.reply.to_dict() for turn in turns if turn.reply is not None])
        return
    out.print(f"\nDone in {time.perf_counter() - begun:.1f} s. Open {in_home(report)} to hear and see it. Then try:\n")
    # Inside a virtual environment that is not active, the bare name would not be found.
    program = "agentaudio" if shutil.which("agentaudio") else in_home(Path(sys.argv[0]))
    question = in_home(turns[0].question_file)
    out.print(f"  {program} ask {question} --voice gina --out gina.wav", style="cyan")
    out.print(f'  {program} ask "what is the time in tokyo" --out tokyo.wav', style="cyan")
    out.print(f'  {program} voices search "a whispering voice"', style="cyan")
