"""IANA time zones of places: "new york" is America/New_York, "japan" is Asia/Tokyo."""

from __future__ import annotations

import difflib
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import available_timezones

PLACES = Path(__file__).parents[1] / "assets" / "places.txt"
"""Countries, regions and cities by time zone."""
MOST_MISSPELT = 8
"""Phrases of a request that are compared with the names of places."""

_REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@functools.cache
def zones_by_place() -> dict[str, str]:
    """IANA time zones by place, in lower case and with spaces."""
    found: dict[str, str] = {}
    for zone in sorted(available_timezones() | {"UTC"}):
        region, _, city = zone.rpartition("/")
        place = city.lower().replace("_", " ").replace("-", " ")
        # Istanbul and Nicosia are in two regions, and their usual names are those in Europe.
        if region.split("/")[0] in _REGIONS and (place not in found or region == "Europe"):
            found[place] = zone
    for line in PLACES.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            zone, _, places = line.partition(": ")
            found |= dict.fromkeys(places.split(", "), zone)
    return found


@functools.cache
def _zones_by_lower_name() -> dict[str, str]:
    return {zone.lower(): zone for zone in available_timezones()}


def find_zones(words: Sequence[str]) -> list[tuple[int, int, str]]:
    """(start, end, time zone) of every place and IANA name among lower-case words, in order."""
    places, found, start = zones_by_place(), [], 0
    while start < len(words):
        for end in range(min(len(words), start + 4), start, -1):
            zone = places.get(" ".join(words[start:end]))
            if zone is None and end == start + 1 and "/" in words[start]:
                zone = _zones_by_lower_name().get(words[start])
            if zone is not None:
                found.append((start, end, zone))
                start = end - 1
                break
        start += 1
    return found


def find_zone(words: Sequence[str]) -> str | None:
    """The time zone of the longest place named among lower-case words; None when there is none.

    A full IANA name is found too; a place after "in", "at" or "for" may be misspelt by a letter or two.
    """
    places = zones_by_place()
    for length in range(min(4, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            zone = places.get(" ".join(words[start : start + length]))
            if zone is not None:
                return zone
    for word in words:
        if "/" in word and word in _zones_by_lower_name():
            return _zones_by_lower_name()[word]
    said: dict[str, None] = {}
    for place, word in enumerate(words[:-1]):
        if word in ("in", "at", "for"):
            rest = " ".join(w for w in words[place + 1 : place + 4] if w not in ("now", "right", "please"))
            if len(rest) > 3:
                said[rest] = None
    for rest in itertools.islice(said, MOST_MISSPELT):
        # A place has at most a few dozen letters, and comparing takes time.
        near = difflib.get_close_matches(rest, list(places), n=1, cutoff=0.82) if len(rest) < 60 else []
        if near:
            return places[near[0]]
    return None
