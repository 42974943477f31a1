"""Voice search on requests with negation and choice, in English and Chinese, over the demo library.

    python benchmarks/voice_choices.py [--wrong] [--json FILE]

benchmarks/voice_questions/choices.jsonl holds 60 requests, written before negation and choice were understood. A line
has `query` and conditions on cards: `want`, of which the first match must meet one; `never`, of which none of the first
three may meet any; or `none`, when nothing may be found. A condition names fields of the card, and `words`, of which
one must be in the card's prose.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from report import publish

from agentaudio.resources import open_voices
from agentaudio.retrieval.voices.query import card_prose
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.voice_library.voice import VoiceCard

QUESTIONS = Path(__file__).parent / "voice_questions" / "choices.jsonl"


def meets(card: VoiceCard, condition: dict[str, Any]) -> bool:
    """Whether a card meets a condition of the file."""
    fields = {name: value for name, value in condition.items() if name != "words"}
    words = condition.get("words")
    prose = card_prose(card).lower()
    return all(getattr(card, name) == value for name, value in fields.items()) and (
        words is None or any(word in prose for word in words)
    )


def right(question: dict[str, Any], found: list[VoiceCard]) -> bool:
    """Whether the cards that were found, best first, answer a question of the file."""
    if question.get("none"):
        return not found
    wanted = question.get("want")
    never = question.get("never", [])
    return (
        bool(found)
        and (wanted is None or any(meets(found[0], condition) for condition in wanted))
        and not any(meets(card, condition) for card in found for condition in never)
    )


def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


def wrong(search: VoiceSearch) -> list[str]:
    """The queries that are answered wrong, each with the ids that were found."""
    answered = [(one, [match.voice.card for match in search.search(one["query"])]) for one in questions()]
    return [f"{one['query']}: {[card.id for card in found]}" for one, found in answered if not right(one, found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wrong", action="store_true", help="also print the requests that are answered wrong")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    failed, asked = wrong(open_voices("demo")), len(questions())
    publish(
        "voice requests with negation and choice",
        {"requests": asked, "right": asked - len(failed), "share": round(1 - len(failed) / asked, 4)},
        options.json,
    )
    if options.wrong:
        print(*failed, sep="\n")


if __name__ == "__main__":
    main()
