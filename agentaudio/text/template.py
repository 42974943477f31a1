"""`Template`: a sentence with named slots, such as "play {song} by {artist}"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentaudio.text.words import split_words

_SLOT = re.compile(r"\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a template that any words may fill."""

    name: str

    @property
    def words(self) -> str:
        """The name as words: `museum_name` is "museum name"."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence that a developer wrote, with slots for the values of arguments.

    A str is never read as a template: the text of documents, cards and users stays as it is, whatever it holds.

    parts: the sentence in order, as text and slots
    """

    parts: tuple[str | Slot, ...]

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the slots, each once, in order."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Slot)))

    @property
    def fragments(self) -> tuple[str, ...]:
        """The text between the slots."""
        return tuple(part for part in self.parts if isinstance(part, str))

    def __len__(self) -> int:
        """Characters, with each slot written as `{name}`."""
        return sum(len(part) if isinstance(part, str) else len(part.name) + 2 for part in self.parts)

    def filled(self, values: Mapping[str, str]) -> str:
        """The sentence with its slots filled; a slot without a value becomes the words of its name."""
        return "".join(part if isinstance(part, str) else values.get(part.name, part.words) for part in self.parts)

    def match(self, words: Sequence[str]) -> dict[str, str] | None:
        """The words of each slot when the end of `words` is an instance of the template; None when it is not.

        words: lower-case words, as `split_words` returns them

        Each slot takes at least one word, and the first slots take as few as possible. The second occurrence of a
        name is left out. Takes time proportional to the words times the length of the template.
        """
        wanted = self._elements()
        # reach[i][j]: whether wanted[i:] can be matched by words[j:].
        last = [False] * len(words) + [True]
        reach = [last]
        for element in reversed(wanted):
            after, row = reach[-1], [False] * (len(words) + 1)
            possible = False
            for place in range(len(words) - 1, -1, -1):
                possible = possible or after[place + 1]
                row[place] = possible if isinstance(element, Slot) else words[place] == element and after[place + 1]
            reach.append(row)
        reach.reverse()
        if True not in reach[0]:
            return None
        place = reach[0].index(True)
        values: dict[str, str] = {}
        for number, element in enumerate(wanted):
            start, place = place, place + 1
            if isinstance(element, Slot):
                while not reach[number + 1][place]:
                    place += 1
                values[element.name] = " ".join(words[start:place])
        return values

    def _elements(self) -> list[str | Slot]:
        """Single words and slots, each slot once."""
        found: list[str | Slot] = []
        for part in self.parts:
            if isinstance(part, str):
                found += split_words(part)
            elif part not in found:
                found.append(part)
        return found


Phrase = str | Template
"""What a user may say: a sentence, which is used as it is, or a template."""


def read_phrase(phrase: Phrase) -> Phrase:
    """What a developer wrote: a Template if it has slots such as `{song}`, else the sentence.

    Only for text of the developer; text from anyone else may hold braces that are not slots.
    """
    if isinstance(phrase, Template):
        return phrase
    pieces = _SLOT.split(phrase)  # text and names by turns
    if len(pieces) == 1:
        return phrase
    parts = [Slot(piece) if number % 2 else piece for number, piece in enumerate(pieces)]
    return Template(tuple(part for part in parts if part))
