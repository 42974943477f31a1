"""Pages and pictures of runs and of comparisons, in the look of the demo's report."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from html import escape
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentaudio.errors import EvaluationError, MissingExtra
from agentaudio.evaluation.compare import Comparison, Row
from agentaudio.evaluation.item import Answer
from agentaudio.evaluation.measures import in_words
from agentaudio.evaluation.published import model_title
from agentaudio.evaluation.result import Result
from agentaudio.files import replacing, write_atomically
from agentaudio.page import page, page_pieces

if TYPE_CHECKING:
    from agentaudio.evaluation.asking import Asking
    from agentaudio.evaluation.scores import Record

PAGE = "page.html"
ACCENT, DIM = "#2f6f5e", "#7a8291"
"""Colours of page.html."""


def save_page(result: Result, asking: Asking, folder: Path) -> Path:
    """Write the page of a run: its figures, then its items with sound, reference, answer and score, the worst first.

    Items without a score come before all others. Raises EvaluationError when the page cannot be written.
    """
    worst, number = asking.scores.worst(), len(asking.scores)
    more = f" The page shows the worst {len(worst)} of {number}." if number > len(worst) else ""
    intro = (
        f"{result.settings['model']}, {result.scored} of {result.items} answers scored: {result.scorer}. Data sha256 "
        f"{str(result.settings['data_sha256'])[:12]}. The worst answers come first.{more}"
    )
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td>{escape(one.group)}</td><td>{one.value:.2f}</td><td>{in_words(one)}</td>"
        f"<td>{one.items}</td></tr>"
        for one in result.figures
    )
    table = f"<tr><td>figure<td>part<td>value<td>95 % interval<td>answers</tr>{rows}"
    note = f"<section><h2>Figures</h2><table>{table}</table><p class=fine>{escape(result.note)}</p></section>"
    items = (_item(record, Answer.from_dict(asking.answers.get(record.key) or {}), folder) for record in worst)
    path = folder / PAGE
    with replacing(path, error=EvaluationError) as temporary, open(temporary, "wb") as file:
        file.writelines(page_pieces(result.title, intro, chain([note], items)))
    return path


def save_comparison(comparison: Comparison, path: Path) -> Path:
    """Write a comparison as a page (.html), or as a picture (.png) of the figures that there are several values of.

    Raises EvaluationError for another suffix or a file that cannot be written, MissingExtra for a picture without
    matplotlib.
    """
    if path.suffix == ".html":
        content = page("Comparison", " ".join(f"{one}." for one in comparison.warnings), _bars(comparison))
    elif path.suffix == ".png":
        content = _picture(comparison)
    else:
        raise EvaluationError(f"{path} is neither a page nor a picture; give a name that ends in .html or .png")
    write_atomically(path, content, error=EvaluationError)
    return path


def _item(record: Record, answer: Answer, folder: Path) -> str:
    item, score = record.item, record.score
    value = "–" if score.value is None else f"{score.value:.2f}"
    why = " · ".join(part for part in (score.problem, score.why) if part)
    asked = _audio("question", os.path.relpath(item.audio, folder)) if item.audio is not None else ""
    said = "".join(_audio("answer", one) for one in answer.sounds)
    seed = f" · seed {record.seed}" if record.seed > 1 else ""
    compared = f" · compared as: {escape(score.shown)}" if score.shown else ""
    return (
        f'<section><h2><span class="number">{value}</span> {escape(item.id)}{seed}</h2>{asked}'
        f"<p class=fine>reference</p><p>{escape(item.reference)}</p>"
        f'<p class=fine>answer</p><p class="answer">{escape(answer.text)}</p>{said}'
        f"<p class=fine>{escape(why)}{compared}</p></section>"
    )


def _audio(label: str, source: str) -> str:
    player = f'<audio controls preload="none" src="{escape(source)}"></audio>'
    return f"<figure><figcaption>{label}</figcaption>{player}</figure>"


def _entries(row: Row, labels: Sequence[str]) -> list[tuple[str, float, float | None, float | None, bool]]:
    """(label, value, low, high, whether it was measured here) of the bars of a row."""
    runs = [(label, row.figures[label]) for label in labels if label in row.figures]
    own = [(label, one.value, one.low, one.high, True) for label, one in runs]
    return [*own, *((model_title(model), value, None, None, False) for model, value in row.published.items())]


def _bars(comparison: Comparison) -> str:
    parts = []
    for row in comparison.rows:
        entries = _entries(row, comparison.labels)
        widest = max([value for _, value, *_ in entries] + [high for *_, high, _ in entries if high] + [1e-9])
        lines = "".join(_bar(entry, widest) for entry in entries)
        verdicts = "; ".join(f"{label}: {verdict}" for label, verdict in row.verdicts.items())
        source = f"published: {row.source}" if row.source else ""
        parts.append(
            f"<section><h2>{escape(row.place)} · {escape(row.name)}</h2><table>{lines}</table>"
            f"<p class=fine>{escape(' · '.join(part for part in (verdicts, source) if part))}</p></section>"
        )
    return "\n".join(parts)


def _bar(entry: tuple[str, float, float | None, float | None, bool], widest: float) -> str:
    label, value, low, high, own = entry
    scale = 300 / widest
    whisker = "" if low is None or high is None else (
        f'<line x1="{low * scale:.1f}" x2="{high * scale:.1f}" y1="8" y2="8" stroke="currentColor"/>'
    )  # fmt: skip
    said = f"{value:.2f}" + ("" if low is None else f" ({low:.2f} to {high:.2f})")
    return (
        f'<tr><td>{escape(label)}</td><td><svg width="300" height="16"><rect width="{max(value, 0) * scale:.1f}" '
        f'height="12" y="2" fill="{ACCENT if own else DIM}"/>{whisker}</svg></td><td>{said}</td></tr>'
    )


def _picture(comparison: Comparison) -> bytes:
    try:
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise MissingExtra("a picture of a comparison", "eval") from None
    shown = [row for row in comparison.rows if len(_entries(row, comparison.labels)) > 1] or comparison.rows
    count = max(1, len(shown))
    heights = [max(1, len(_entries(row, comparison.labels))) for row in shown] or [1]
    canvas = Canvas(figsize=(8, 0.9 * count + 0.3 * sum(heights)), layout="constrained")
    axes: Any = canvas.subplots(count, squeeze=False, gridspec_kw={"height_ratios": heights})
    for row, axis in zip(shown, axes[:, 0], strict=False):
        entries = _entries(row, comparison.labels)[::-1]
        for at, (_, value, low, high, own) in enumerate(entries):
            axis.barh(at, value, color=ACCENT if own else DIM)
            if low is not None and high is not None:
                axis.plot([low, high], [at, at], color="black", linewidth=1)
            axis.annotate(f" {value:.2f}", (max(value, high or value), at), va="center", fontsize=8)
        axis.set_xlim(0, 1.15 * max([1e-9, *(max(value, high or value) for _, value, _, high, _ in entries)]))
        axis.set_yticks(range(len(entries)), [label for label, *_ in entries], fontsize=8)
        axis.set_title(f"{row.place} · {row.name}", fontsize=9, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    content = io.BytesIO()
    canvas.savefig(content, format="png", dpi=150)
    return content.getvalue()
