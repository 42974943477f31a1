"""`Asking`: how likely it is that a sentence asks for a tool at all, and is not only a remark beside the matter."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentaudio.model.embedded.dialogue.acts import feature_rows, frame
from agentaudio.text.embedding import Embed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = Path(__file__).parents[1] / "assets" / "asking.npz"
"""Written by scripts/fit_asking.py."""
_SCALE = 0.5
"""Scale of a feature of punctuation beside the coordinates of a sentence vector."""


class Asking:
    """Tells whether a sentence asks for a tool by a logistic model of its vector, its words and its punctuation.

    embed: text embedder; one that caches is best
    Several threads may share one.
    """

    def __init__(self, embed: Embed) -> None:
        self._embed = embed

    def __call__(self, text: str) -> float:
        """The probability, from 0 to 1, whatever the tools are."""
        import numpy as np

        lexicon, weights = _model()
        score = float(asking_rows([text], self._embed, lexicon)[0] @ weights[:-1] + weights[-1])
        return float(1 / (1 + np.exp(-score)))


def asking_rows(texts: Sequence[str], embed: Embed, lexicon: Mapping[str, int]) -> NDArray[np.float32]:
    """(len(texts), features) float32: those of `feature_rows`, and whether there is a "?", a "!" and any stop."""
    import numpy as np

    marks = np.array(
        [["?" in text, "!" in text, text.rstrip().endswith((".", "?", "!"))] for text in texts], np.float32
    )
    return np.concatenate([feature_rows([frame(text) for text in texts], embed, lexicon), _SCALE * marks], axis=1)


@functools.cache
def _model() -> tuple[dict[str, int], Any]:
    """The places of the features of words, and the weights with the bias behind them."""
    import numpy as np

    with np.load(WEIGHTS, allow_pickle=False) as held:
        lexicon = json.loads(str(held["lexicon"]))
        return {feature: place for place, feature in enumerate(lexicon)}, held["weights"].astype(np.float32)
