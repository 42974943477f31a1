"""`save_page`: a run of a suite as an HTML page, with sound; what failed comes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from agentaudio.errors import AudioError, EvaluationError
from agentaudio.evaluation.suites.figures import Difference, Rate, latencies, pass_rate
from agentaudio.evaluation.suites.record import DialogueRun, SuiteRun, TurnRecord
from agentaudio.evaluation.suites.results import REPORT
from agentaudio.files import write_atomically
from agentaudio.page import page, player
from agentaudio.sound.audio import Audio


def save_page(run: SuiteRun, folder: Path, shortfalls: Sequence[str], since: Difference | None) -> Path:
    """Write the page beside the run's sounds. since: what changed since the last run

    Raises EvaluationError when the folder cannot be written.
    """
    worst_first = sorted(run.runs, key=lambda one: one.passed)
    body = "\n".join([_figures(run, shortfalls, since), *(_dialogue(one, folder) for one in worst_first)])
    intro = f"Suite {run.suite}, {run.began}, agentaudio {run.version}. Dialogues that failed come first."
    path = folder / REPORT
    write_atomically(path, page(f"{run.model} in the suite {run.suite}", intro, body), error=EvaluationError)
    return path


def shown(rate: Rate) -> str:
    """A rate in percent with its interval."""
    return f"{100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def _figures(run: SuiteRun, shortfalls: Sequence[str], since: Difference | None) -> str:
    rows = [("pass@1", shown(pass_rate(run.runs)))]
    if run.repeats > 1:
        rows.append((f"pass^{run.repeats}", shown(pass_rate(run.runs, run.repeats))))
    for kind in dict.fromkeys(one.kind for one in run.runs):
        rows.append((kind, shown(pass_rate(one for one in run.runs if one.kind == kind))))
    for stage, (count, median, p95) in latencies(run.runs).items():
        rows.append((stage, f"median {median:.2f} s, 95 % within {p95:.2f} s, of {count} turns"))
    parts = [f"<section><h2>Figures</h2>{_table(rows)}"]
    parts += [f'<p class="answer">{escape(line)}</p>' for line in shortfalls if not line.startswith("dialogue ")]
    if since is not None:
        parts.append(f"<h3>Since the last run</h3>{_table(changes(since)) or '<p>Nothing has changed.</p>'}")
    return "\n".join([*parts, "</section>"])


def changes(since: Difference) -> list[tuple[str, str]]:
    """What changed between two runs, as rows of two cells."""
    groups = (
        ("broken", since.broken), ("shaken", since.shaken), ("mended", since.mended),
        ("new", since.new), ("gone", since.gone),
    )  # fmt: skip
    rows = [(name, ", ".join(ids)) for name, ids in groups if ids]
    if since.other_model:
        rows.insert(0, ("model", f"{since.other_model} before"))
    if since.other_suite:
        rows.insert(0, ("suite", "its file has changed"))
    return rows + [
        (f"{stage}, median", f"{before:.2f} s, now {now:.2f} s")
        for stage, (before, now) in since.medians.items()
        if abs(now - before) >= 0.01
    ]


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>" if cells else ""


def _dialogue(run: DialogueRun, folder: Path) -> str:
    verdict = "passed" if run.passed else "failed"
    title = f"{escape(run.dialogue)} <code>{escape(run.kind)}</code> {verdict}"
    if run.repeat > 1:
        title += f" <code>run {run.repeat}</code>"
    turns = "\n".join(_turn(number, turn, folder) for number, turn in enumerate(run.turns, 1))
    return f"<section><h2>{title}</h2>{turns}</section>"


def _turn(number: int, turn: TurnRecord, folder: Path) -> str:
    parts = [f'<h3><span class="number">{number}</span> “{escape(turn.said)}”</h3>', _sound("user", turn, folder)]
    if turn.heard:
        parts.append(f'<p class="fine">heard “{escape(turn.heard)}”</p>')
    parts += [f"<p><code>{escape(call)}</code></p>" for call in turn.calls]
    parts.append(f'<p class="answer">{escape(turn.answer or "no answer")}</p>')
    label = "agent" if turn.voice is None else f"agent in the voice of {turn.voice}"
    parts.append(_sound("agent", turn, folder, label))
    if turn.error is not None:
        parts.append(f'<p class="card">failed: {escape(turn.error)}</p>')
    rows = [(one.check, "right" if one.passed else one.detail) for one in turn.verdicts]
    rows += [(stage, f"{seconds:.2f} s") for stage, seconds in turn.stages.items()]
    return "\n".join([*parts, _table(rows)])


def _sound(name: str, turn: TurnRecord, folder: Path, label: str | None = None) -> str:
    if name not in turn.sounds:
        return ""
    try:
        return player(label or name, Audio.load(folder / turn.sounds[name]), turn.sounds[name])
    except AudioError as error:
        return f'<p class="fine">{escape(str(error))}</p>'
