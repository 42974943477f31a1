"""`Playback`: how much of a turn's speech the listener heard, and what the conversation keeps of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from agentaudio.conversation import Conversation, SpeechPart, SpeechTokens
from agentaudio.errors import OptionError
from agentaudio.sound.aside import SoundsAside
from agentaudio.sound.audio import Audio
from agentaudio.text.cutting import whole_words
from agentaudio.voice_library.voice import Voice

SECONDS_PER_CHARACTER = 1 / 25
"""Duration of a character in very fast English. Lower bound for words whose sound is not complete yet."""

UNHEARD_TAIL_S = 0.05
"""Tolerance for reports of the end of the sound, because players round."""


class SpokenStep:
    """The speech of one generation: words and sound on one timeline.

    Words are assumed to be spoken in the sound that follows them, at an even rate of characters. This is a
    close estimate, because models emit words shortly before their sound.

    voice: the voice it is spoken in; None is the model's own
    part: this step's part of the conversation; None when it has none
    complete: whether the model has finished the generation
    """

    def __init__(self, voice: Voice | None = None) -> None:
        self.voice = voice
        self.part: SpeechPart | None = None
        self.complete = False
        self.duration = 0.0
        self._pieces: list[str | Audio] = []
        self._tokens: SpeechTokens | None = None

    def add(self, piece: str | Audio) -> None:
        """Append words or sound."""
        self._pieces.append(piece)
        if isinstance(piece, Audio):
            self.duration += piece.duration

    def add_tokens(self, tokens: SpeechTokens) -> None:
        """Append speech tokens. Raises ConversationError when their codec differs from that of earlier ones."""
        self._tokens = tokens if self._tokens is None else self._tokens + tokens

    def take_back(self) -> None:
        """Remove the newest piece, which the reader did not get."""
        piece = self._pieces.pop()
        if isinstance(piece, Audio):
            self.duration -= piece.duration
        self.complete = False

    def set_aside(self, aside: SoundsAside) -> None:
        """Put its sound into a file."""
        self._pieces = [aside.put(piece) if isinstance(piece, Audio) else piece for piece in self._pieces]

    def __len__(self) -> int:
        return len(self._pieces)

    def heard(self, seconds: float | None) -> SpeechPart | None:
        """Words, sound and tokens of the first `seconds` of this step; None stands for all of them.

        Returns None when nothing was heard.
        """
        sounds = [piece for piece in self._pieces if isinstance(piece, Audio)]
        sound = Audio.concat(sounds) if sounds else None
        complete = self.complete
        if seconds is None or (complete and seconds >= self.duration - UNHEARD_TAIL_S):
            text = "".join(piece for piece in self._pieces if isinstance(piece, str))
        else:
            seconds = min(seconds, self.duration)  # more cannot have been played
            text, complete = self._words_until(seconds), False
            sound = None if sound is None else sound.slice(0.0, seconds)
        text = text.strip()
        if not text and (sound is None or not len(sound)):
            return None
        cut_s = None if complete or sound is None else sound.duration
        tokens = self._tokens
        if tokens is not None and cut_s is not None:
            tokens = tokens.until(cut_s)
        return SpeechPart(text, sound, tokens, interrupted=not complete, cut_s=cut_s)

    def _words_until(self, seconds: float) -> str:
        heard: list[str] = []
        for text, start, end in self._segments():
            if seconds < end - 1e-6:
                share = max(0.0, seconds - start) / (end - start)
                return "".join(heard) + whole_words(text, int(len(text) * share + 1e-6))
            heard.append(text)
        return "".join(heard)

    def _segments(self) -> Iterator[tuple[str, float, float]]:
        """Yield stretches of words with their start and end, in seconds of this step's sound."""
        text, start, now = "", 0.0, 0.0
        for piece in self._pieces:
            if isinstance(piece, Audio):
                now += piece.duration
            elif now > start and text:
                yield text, start, now
                text, start = piece, now
            else:
                text, start = text + piece, start if text else now
        if not self.complete:  # the sound of the last words may not be complete
            now = max(now, start + len(text) * SECONDS_PER_CHARACTER)
        if text:
            yield text, start, max(now, start + 1e-9)


class Playback:
    """The speech of one turn, and how much of it the listener has heard.

    plays: True when the reader of the events plays the sound and reports its position; False when it does
        not, so that everything it read counts as heard; None while this is unknown, which is treated as
        False until the first report
    speaks: whether words have sound; without sound, words count as heard when they are read
    """

    def __init__(self, plays: bool | None, *, speaks: bool) -> None:
        self.plays = plays
        self.stopped = False
        self._speaks = speaks
        self.steps: list[SpokenStep] = []
        self._reported_s = 0.0

    def begin_step(self, voice: Voice | None = None) -> SpokenStep:
        self.steps.append(SpokenStep(voice))
        return self.steps[-1]

    def report(self, seconds: float) -> None:
        """Record that `seconds` of the turn's sound were played. Raises OptionError for negative numbers and NaN."""
        if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise OptionError(f"played({seconds!r}): give the seconds of this turn's sound that were played, 0 or more")
        self.plays = True
        self._reported_s = max(self._reported_s, seconds)  # reports may arrive out of order

    def take_back(self, count: int) -> None:
        """Remove the newest `count` pieces of words and sound, which the reader did not get."""
        for step in reversed(self.steps):
            while count and len(step):
                step.take_back()
                count -= 1

    def heard(self) -> list[SpeechPart | None]:
        """The heard part of each step; None where nothing was heard."""
        left = self._reported_s
        parts = []
        for step in self.steps:
            read = not self.plays or not self._speaks or (step.complete and not step.duration)
            parts.append(step.heard(None if read else left))
            left = max(0.0, left - step.duration)
        return parts

    def settle(self, conversation: Conversation) -> None:
        """Reduce the parts in `conversation` to what was heard."""
        for step, part in zip(self.steps, self.heard(), strict=True):
            if step.part is not None and part != step.part and conversation.replace(step.part, part):
                step.part = part
