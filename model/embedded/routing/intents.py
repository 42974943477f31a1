"""Example requests for the built-in tools, for what many tools do, for chat, and for commands that no tool can do."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

from agentaudio.model.embedded.routing.time_zones import zones_by_place
from agentaudio.text.numbers import find_numbers

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
    "sunshine snow snowing snowy wind windy degrees temperature temperatures forecast freezing wet dry storm "
    "thunderstorm humid fog foggy cloudy clouds brolly wellies scarf gloves sunglasses drizzle pouring muggy icy hail "
    "showers pack wear outside sky beach picnic chance hail frost warmer colder",
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


_ROOMS = frozenset(
    "kitchen bedroom bathroom living room hall hallway corridor garage attic cellar basement study office den nursery "
    "porch garden patio terrace balcony shed landing stairs staircase stairway upstairs downstairs dining lounge loft "
    "conservatory utility laundry playroom workshop greenhouse toilet loo pantry larder guestroom entrance library "
    "bath sitting drawing driveway yard backyard closet wardrobe cupboard desk bedside foyer lobby veranda barn stable "
    "studio gym sauna".split()
)
_NOT_ARTISTS = frozenset(
    "heating heater radiator kettle oven stove hob telly tv television radio fan lights light lamp dishwasher washing "
    "machine dryer coffee tea dinner lunch breakfast shoes coat jacket jumper hat clothes makeup weight show film "
    "movie volume alarm timer news podcast game hoover vacuum pirate sailor man woman lady gentleman girl boy child "
    "kid robot grandmother grandma grandpa grandfather granny butler presenter narrator voice voices accent person "
    "speaker queen's table reservation door window curtains blinds computer phone camera minutes minute hour hours "
    "pizza taxi cab bus train flight hotel ticket tickets water milk food cake bread question questions thing things "
    "help time date weather rain sum sums calculation joke story poem word words place name number feet meters miles "
    "kilometers bill tip people guests kitchen bedroom bathroom hallway cellar garage attic study office one ones two "
    "german french italian british english american scottish irish indian chinese japanese russian spanish male female "
    "old young older younger deep deeper calm soft louder slower faster quieter whisper whispering answer answers "
    "final result idea surprise euros dollars pounds calm else match football tennis cricket chess cards golf violin "
    "piano guitar cello flute drums trumpet harp organ saxophone "
    "video message note fun trick dead tag possum outside together money bet".split()
)


PERFORMERS = frozenset("artist musician band singer composer group performer".split())


_IN_ROOMS = frozenset("light lights lamp lamps area corner side end one ones".split())


def may_stand_for(noun: str, value: str) -> bool:
    """Whether a value may be replaced by the noun of its parameter in a request: rooms by "room", names by "artist"."""
    words = value.lower().split()
    if noun == "room":
        return is_room(value)
    if noun not in PERFORMERS:
        return noun in words
    if value.lower() in zones_by_place():
        return False
    return bool(words) and words[-1] not in _NOT_ARTISTS and not find_numbers(words)


def is_room(value: str) -> bool:
    """Whether a value names a room, or a part of a house that has a light."""
    words = re.split(r" (?:at|in|of|by|on|with|upstairs|downstairs)\b", value.lower())[0].split()
    while len(words) > 1 and words[-1] in _IN_ROOMS:
        words.pop()
    return bool(words) and words[-1] in _ROOMS


def words_like(name: str, description: str) -> frozenset[str]:
    """Words of the domains that a tool belongs to."""
    return frozenset(word for domain in _domains(name, description) for word in _WORDS.get(domain, "").split())
