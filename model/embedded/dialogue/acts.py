"""`Acts`: what a request does in a conversation - asks anew, changes the last request, thanks, asks to repeat, ..."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentaudio.model.embedded.routing.time_zones import zones_by_place
from agentaudio.text.embedding import Embed
from agentaudio.text.numbers import find_numbers
from agentaudio.text.words import LIGHT_WORDS, split_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = Path(__file__).parents[1] / "assets" / "dialogue_acts.npz"
"""Written by scripts/fit_dialogue_acts.py."""
LEXICAL = 0.3
"""Scale of a feature of words beside the coordinates of a sentence vector."""
_NUMBER, _PLACE = "ten", "london"
_LONGEST_PLACE = 3
_DEPENDENT = ("edit", "sum", "about", "more", "voice")
"""Acts that go on from a call of an earlier turn."""


class Acts:
    """Tells the act of a request by a logistic model of its sentence vector and its words.

    embed: text embedder; one that caches is best
    Several threads may share one.
    """

    def __init__(self, embed: Embed) -> None:
        self._embed = embed

    def __call__(self, text: str) -> Mapping[str, float]:
        """The probability of each act, which add up to 1; the text is embedded with its values replaced (`frame`)."""
        import numpy as np

        model = _model()
        said = frame(text)
        scores = feature_rows([said], self._embed, model.lexicon)[0] @ model.weights + model.bias
        powers = np.exp(scores - scores.max())
        return dict(zip(model.acts, (powers / powers.sum()).tolist(), strict=True))

    @staticmethod
    def unknown_share(text: str) -> float:
        """The share of words that say nothing about an act, from 0 to 1: numbers, places, and words never fitted."""
        words = frame(text).split()
        known = _model().lexicon
        new = [word for word in words if word in (_NUMBER, _PLACE) or (word not in known and word not in LIGHT_WORDS)]
        return len(new) / max(len(words), 1)


def independent(chances: Mapping[str, float]) -> Mapping[str, float]:
    """The chances where there is no earlier call to go on from: what acts on one says something new."""
    freed = sum(chances[act] for act in _DEPENDENT)
    return {act: 0.0 if act in _DEPENDENT else chance for act, chance in chances.items()} | {
        "new": chances["new"] + freed
    }


def frame(text: str) -> str:
    """The words of a request with the same number for each number and the same place for each place."""
    words = split_words(text)
    places = zones_by_place()
    found: list[str] = []
    numbers = {number.start: number for number in find_numbers(words)}
    place = 0
    while place < len(words):
        if (number := numbers.get(place)) is not None and words[place] != "half":
            found.append(_NUMBER)
            place = number.end
            continue
        length = next(
            (n for n in range(_LONGEST_PLACE, 0, -1) if " ".join(words[place : place + n]) in places), 0
        )  # fmt: skip
        found.append(_PLACE if length else words[place])
        place += length or 1
    return " ".join(found)


def holds_value(text: str) -> bool:
    """Whether the text names a number or a place."""
    return bool({_NUMBER, _PLACE}.intersection(frame(text).split()))


def names_place(text: str) -> bool:
    """Whether the text names a place."""
    return _PLACE in frame(text).split()


def says_act(word: str) -> bool:
    """Whether a lower-case word is one of those that acts are told by."""
    return word in _model().lexicon


def word_features(said: str) -> list[str]:
    """The words of a frame, its pairs of words, and how many there are."""
    words = said.split()
    pairs = [f"{one} {two}" for one, two in zip(["^", *words], [*words, "$"], strict=True)]
    return [*dict.fromkeys([*words, *pairs]), f"#{min(len(words), 9)}"]


def feature_rows(frames: Sequence[str], embed: Embed, lexicon: Mapping[str, int]) -> NDArray[np.float32]:
    """(len(frames), embedding + lexicon) float32: sentence vectors, then LEXICAL for each feature of words."""
    import numpy as np

    vectors = embed(frames)
    lexical = np.zeros((len(frames), len(lexicon)), np.float32)
    for row, said in enumerate(frames):
        for feature in word_features(said):
            if (column := lexicon.get(feature)) is not None:
                lexical[row, column] = LEXICAL
    return np.concatenate([vectors, lexical], axis=1)


@dataclass(frozen=True, slots=True)
class _Model:
    """weights: (features, acts); bias: (acts,)"""

    acts: tuple[str, ...]
    lexicon: dict[str, int]
    weights: Any
    bias: Any


@functools.cache
def _model() -> _Model:
    import numpy as np

    with np.load(WEIGHTS, allow_pickle=False) as held:
        names = json.loads(str(held["names"]))
        lexicon = {feature: place for place, feature in enumerate(names["lexicon"])}
        return _Model(tuple(names["acts"]), lexicon, held["weights"].astype(np.float32), held["bias"])
