"""`Narrator`: prints a turn as it happens."""

from __future__ import annotations

import re
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from agentaudio import events
from agentaudio.cli.console import Terminal, mark, out
from agentaudio.escaping import one_line
from agentaudio.events import BaseEvent
from agentaudio.live.events import AgentStopped, NoticeSpoken

INDENT = 8
"""Columns before the text of a line."""


class Narrator:
    """Prints the events of a turn for people, one line each."""

    def __init__(self, console: Terminal = out) -> None:
        self._console = console
        self._in_answer = False
        self._column = 0

    def show(self, event: BaseEvent) -> None:
        match event:
            case events.SpeechHeard(text=text, confidence=confidence):
                sure = "" if confidence is None else f" (confidence {confidence:.2f})"
                self._line("heard", mark(f"“{text}”", "bold"), sure, at_s=event.at_s)
            case events.ToolStarted(call=call):
                given = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
                self._line("tool", f"{call.name}({given})", at_s=event.at_s)
            case events.ToolFinished(run=run):
                text = run.result.text
                if run.result.passages:
                    best = run.result.passages[0]
                    text = f"{len(run.result.passages)} passages, best: {best.title}"
                status = "" if run.status == "done" else mark(f"{run.status}: ", "red")
                self._line("", "→ ", status, _shortened(text), mark(f" ({1000 * run.duration_s:.0f} ms)", "dim"))
            case events.VoiceChanged(voice=None):
                self._line("voice", "the model's own", at_s=event.at_s)
            case events.VoiceChanged(voice=voice) if voice is not None:
                card = voice.card
                self._line("voice", mark(card.name, "magenta"), f": {card.description}", at_s=event.at_s)
                self._line("", mark(_provenance(voice.to_dict()), "dim"))
            case events.TextSpoken(text=text):
                if not self._in_answer:
                    self._console.print(mark("   says ", "green"), end="")
                    self._in_answer, self._column = True, INDENT
                self._say(text)
            case events.WordsUnspoken(words=words):
                self._line("", mark(f"without sound: {', '.join(words)}", "yellow"))
            case events.PassageCited(citation=citation):
                self._line("cites", f"{citation.title} ", mark(f"({citation.source})", "dim"), at_s=event.at_s)
            case NoticeSpoken(text=text):
                self._line("says", mark(text, "italic"))
            case AgentStopped(played_s=seconds):
                self._line("stopped", f"after {seconds:.1f} s of the answer")
            case events.ConversationCompacted(compacted=done):
                self._line(
                    "", mark(f"older turns compacted: {done.tokens_before} to {done.tokens_after} tokens", "dim")
                )
            case events.SavingFailed(error=error):
                self._line("", mark(f"not stored: {error}", "yellow"))
            case events.SavingResumed():
                self._line("", mark("everything is stored again", "dim"))
            case events.TurnStopped(stop=stop, by=by):
                why = "refused by the check" if stop == "refused" else "stopped by the usage limit"
                self._line("", mark(f"{why} {by}", "yellow"))
            case events.TurnFinished(reply=reply):
                shown = [f"{name.replace('_', ' ')} {value:.2f} s" for name, value in reply.timings.items()]
                self._line("timing", mark(" · ".join(shown), "dim"))
            case _:
                pass

    def close(self) -> None:
        """End the line of an answer that broke off."""
        if self._in_answer:
            self._console.print()
            self._in_answer = False

    def _say(self, text: str) -> None:
        """Print words of the answer; on a terminal, lines break between words."""
        for piece in re.findall(r"\s+|\S+", text):
            width = cell_len(piece)
            if self._console.is_terminal and self._column + width > self._console.width:
                self._console.print("\n" + " " * INDENT, end="")
                self._column = INDENT
                if piece.isspace():
                    continue
            self._console.print(piece, end="", style="bold")
            self._column += width

    def _line(self, label: str, *parts: str | Text, at_s: float | None = None) -> None:
        self.close()
        flat = [mark(one_line(part), "") if isinstance(part, str) else part for part in parts]
        when = "" if at_s is None else mark(f" {at_s:.2f} s", "dim")
        if not self._console.is_terminal:
            self._console.print(mark(f"{label:>7}", "green"), " ", *flat, when, sep="")
            return
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=INDENT - 1, justify="right")
        grid.add_column(overflow="fold")
        grid.add_row(mark(label, "green"), Text.assemble(*flat, when))
        self._console.print(grid, soft_wrap=False)


def _provenance(card: dict[str, Any]) -> str:
    source = card.get("source", {})
    made = " ".join(part for part in (source.get("engine", ""), source.get("voice", "")) if part)
    return f"{card['id']} · {card['language']} · {made} · licence {card.get('licence', 'none')}"


def _shortened(text: str, limit: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
