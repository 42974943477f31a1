"""`export_session`: a stored session as files for people and programs."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from agentaudio.conversation import AudioPart, Conversation, Message, SpeechPart, TextPart, ToolCall, ToolOutput
from agentaudio.errors import AudioError, StorageError
from agentaudio.escaping import visible
from agentaudio.page import page, player
from agentaudio.plain import plain
from agentaudio.saved_conversation import save_conversation
from agentaudio.sound.audio import Audio
from agentaudio.storage.records import SessionRow, TurnRow

WHY = {
    "interrupted": "interrupted",
    "failed": "the turn failed",
    "length": "cut off at a length limit",
    "tool_calls": "waits for the results of calls",
    "max_steps": "the last step",
    "refused": "stopped by a check",
    "usage_limit": "a usage limit was reached",
}
"""Ends of turns that a reader should know of."""


def export_session(
    session: SessionRow, turns: Sequence[TurnRow], conversation: Conversation, folder: str | os.PathLike[str]
) -> Path:
    """Write a session to a new folder. Blocks.

    conversation.json       the messages, which `load_conversation` reads, with their sound beside it
    session.json            the session and its turns: times, models, voices, usage, timings
    session.html            one page with everything in it, sound as MP3

    Raises StorageError when the folder exists or cannot be written, or sound is missing; then nothing is left there.
    """
    folder = Path(folder)
    if folder.exists():
        raise StorageError(f"{folder} exists already; choose another place")
    about = {name: value for name, value in asdict(session).items() if name != "turns"}
    facts = [{k: v for k, v in asdict(turn).items() if k not in ("messages", "sounds")} for turn in turns]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=folder.parent) as scratch:
            made = Path(scratch) / folder.name
            made.mkdir()
            save_conversation(conversation, made / "conversation.json")
            text = json.dumps({"agentaudio_session": 1, "session": about, "turns": facts}, ensure_ascii=False, indent=1)
            (made / "session.json").write_bytes(text.encode("utf-8", "replace"))
            (made / "session.html").write_bytes(session_page(session, turns, conversation))
            made.rename(folder)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}; choose another place") from None
    return folder


def session_page(session: SessionRow, turns: Sequence[TurnRow], conversation: Conversation) -> bytes:
    """The session as one HTML page that needs no other file."""
    owner = f" of {session.speaker}" if session.speaker else ""
    intro = f"{session.turns} turns{owner}, from {_time(session.begun)} to {_time(session.changed)} UTC."
    body = "\n".join(_turn(turn, conversation.of_turn(turn.number)) for turn in turns)
    return page(f"Session {visible(session.id)}", visible(intro), body)


def _turn(turn: TurnRow, messages: Sequence[Message]) -> str:
    voice = f" · voice {', '.join(turn.voices)}" if turn.voices else ""
    parts = [f'<section><h2><span class="number">{turn.number}</span></h2>']
    for message in messages:
        parts += [part for one in message.parts for part in _part(one)]
    fine = f"{_time(turn.at)} · {turn.model}{voice}"
    if turn.stop in WHY:
        fine += f" · {WHY[turn.stop]}"
    if turn.error:
        fine += f": {turn.error}"
    return "\n".join([*parts, f"<p class=fine>{_text(fine)}</p></section>"])


def _part(part: TextPart | AudioPart | SpeechPart | ToolCall | ToolOutput) -> Iterator[str]:
    match part:
        case TextPart(text=text):
            yield f"<p><b>“{_text(text)}”</b></p>"
        case AudioPart(audio=audio, transcript=transcript):
            yield f"<p><b>“{_text(transcript or '…')}”</b></p>"
            yield from _sound("question", audio)
        case SpeechPart(text=text, audio=audio, interrupted=interrupted):
            yield f'<p class="answer">{_text(text)}{" …" if interrupted else ""}</p>'
            if audio is not None:
                yield from _sound("answer", audio)
        case ToolCall(name=name, arguments=arguments):
            given = ", ".join(
                f"{key}={json.dumps(plain(value), ensure_ascii=False)}" for key, value in arguments.items()
            )
            yield f"<p><code>{_text(name)}({_text(given)})</code></p>"
        case ToolOutput(name=name, text=text, is_error=is_error):
            said = f"{name} failed" if is_error else name
            yield f"<details><summary>result of {_text(said)}</summary><p>{_text(text)}</p></details>"


def _sound(label: str, audio: Audio) -> Iterator[str]:
    if not len(audio):
        return
    held = Audio(audio.samples, audio.sample_rate)  # in memory once, while it is drawn and encoded
    try:
        kind, content = "mpeg", held.to_bytes("mp3")
    except AudioError:  # a rate that MP3 does not have
        kind, content = "wav", held.to_bytes("wav")
    yield player(label, held, f"data:audio/{kind};base64,{base64.b64encode(content).decode()}")


def _text(text: str) -> str:
    return escape(visible(text))


def _time(at: str) -> str:
    return at[:19].replace("T", " ")
