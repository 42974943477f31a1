"""The phrases of a spoken text, the check of their sounds, and the seams between them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from agentaudio.sound.audio import Audio
from agentaudio.text.languages import has_cjk
from agentaudio.text.phrases import SpokenPhrases
from agentaudio.text.spoken_form import spoken_words
from agentaudio.text.words import word_count

SHORTEST_WORDS = 5
"""Words of a phrase; a shorter one is joined with the next, because synthesisers add sounds to very short ones."""

LEAST_S_PER_WORD = 0.08
LONGEST_S, LONGEST_S_PER_WORD, LONGEST_S_PER_SIGN = 3.0, 1.5, 0.5
"""The sound of a phrase that is shorter or longer than its words allow is broken. A sign is a digit or a capital
letter, each of which may be read as a word."""

AUDIBLE = 0.001
"""-60 dBFS: a quieter sample counts as silence."""

HELD_S = 0.2
"""Audible sound of a phrase that is held back until it is certain that the phrase is not broken."""

SENTENCE_PAUSE_S, CLAUSE_PAUSE_S, OTHER_PAUSE_S = 0.3, 0.1, 0.02
"""Silence between two phrases, by the mark at the end of the first."""
LEAD_S = 0.05
"""Most silence before the first phrase."""
CLAUSE_MARKS = frozenset(",;:-—–，、；：")


class JoinedPhrases:
    """Cuts text that arrives in pieces into phrases as they are read aloud, of SHORTEST_WORDS words or more.

    Only the last phrase may be shorter. However the text is divided, the phrases are the same.

    language: of the text; None reads sentences with Chinese characters in Chinese and leaves others to the synthesiser
    """

    def __init__(self, language: str | None = None) -> None:
        self._phrases = SpokenPhrases(language, read=None if language else _read)
        self._held = ""

    def push(self, text: str) -> list[str]:
        """Add a piece of text; returns the phrases that it completes."""
        return self._joined(self._phrases.push(text))

    def finish(self) -> list[str]:
        """The remaining phrases of a text that is complete; nothing may be pushed afterwards."""
        found = self._joined(self._phrases.finish())
        return [*found, self._held] if word_count(self._held) else found

    def _joined(self, phrases: Iterable[str]) -> list[str]:
        found = []
        for phrase in phrases:
            self._held = f"{self._held} {phrase}".strip()
            if word_count(self._held) >= SHORTEST_WORDS:
                found.append(self._held)
                self._held = ""
        return found


def _read(sentence: str) -> str:
    return spoken_words(sentence, "zh" if has_cjk(sentence) else None)


def least_s(phrase: str) -> float:
    """Seconds below which the audible sound of a phrase is broken."""
    return LEAST_S_PER_WORD * word_count(phrase)


def longest_s(phrase: str) -> float:
    """Seconds above which the sound of a phrase is broken."""
    signs = sum(one.isdigit() or one.isupper() for one in phrase)
    return LONGEST_S + LONGEST_S_PER_WORD * word_count(phrase) + LONGEST_S_PER_SIGN * signs


def audible_s(sound: Audio) -> float:
    """Seconds from the first to the last audible sample; 0 for silence."""
    heard = np.flatnonzero(np.abs(sound.samples) >= AUDIBLE)
    return 0.0 if not len(heard) else (int(heard[-1]) - int(heard[0]) + 1) / sound.sample_rate


class PhraseCheck:
    """Judges the sound of a phrase, and holds its beginning back until it cannot be broken any more."""

    def __init__(self, phrase: str) -> None:
        self._least_s, self._longest_s = least_s(phrase), longest_s(phrase)
        self._held: list[Audio] = []
        self._begun = False
        self._sound_s = self._audible_s = 0.0

    def take(self, sound: Audio) -> list[Audio]:
        """Add a sound; returns what may be played now."""
        self._sound_s += sound.duration
        self._audible_s += audible_s(sound)
        if self._begun:
            return [sound]
        self._held.append(sound)
        self._begun = self._audible_s >= HELD_S
        return self.rest() if self._begun else []

    def rest(self) -> list[Audio]:
        """What was held back."""
        held, self._held = self._held, []
        return held

    @property
    def is_too_long(self) -> bool:
        return self._sound_s > self._longest_s

    @property
    def problem(self) -> str:
        """What is wrong with the sound as a whole; empty when nothing is."""
        if self.is_too_long:
            return f"it lasts longer than {self._longest_s:.1f} s"
        if not self._audible_s:
            return "it is silent"
        return f"{self._audible_s:.2f} s are too short for it" if self._audible_s < self._least_s else ""


class Seams:
    """Joins the sounds of phrases so that the pauses between them are those of one speaker.

    Silence before the first phrase is cut to LEAD_S. Between two phrases there is at least the pause of the mark that
    ends the first.
    """

    def __init__(self) -> None:
        self._quiet_s = 0.0  # silence at the end of what was joined
        self._pause_s: float | None = None  # wanted before the next phrase; None inside a phrase
        self._is_first = True

    def begin(self, before: str | None) -> None:
        """Begin a phrase. before: the phrase before it; None for the first"""
        self._pause_s = 0.0 if before is None else pause_after(before)

    def join(self, sound: Audio) -> Audio:
        """The next sound of the phrase, with the pause that its seam needs; silence at its beginning is dropped."""
        if self._pause_s is not None:
            heard = np.flatnonzero(np.abs(sound.samples) >= AUDIBLE)
            if not len(heard):
                return sound.slice(0, 0)
            lead_s = int(heard[0]) / sound.sample_rate
            wanted_s = LEAD_S if self._is_first else max(0.0, self._pause_s - self._quiet_s)
            kept_s = min(lead_s, wanted_s if self._is_first else max(wanted_s, LEAD_S))
            missing_s = 0.0 if self._is_first else max(0.0, wanted_s - kept_s)
            sound = sound.slice(lead_s - kept_s)
            if missing_s:
                sound = Audio.concat([Audio.silence(missing_s, sound.sample_rate), sound])
            self._pause_s, self._is_first = None, False
        self._measure(sound)
        return sound

    def _measure(self, sound: Audio) -> None:
        heard = np.flatnonzero(np.abs(sound.samples) >= AUDIBLE)
        if len(heard):
            self._quiet_s = (len(sound) - 1 - int(heard[-1])) / sound.sample_rate
        else:
            self._quiet_s += sound.duration


def pause_after(phrase: str) -> float:
    """The pause that the mark at the end of a phrase asks for, in seconds."""
    last = phrase.rstrip("\"')]}”’»」』）】》 ")[-1:]
    if last in CLAUSE_MARKS:
        return CLAUSE_PAUSE_S
    return SENTENCE_PAUSE_S if last and not last.isalnum() else OTHER_PAUSE_S
