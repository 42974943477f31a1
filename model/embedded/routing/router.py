"""`Router`: chooses the tool for a request with a logistic model of embeddings, keywords and slots."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.clauses import clauses
from agentaudio.model.embedded.routing.coordination import coordinated, lists_deeds
from agentaudio.model.embedded.routing.features import FEATURES, Candidate, candidates
from agentaudio.model.embedded.routing.intents import CHAT, domain_examples, examples
from agentaudio.model.embedded.routing.possible import may_serve
from agentaudio.model.embedded.routing.route import Route
from agentaudio.model.embedded.routing.slots import fill
from agentaudio.text.embedding import Embed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = Path(__file__).parents[1] / "assets" / "router.json"
EXAMPLE_VECTORS = Path(__file__).parents[1] / "assets" / "router_examples.npy"
VECTORS_KEPT = 20_000
LEAST_CONFIDENCE = 0.3
LEAST_OF_A_CLAUSE = 0.6


class Router:
    """Chooses tools by their names, descriptions, parameters and phrases, without training on the tools.

    embed: text embedder
    weights: weight of each feature in features.FEATURES by name; None reads those that scripts/fit_router.py fitted

    A conditional logit over all tools, "chat" and "unknown": the score of each is the weighted sum of its features.
    Several threads may share one. `embed` caches the vectors of the texts it was last called with.
    Source: McFadden 1974, "Conditional logit analysis of qualitative choice behavior".
    """

    def __init__(self, embed: Embed, weights: Mapping[str, float] | None = None) -> None:
        self.embed = VectorCache(embed)
        self.embed.keep(shipped_vectors(embed))
        held = read_weights() if weights is None else weights
        self._weights = [float(held.get(name, 0.0)) for name in FEATURES]

    def route(self, text: str, tools: Sequence[ToolSpec]) -> list[Route]:
        """The routes of a request: one, or several in order for a compound request; never empty.

        A change of voice comes first, so that the rest is spoken in the new voice.
        """
        if not text.strip():
            return [Route(None, {}, 0.0, "unknown")]
        parts = clauses(text)
        listed = coordinated(text, tools, lambda part: self._route_one(part, tools)) if lists_deeds(text) else None
        if listed is not None and len(listed) > len(parts):
            return sorted(listed, key=lambda route: route.tool != "audio_search")
        if len(parts) > 1:
            routes = [self._route_one(part, tools) for part in parts]
            found = [route for route in routes if route.tool is not None and not route.missing]
            sure = all(route.confidence >= LEAST_OF_A_CLAUSE for route in found)
            if len(found) == len(parts) and sure and len({route.tool for route in found}) == len(found):
                return sorted(found, key=lambda route: route.tool != "audio_search")
        several = coordinated(text, tools, lambda part: self._route_one(part, tools))
        return sorted(several, key=lambda r: r.tool != "audio_search") if several else [self._route_one(text, tools)]

    def prepare(self, tools: Sequence[ToolSpec]) -> None:
        """Embed the descriptions and phrases of the tools now, so that the first request is fast."""
        self.probabilities("what can you do", tools)

    def _route_one(self, text: str, tools: Sequence[ToolSpec]) -> Route:
        scored = self.probabilities(text, tools)
        best, confidence = max(scored, key=lambda item: item[1])
        if best.tool is None or confidence < LEAST_CONFIDENCE:
            kind: Literal["chat", "unknown"] = "chat" if best.name == CHAT else "unknown"
            return Route(None, {}, confidence if kind == "chat" else min(confidence, 0.3), kind)
        slots = fill(text, best.tool)
        if slots.missing:
            confidence /= 2
        return Route(best.tool.name, slots.arguments, confidence, "tool", slots.missing)

    def probabilities(self, text: str, tools: Sequence[ToolSpec]) -> list[tuple[Candidate, float]]:
        """All candidates with their probabilities, which add up to 1."""
        kept = [tool for tool in tools if may_serve(text, tool, tools)]
        found = candidates(text, kept, self.embed)
        scores = [sum(w * f for w, f in zip(self._weights, c.features, strict=True)) for c in found]
        highest = max(scores)
        powers = [math.exp(score - highest) for score in scores]
        total = sum(powers)
        return [(candidate, power / total) for candidate, power in zip(found, powers, strict=True)]


def read_weights(path: Path = WEIGHTS) -> dict[str, float]:
    """The fitted weight of each feature, by name."""
    held: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["weights"]
    return held


def shipped_vectors(embed: Embed) -> dict[str, NDArray[np.float32]]:
    """Vectors of the examples, which scripts/fit_router.py computed with the shipped embedder; none for another
    embedder."""
    from agentaudio.text.sentence_embedder import SentenceEmbedder

    if not isinstance(embed, SentenceEmbedder) or not EXAMPLE_VECTORS.exists():
        return {}
    import numpy as np

    texts = example_texts()
    rows = np.load(EXAMPLE_VECTORS).astype(np.float32)
    return dict(zip(texts, rows, strict=True)) if len(rows) == len(texts) else {}


def example_texts() -> list[str]:
    """The examples of all intents and domains, in the order of EXAMPLE_VECTORS."""
    return [text for held in (examples(), domain_examples()) for texts in held.values() for text in texts]


class VectorCache:
    """An `Embed` callable that caches the newest `kept` texts, since descriptions recur in every turn."""

    def __init__(self, embed: Embed, *, kept: int = VECTORS_KEPT) -> None:
        self._embed, self._most = embed, kept
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def keep(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Add known vectors to the cache."""
        with self._lock:
            self._kept.update(vectors)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        with self._lock:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        new = list(dict.fromkeys(text for text in texts if text not in known))
        if new:
            rows = self._embed(new)
            with self._lock:
                for text, row in zip(new, rows, strict=True):
                    known[text] = self._kept[text] = row
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return np.stack([known[text] for text in texts]) if texts else np.zeros((0, 1), np.float32)
