"""Example requests for the built-in tools, for what many tools do, for chat, and for commands that no tool can do."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "assets" / "router_examples.jsonl"
DOMAIN_EXAMPLES = Path(__file__).parents[1] / "assets" / "router_domains.jsonl"
CHAT = "chat"
UNKNOWN = "unknown"


@functools.cache
def examples() -> dict[str, tuple[str, ...]]:
    """Example sentences by intent: the name of a built-in tool, CHAT, or UNKNOWN."""
    found: dict[str, list[str]] = {}
    for line in EXAMPLES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["intent"], []).append(row["text"])
    return {intent: tuple(texts) for intent, texts in found.items()}


_DOMAINS = {
    "weather": re.compile(r"\bweather\b"),
    "music": re.compile(r"\b(?:music|songs?)\b"),
    "timer": re.compile(r"\btimer\b"),
    "light": re.compile(r"\b(?:lights?|lamps?)\b"),
    "table": re.compile(r"\btable\b(?=.*\brestaurant\b)|\brestaurant\b(?=.*\btable\b)"),
    "hours": re.compile(r"\bopening hours\b|\bwhen\b.*\bopen\b"),
    "length": re.compile(r"\bconvert\b.*\b(?:lengths?|distances?)\b"),
    "clock": re.compile(r"\bcurrent date\b|\bcurrent time\b"),
    "sum": re.compile(r"\b(?:calculate|arithmetic)\b"),
    "voice": re.compile(r"\bvoice\b.*\bspeak\b"),
}
"""What the name and the description of a tool for each domain say."""


@functools.cache
def domain_examples() -> dict[str, tuple[str, ...]]:
    """Example sentences by domain: what people say to any tool for the weather, music, lights, ..."""
    found: dict[str, list[str]] = {}
    for line in DOMAIN_EXAMPLES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["domain"], []).append(row["text"])
    return {domain: tuple(texts) for domain, texts in found.items()}


_WORDS = {
    "weather": "warm cold hot chilly cool mild rain raining rainy umbrella coat jacket jumper sun sunny sunscreen "
    "sunshine "
    "snow snowing snowy wind windy degrees temperature temperatures forecast freezing wet dry storm thunderstorm "
    "humid fog "
    "foggy cloudy clouds pack wear outside sky beach picnic chance hail frost warmer colder",
    "music": "listen hear song songs tune tunes track tracks record band music album mood",
    "timer": "timer alarm ring wake nap beep buzz countdown minutes minute seconds hour",
    "light": "light lights lamp lamps dark bright bulb",
    "table": "table dinner lunch restaurant guests people reservation eat seats",
    "hours": "visit open opens opened closes close closed closing opening hours",
    "length": "long far tall high convert distance length",
}
"""Words of a domain, which are not the value of an argument."""


def _domains(name: str, description: str) -> list[str]:
    said = f"{name.replace('_', ' ')} {description}".lower()
    return [domain for domain, pattern in _DOMAINS.items() if pattern.search(said)]


@functools.lru_cache(maxsize=512)
def examples_like(name: str, description: str) -> tuple[str, ...]:
    """Example sentences of the domains that a tool belongs to by its name and description."""
    return tuple(text for domain in _domains(name, description) for text in domain_examples()[domain])


def words_like(name: str, description: str) -> frozenset[str]:
    """Words of the domains that a tool belongs to."""
    return frozenset(word for domain in _domains(name, description) for word in _WORDS.get(domain, "").split())
