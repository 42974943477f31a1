"""Answers quoted from tool results: the best sentences of passages, or the text of the tool."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentaudio.conversation import IN_BACKGROUND, MAY_HAVE_EFFECT, STILL_RUNNING, UNEXPECTED, Citation, ToolOutput
from agentaudio.model.embedded.answering.extracts import extract
from agentaudio.quotation import unquoted
from agentaudio.text.apology import apology
from agentaudio.text.embedding import Embed
from agentaudio.text.sentences import sentences
from agentaudio.text.words import split_words

NOTHING_FOUND = {
    "search_documents": "I found nothing about that in my documents.",
    "web_search": "I found nothing about that on the web.",
}
LONGEST_TEXT = 400
VOICE_TOOL = "audio_search"
CLOCK_TOOL = "get_date_time"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's text and its sources."""

    text: str
    citations: tuple[Citation, ...]


def answer(question: str, outputs: Sequence[ToolOutput], embed: Embed, *, language: str | None = None) -> Answer:
    """The answer to a question after its tools have run.

    Of passages it takes the one to three sentences that fit best, in the order of the document, with citations (one
    for neighbouring sentences), or says that nothing was found. Other results are repeated, and a failed call is
    reported in one sentence. A change of voice is only mentioned when there is nothing else to say.

    language: code of the user's language, in which the answer apologises for a failure; None is English
    """
    texts: list[str] = []
    citations: list[Citation] = []
    others = [output for output in outputs if output.name != VOICE_TOOL or output.is_error]
    for output in others or outputs:
        if output.is_error:
            texts.append(_failure(output, language))
        elif output.passages:
            extracts = extract(question, output.passages, embed)
            if extracts:
                texts.append(" ".join(sentence.text for sentence in extracts))
                citations.extend(_joined(sentence.citation for sentence in extracts))
            else:
                texts.append(NOTHING_FOUND.get(output.name, "I found nothing about that."))
        elif output.name in NOTHING_FOUND:
            texts.append(NOTHING_FOUND[output.name])
        else:
            texts.append(_tool_text(question, output))
    return Answer(" ".join(dict.fromkeys(text for text in texts if text)) or "Done.", tuple(citations))


def _joined(citations: Iterable[Citation]) -> list[Citation]:
    """Citations, with sentences that follow each other in a source merged into one."""
    joined: list[Citation] = []
    for citation in citations:
        last = joined[-1] if joined else None
        if last and last.source == citation.source and 0 <= citation.position - _end(last) <= 2:
            joined[-1] = replace(last, quote=f"{last.quote} {citation.quote}")
        else:
            joined.append(citation)
    return joined


def _end(citation: Citation) -> int:
    return citation.position + len(citation.quote)


def _tool_text(question: str, output: ToolOutput) -> str:
    text = _readable(unquoted(output.text)).strip()
    if output.name == VOICE_TOOL:
        return _sentence(re.split(r":(?=\s|$)", next(iter(sentences(text)), ""), maxsplit=1)[0].removesuffix("."))
    if output.name == CLOCK_TOOL:
        return _clock(question, text)
    kept, *others = sentences(text) or [""]
    for following in others:
        if len(kept) + len(following) >= LONGEST_TEXT:
            break
        kept += " " + following
    return _sentence(kept[: 2 * LONGEST_TEXT])


def _clock(question: str, text: str) -> str:
    """The date or the time of "It is Sunday, November 22, 2026, 14:05 in Paris.", as the question asks."""
    match = re.fullmatch(r"It is (?P<date>.+, \d{4}), (?P<time>\d\d:\d\d)(?P<place> in .+?)?\.", text)
    words = set(split_words(question))
    if match is None:
        return _sentence(text)
    place = match["place"] or ""
    if words & {"date", "day", "weekday", "month", "year", "today", "tomorrow", "monday", "sunday"}:
        return f"It is {match['date']}{place}." if not words & {"time", "tomorrow"} else text
    return f"It is {match['time']}{place}."


def _failure(output: ToolOutput, language: str | None) -> str:
    what, text = output.name.replace("_", " "), unquoted(output.text)
    if language is not None or text.startswith(f"{output.name} {UNEXPECTED}"):
        return apology(language)
    text = _readable(text.removeprefix(f"{output.name} failed: ")).replace(output.name, what)
    reason = "".join(sentences(text)[:1])
    if any(words in reason for words in (STILL_RUNNING, MAY_HAVE_EFFECT, IN_BACKGROUND)):
        return _sentence(reason)  # "I could not do that" may be wrong
    reason = reason.partition("; ")[0].rstrip(".;")
    return f"I could not do that: {reason[:200]}." if reason else f"I could not do that: {what} failed."


def _readable(text: str) -> str:
    """JSON as "name: value" pairs; other text unchanged."""
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        try:
            return ", ".join(_pairs(json.loads(stripped)))
        except (ValueError, RecursionError):
            return text
    return text


def _pairs(held: Any, depth: int = 0) -> list[str]:
    if isinstance(held, dict) and depth < 3:
        found: list[str] = []
        for name, value in held.items():
            inner = _pairs(value, depth + 1)
            found += [f"{str(name).replace('_', ' ')}: {inner[0]}", *inner[1:]] if inner else []
        return found
    if isinstance(held, list) and depth < 3:
        return [pair for item in held[:5] for pair in _pairs(item, depth + 1)]
    return [] if held is None else [str(held)]


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else f"{text}."
