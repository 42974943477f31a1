"""`find_excerpt`: the part of a recording with the most speech."""

from __future__ import annotations

from dataclasses import dataclass

from agentaudio.errors import VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.vad import VoiceActivity

SHORTEST_SPEECH_S = 1.0
WISHED_S, LONGEST_S = 3.0, 15.0
MARGIN_S = 0.2
BLOCK_S = 120.0


@dataclass(frozen=True)
class Excerpt:
    """A part of a recording, and when in it someone speaks: (start, end) in seconds of the excerpt."""

    audio: Audio
    speech: tuple[tuple[float, float], ...]

    @property
    def speech_s(self) -> float:
        return sum(end - start for start, end in self.speech)


def find_excerpt(audio: Audio, activity: VoiceActivity, least_s: float = SHORTEST_SPEECH_S) -> Excerpt:
    """The stretch of up to LONGEST_S with the most speech, and MARGIN_S before and after it.

    A long recording is searched in blocks of BLOCK_S until one holds WISHED_S of speech.

    Raises VoiceError when there is less than `least_s` of speech, and MissingExtra without
    the extra `embedded`.
    """
    best = Excerpt(audio.slice(0, 0), ())
    start = 0.0
    while start < audio.duration and best.speech_s < WISHED_S:
        block = audio if audio.duration <= BLOCK_S else audio.slice(start, start + BLOCK_S)
        found = _best_of(block, activity.speech(block))
        best = max(best, found, key=lambda excerpt: excerpt.speech_s)
        start += BLOCK_S
    if best.speech_s < least_s:
        raise VoiceError(
            f"in {audio.duration:.1f} s of sound there are {best.speech_s:.1f} s of speech; "
            f"give at least {least_s:g} s, best {WISHED_S:g} to {LONGEST_S:g} s"
        )
    return best


def _best_of(audio: Audio, stretches: list[tuple[float, float]]) -> Excerpt:
    room = LONGEST_S - 2 * MARGIN_S
    best: tuple[float, list[tuple[float, float]]] = (0.0, [])
    for first, (start, _) in enumerate(stretches):
        inside = [(begin, min(end, start + room)) for begin, end in stretches[first:] if begin < start + room]
        # A shorter excerpt is better than one that cuts a word: drop a cut stretch, unless it is the only one.
        if len(inside) > 1 and stretches[first + len(inside) - 1][1] > start + room:
            inside.pop()
        speech_s = sum(end - begin for begin, end in inside)
        if speech_s > best[0]:
            best = speech_s, inside
    if not best[1]:
        return Excerpt(audio.slice(0, 0), ())
    begin, end = max(0.0, best[1][0][0] - MARGIN_S), min(audio.duration, best[1][-1][1] + MARGIN_S)
    speech = tuple((start - begin, stop - begin) for start, stop in best[1])
    return Excerpt(audio.slice(begin, end), speech)
