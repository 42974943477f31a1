"""`SpeechGate`: holds words and sound of an answer until the words are approved."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from agentaudio.model.speech_lm import AudioDelta, TextDelta, TokensDelta
from agentaudio.text.sentences import SentenceStream

LONGEST_HELD = 600
"""Characters of a text without the end of a sentence, after which it is judged up to its last white space."""

Held = TextDelta | AudioDelta | TokensDelta


class SpeechGate:
    """Takes the words and sound of one generation, and lets them out in their order once the words are approved.

    Sound leaves after all words that came before it. The words are judged sentence by sentence: `push` and `finish`
    give the sentences, `approve` takes the verdict on each, in the same order. From the beginning of a sentence that
    is replaced, the generation's own sound is dropped: it may hold the words that were replaced.

    words_lead: as in Capabilities; without it no sound leaves before `finish`

    has_words, has_sound: whether the answer has any so far
    has_spoken: whether words have left
    """

    def __init__(self, *, words_lead: bool) -> None:
        self._words_lead = words_lead
        self._sentences = SentenceStream(as_written=True)
        self._held: deque[tuple[int, Held]] = deque()  # with the characters of the answer that each stands for
        self._given = self._judged = self._released = 0  # characters of the answer
        self._approved = 0  # at least `_judged`: white space needs no verdict
        self._muted = self._finished = False
        self._has_verdict = False  # on any word
        self.has_words = self.has_sound = self.has_spoken = False

    def push(self, delta: Held) -> list[str]:
        """Take more of the answer; returns the sentences that it completes."""
        if not isinstance(delta, TextDelta):
            self.has_sound = True
            if not self._muted:
                self._held.append((0, delta))
            return []
        self.has_words = self.has_words or bool(delta.text.strip())
        self._held.append((len(delta.text), delta))
        self._given += len(delta.text)
        return [*self._sentences.push(delta.text), *self._cut()]

    def finish(self) -> list[str]:
        """The remaining sentences of an answer that is complete."""
        self._finished = True
        return self._sentences.finish()

    def approve(self, sentence: str, said: str) -> None:
        """Take the verdict on the next sentence. said: the words to be used; the sentence itself when it is fine"""
        start, end = self._judged, self._judged + len(sentence)
        self._judged = end
        self._has_verdict = self._has_verdict or bool(sentence.strip())
        self._approved = max(self._approved, end)
        if said != sentence:
            self._replace(start + len(sentence) - len(sentence.lstrip()), end, said)

    def mute(self) -> None:
        """Drop the sound that has not left, and all that comes."""
        self._muted = True
        self._held = deque((size, delta) for size, delta in self._held if size)

    def ready(self) -> Iterator[Held]:
        """What may leave now."""
        if not self._sentences.rest.strip() and self._judged + len(self._sentences.rest) >= self._given:
            self._approved = self._given
        while self._held:
            size, delta = self._held[0]
            free = self._approved - self._released
            if not isinstance(delta, TextDelta):
                leads = self._words_lead and self._has_verdict
                if not (self._approved == self._given if self._finished else leads):
                    return
                self._held.popleft()
                yield delta
            elif size <= free:
                self._held.popleft()
                self._released += size
                if delta.text:
                    self.has_spoken = True
                    yield delta
            else:
                if free > 0:  # a replacement is never cut: it is approved as a whole
                    self._held[0] = size - free, TextDelta(delta.text[free:])
                    self._released += free
                    self.has_spoken = True
                    yield TextDelta(delta.text[:free])
                return

    def _cut(self) -> list[str]:
        """The beginning of a sentence that is too long, as far as whole words go."""
        if len(self._sentences.rest) <= LONGEST_HELD:
            return []
        text = "".join(self._sentences.finish())
        cut = len(text) - len(text.split()[-1]) if len(text.split()) > 1 else len(text)
        return [text[:cut], *self._sentences.push(text[cut:])]

    def _replace(self, start: int, end: int, said: str) -> None:
        """Put words in the place of those from `start` to `end`, and drop the sound after `start`."""
        held: deque[tuple[int, Held]] = deque()
        at, is_placed = self._released, False
        for size, delta in self._held:
            if not isinstance(delta, TextDelta):
                if at <= start and self._words_lead:
                    held.append((size, delta))
                continue
            before, after = max(0, min(size, start - at)), max(0, min(size, at + size - end))
            if before:
                held.append((before, TextDelta(delta.text[:before])))
            if size - before - after and not is_placed:
                is_placed = True
                held.append((end - start, TextDelta(said)))
            if after:
                held.append((after, TextDelta(delta.text[size - after :])))
            at += size
        self._held, self._muted = held, True
