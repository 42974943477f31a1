"""`Thoughts`, `without_thoughts`: leave out what a reasoning model thinks at the beginning of its text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from agentaudio.model.speech_lm import Delta, End, TextDelta

MARKS = {"<think>": "</think>", "<thinking>": "</thinking>", "[THINK]": "[/THINK]"}
"""What opens and closes thoughts: Qwen and DeepSeek, others, Magistral."""


class Thoughts:
    """Leaves out thoughts. Only at its beginning can a text hold thoughts; later marks are words.

    opened: the mark that the prompt ends with, whose thoughts the text therefore begins in; "" for none

    Thoughts that are never closed leave no words.
    """

    def __init__(self, opened: str = "") -> None:
        self._closer = MARKS.get(opened, "")
        self._held = ""
        self._decided = False

    def feed(self, text: str) -> str:
        """The words of the answer that are certain after this piece."""
        if self._decided:
            return text
        self._held += text
        if not self._closer:
            begun = self._held.lstrip()
            opener = next((mark for mark in MARKS if begun.startswith(mark)), None)
            if opener is None:
                if any(mark.startswith(begun) for mark in MARKS):
                    return ""
                return self._release(self._held)
            self._closer, self._held = MARKS[opener], begun[len(opener) :]
        thoughts, closer, words = self._held.partition(self._closer)
        if not closer:
            self._held = thoughts[-len(self._closer) :]
            return ""
        self._held, words = f"{closer}{words}", words.lstrip()
        return self._release(words) if words else ""

    def finish(self) -> str:
        """What was held back, at the end of the text: its beginning, when that only resembles a mark."""
        return "" if self._decided or self._closer else self._release(self._held)

    def _release(self, words: str) -> str:
        self._decided, self._held = True, ""
        return words


def opened_by(prompt: str) -> str:
    """The mark that a prompt ends with, in whose thoughts the answer begins; "" for none."""
    return next((mark for mark in MARKS if prompt.rstrip().endswith(mark)), "")


async def without_thoughts(deltas: AsyncIterator[Delta]) -> AsyncGenerator[Delta, None]:
    """The deltas of an answer without the thoughts at the beginning of its text. It does not close `deltas`."""
    thoughts = Thoughts()
    async for delta in deltas:
        words = ""
        if isinstance(delta, TextDelta):
            words = thoughts.feed(delta.text)
        elif isinstance(delta, End):
            words = thoughts.finish()
        if words:
            yield TextDelta(words)
        if not isinstance(delta, TextDelta):
            yield delta
