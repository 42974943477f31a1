"""Accuracy of voice search on the voice requests of benchmarks/requests/.

    python benchmarks/voice_requests.py [--json FILE]

A voice is right when its card has every attribute that the request names: gender and age by ATTRIBUTES,
all other words (language, accent, manner) by their presence on the card. Impossible requests must find
nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from report import publish

from agentaudio.resources import open_voices
from agentaudio.retrieval.voices.query import asks_for_default
from agentaudio.voice_library.voice import VoiceCard

REQUESTS = Path(__file__).parent / "requests"
ATTRIBUTES = {
    "woman": ("gender", "female"), "lady": ("gender", "female"), "girl": ("gender", "female"),
    "grandmother": ("gender", "female"), "female": ("gender", "female"),
    "male": ("gender", "male"), "man": ("gender", "male"), "gentleman": ("gender", "male"), "boy": ("gender", "male"),

    "old": ("age", "old"), "young": ("age", "young"), "child": ("age", "child"), "kid": ("age", "child"),
    "grandfather": ("age", "old"), "little": ("age", "child"),
}  # fmt: skip
IMPOSSIBLE = (
    "the voice of a refrigerator door", "a helicopter taking off", "a barking dog", "a trombone", "the colour blue",
    "a wet tuesday", "xyzzy plugh", "the sound of one hand clapping", "my left shoe", "a korean opera singer",
)  # fmt: skip


def fits(card: VoiceCard, words: list[str]) -> bool:
    """Whether `card` has every attribute that `words` name."""
    prose = f"{card.name} {card.description} {card.style} {card.accent} {' '.join(card.tags)}".lower()
    for word in words:
        if word in ATTRIBUTES:
            attribute, value = ATTRIBUTES[word]
            if getattr(card, attribute) != value:
                return False
        elif word[: max(4, len(word) - 3)] not in prose:
            return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    search = open_voices("demo")
    figures: dict[str, object] = {}
    for name in ("dev", "test"):
        rows = [json.loads(line) for line in (REQUESTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        asked = [
            (row["arguments"]["query"], row.get("voice_query_words", [])) for row in rows if row["kind"] == "voice"
        ]
        asked = [(query, words) for query, words in asked if not asks_for_default(query)]
        wrong, in_three = [], 0
        for query, words in asked:
            found = search.search(query)
            in_three += any(fits(match.voice.card, words) for match in found)
            if not found or not fits(found[0].voice.card, words):
                wrong.append(f"{query} -> {found[0].voice.id if found else 'nothing'}")
        figures |= {
            f"{name}_requests": len(asked),
            f"{name}_first_right": len(asked) - len(wrong),
            f"{name}_in_first_three": in_three,
            f"{name}_wrong": wrong,
        }
    refused = [query for query in IMPOSSIBLE if not search.search(query)]
    figures |= {
        "impossible_requests": len(IMPOSSIBLE),
        "impossible_refused": len(refused),
        "impossible_answered": sorted(set(IMPOSSIBLE) - set(refused)),
    }
    publish("voice requests", figures, arguments.json)


if __name__ == "__main__":
    main()
