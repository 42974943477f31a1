"""`write_report`: the demo as an HTML page with waveforms, audio players and the trace of each turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

from agentaudio import events
from agentaudio.demo.run import DemoTurn
from agentaudio.errors import AudioError
from agentaudio.events import Event
from agentaudio.files import write_atomically
from agentaudio.page import page, player
from agentaudio.tools.execution import ToolRun
from agentaudio.voice_library.voice import Voice

TITLE = "Three turns with agentaudio"
INTRO = (
    "Each question is a recording. The agent recognised it, called the tools it needed, retrieved text or a voice, "
    "and spoke the answer in the voice that was current. Everything ran on this machine."
)


def write_report(turns: Sequence[DemoTurn], path: Path) -> Path:
    """Write the page to `path`. The sound files of the turns must be in its folder.

    Raises AudioError when the page cannot be written.
    """
    body = "\n".join(_turn(number, turn, path.parent) for number, turn in enumerate(turns, start=1))
    write_atomically(path, page(TITLE, INTRO, body), error=AudioError)
    return path


def _turn(number: int, turn: DemoTurn, folder: Path) -> str:
    heard = turn.reply.heard if turn.reply and turn.reply.heard else "…"
    said = turn.reply.text if turn.reply else "no answer"
    parts = [
        f'<section><h2><span class="number">{number}</span> “{escape(heard)}”</h2>',
        player("question", turn.question, turn.question_file.name),
    ]
    changed = [event.voice for event in turn.events if isinstance(event, events.VoiceChanged)]
    if changed and changed[-1] is not None:
        parts.append(_card(changed[-1], folder))
    parts.append(f'<p class="answer">{escape(said)}</p>')
    if turn.reply and turn.reply.audio and turn.answer_file:
        voice = f" in the voice of {turn.reply.voice.name}" if turn.reply.voice else ""
        parts.append(player("answer" + voice, turn.reply.audio, turn.answer_file.name))
    if turn.reply and turn.reply.citations:
        quotes = "".join(
            f"<li><b>{escape(c.title)}</b> <code>{escape(c.source)}</code><q>{escape(c.quote)}</q></li>"
            for c in turn.reply.citations
        )
        parts.append(f'<ul class="citations">{quotes}</ul>')
    parts.append(_trace(turn.events))
    return "\n".join([*parts, "</section>"])


def _card(voice: Voice, folder: Path) -> str:
    clip = voice.clip.save(folder / f"voice-{voice.id}.wav")
    card = voice.card
    made = f"{card.source.engine} {card.source.voice}" if card.source else "unknown source"
    consent = f"{card.consent.basis}, {card.consent.holder}" if card.consent else "none"
    return (
        f'<div class="card"><h3>{escape(card.name)} <code>{escape(card.id)}</code></h3>'
        f"<p>{escape(card.description)}</p>"
        f"<p class=fine>{escape(made)} · licence {escape(card.licence or 'none')} · consent: {escape(consent)}</p>"
        f"{player('retrieved reference', voice.clip, clip.name)}</div>"
    )


def _with_words_joined(happened: Sequence[Event]) -> list[Event]:
    """The events, those of words that follow each other as one with the time of the first."""
    joined: list[Event] = []
    for event in happened:
        last = joined[-1] if joined else None
        if isinstance(event, events.TextSpoken) and isinstance(last, events.TextSpoken):
            joined[-1] = replace(last, text=last.text + event.text)
        else:
            joined.append(event)
    return joined


def _trace(happened: Sequence[Event]) -> str:
    shown = [event for event in _with_words_joined(happened) if _summary(event)]
    total = max((event.at_s for event in happened), default=1.0) or 1.0
    rows = "".join(
        f'<tr><td class="time">{event.at_s:.2f} s</td>'
        f'<td class="line"><i style="left:{92 * event.at_s / total:.1f}%"></i></td>'
        f"<td><code>{event.type}</code></td><td>{_summary(event)}</td></tr>"
        for event in shown
    )
    return f"<details open><summary>trace</summary><table>{rows}</table></details>"


def _result(run: ToolRun) -> str:
    passages = run.result.passages
    if passages:
        return f"{len(passages)} passages, best: {passages[0].title}"
    return run.result.text[:160]


def _summary(event: Event) -> str:
    """One event in a few words, as HTML; empty for events that the trace leaves out."""
    match event:
        case events.SpeechHeard(text=text, confidence=confidence):
            sure = "" if confidence is None else f" · confidence {confidence:.2f}"
            return f"“{escape(text)}”{sure}"
        case events.ToolStarted(call=call):
            given = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
            return f"{escape(call.name)}({escape(given)})"
        case events.ToolFinished(run=run):
            return f"{run.status} in {1000 * run.duration_s:.0f} ms: {escape(_result(run))}"
        case events.VoiceChanged(voice=voice):
            return escape(voice.name if voice else "the model's own voice")
        case events.PassageCited(citation=citation):
            return escape(f"{citation.title} ({citation.source})")
        case events.TextSpoken(text=text):
            return escape(text)
        case events.AudioSpoken(audio=audio):
            return f"{audio.duration:.2f} s of sound"
        case events.TurnFinished(reply=reply):
            return escape(", ".join(f"{name} {value:.2f} s" for name, value in reply.timings.items()))
        case events.TurnFailed(error=error):
            return escape(str(error))
        case _:
            return ""
