"""`transcribed`: the words of a sound, line by line, with the time of each. All formats are made of the same lines."""

from __future__ import annotations

import asyncio
import bisect
import itertools
import math
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass

from agentaudio.errors import MissingExtra
from agentaudio.model.parts import Recognises
from agentaudio.model.recognisers.pieces import Piece, pieces
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.model.transcribe import transcribe
from agentaudio.sound.audio import Audio
from agentaudio.sound.vad import SAMPLE_RATE_HZ, VoiceActivity
from agentaudio.text.languages import CJK, has_cjk
from agentaudio.text.sentences import sentence_spans

LONGEST_LINE, LONGEST_WIDE_LINE = 84, 32
"""Characters of a line: two rows of a subtitle. The second is for Chinese and Japanese."""
SHORTEST_S = 0.001
_BREAK = re.compile(rf"(?<=\S)\s|(?<=[{CJK}])(?=\w)|(?<=\w)(?=[{CJK}])")

Stretch = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A sentence, or a part of a long one.

    text: with the blank before it, if there is one, so that all texts joined are the transcript
    start, end: seconds; within a piece of speech they are estimated by the number of letters
    confidence, language: as in Recognition
    """

    text: str
    start: float
    end: float
    confidence: float | None = None
    language: str | None = None


async def transcribed(model: SpeechLM, audio: Audio, language: str | None) -> AsyncGenerator[Line, None]:
    """The lines of a sound, as they are recognised; none where nobody speaks.

    language: BCP-47 code; None lets the model find it out

    Raises what the model raises, such as OptionError for a language that it does not know.
    """
    sound = await asyncio.to_thread(audio.resample, SAMPLE_RATE_HZ)
    spoken, cut = await asyncio.to_thread(_cut, sound)
    words = ""
    for piece in cut:
        part = sound.slice(piece.start, piece.end)
        confidence, found = None, None
        if isinstance(model, Recognises):
            heard = await model.recognise(part, language=language)
            text, confidence, found = heard.text, heard.confidence, heard.language
        else:
            text = await transcribe(model, part)
        text = " ".join(text.split())
        if words and text and not has_cjk(text[:1]):
            text = f" {text}"
        for words, start, end in _lines(text, _within(spoken, piece)):
            yield Line(words, start, end, confidence, found or language)


def _cut(sound: Audio) -> tuple[list[Stretch], list[Piece]]:
    """Where someone speaks, and the pieces to recognise."""
    try:
        spoken = VoiceActivity().speech(sound)
    except MissingExtra:
        spoken = [(0.0, sound.duration)] if len(sound) else []
    return spoken, pieces(sound.samples, spoken)


def _within(spoken: Sequence[Stretch], piece: Piece) -> list[Stretch]:
    """The stretches of speech in a piece; the whole piece when there are none."""
    inside = [(max(start, piece.start), min(end, piece.end)) for start, end in spoken]
    return [one for one in inside if one[1] > one[0]] or [(piece.start, piece.end)]


def _lines(text: str, spoken: Sequence[Stretch]) -> Iterable[tuple[str, float, float]]:
    """(text, start, end) of the lines of a piece, whose time is shared out by letters. Joined, they are the text."""
    ends = [cut for start, end in sentence_spans(text) for cut in _cuts(text, start, end)]
    ends = [*ends[:-1], len(text)] if text else []
    starts = list(itertools.accumulate((end - start for start, end in spoken), initial=0.0))
    for start, end in itertools.pairwise((0, *ends)):
        begins, finishes = (_instant(at / len(text) * starts[-1], spoken, starts) for at in (start, end))
        yield text[start:end], begins, max(finishes, begins + SHORTEST_S)


def _instant(seconds: float, spoken: Sequence[Stretch], starts: Sequence[float]) -> float:
    """When so many seconds of speech have passed. starts: of each stretch in the speech, and the end of the last"""
    number = min(max(bisect.bisect_left(starts, seconds) - 1, 0), len(spoken) - 1)
    return min(spoken[number][0] + seconds - starts[number], spoken[number][1])


def _cuts(text: str, start: int, end: int) -> list[int]:
    """Where the lines of a sentence end: between words, or beside a character of Chinese or Japanese."""
    longest = LONGEST_WIDE_LINE if has_cjk(text[start:end]) else LONGEST_LINE
    count = math.ceil((end - start) / longest)
    places = [found.start() for found in _BREAK.finditer(text, start, end) if start < found.start() < end]
    cuts: list[int] = []
    for number in range(1, count):
        ideal = start + number * (end - start) / count
        place = min(places, key=lambda at: abs(at - ideal), default=start)
        if place > max([start, *cuts]):
            cuts.append(place)
    return [*cuts, end]
