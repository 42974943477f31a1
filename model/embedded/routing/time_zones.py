"""IANA time zones of places: "new york" is America/New_York, "japan" is Asia/Tokyo."""

from __future__ import annotations

import difflib
import functools
import itertools
from collections.abc import Sequence
from zoneinfo import available_timezones

MOST_MISSPELT = 8
"""Phrases of a request that are compared with the names of places."""

_REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")

# Countries, and large cities that do not have a zone named after them.
_PLACES = {
    "Africa/Cairo": "egypt alexandria",
    "Africa/Casablanca": "morocco marrakesh",
    "Africa/Johannesburg": "south_africa cape_town durban pretoria",
    "Africa/Lagos": "nigeria",
    "Africa/Nairobi": "kenya",
    "America/Argentina/Buenos_Aires": "argentina buenos_aires",
    "America/Bogota": "colombia",
    "America/Chicago": "dallas houston austin new_orleans minneapolis texas saint_louis",
    "America/Denver": "salt_lake_city colorado",
    "America/Lima": "peru",
    "America/Los_Angeles": (
        "california san_francisco seattle las_vegas san_diego portland silicon_valley hollywood pacific_time"
    ),
    "America/Mexico_City": "mexico",
    "America/New_York": (
        "boston washington washington_d_c philadelphia miami atlanta brooklyn manhattan florida usa america "
        "the_united_states united_states eastern_time new_york_city orlando"
    ),
    "America/Santiago": "chile",
    "America/Sao_Paulo": "brazil rio rio_de_janeiro brasilia",
    "America/Toronto": "canada ottawa montreal quebec",
    "Asia/Bangkok": "thailand",
    "Asia/Dubai": "emirates abu_dhabi the_emirates",
    "Asia/Ho_Chi_Minh": "vietnam hanoi saigon",
    "Asia/Hong_Kong": "hong_kong",
    "Asia/Jakarta": "indonesia",
    "Asia/Jerusalem": "israel tel_aviv",
    "Asia/Kabul": "afghanistan",
    "Asia/Karachi": "pakistan islamabad lahore",
    "Asia/Kathmandu": "nepal",
    "Asia/Kolkata": "india delhi new_delhi mumbai bombay bangalore calcutta chennai hyderabad",
    "Asia/Kuala_Lumpur": "malaysia",
    "Asia/Manila": "philippines the_philippines",
    "Asia/Riyadh": "saudi_arabia mecca",
    "Asia/Seoul": "korea south_korea",
    "Asia/Shanghai": "china beijing shenzhen guangzhou peking",
    "Asia/Taipei": "taiwan",
    "Asia/Tehran": "iran",
    "Asia/Tokyo": "japan osaka kyoto",
    "Atlantic/Reykjavik": "iceland",
    "Australia/Sydney": "australia canberra",
    "Europe/Amsterdam": "the_netherlands netherlands holland rotterdam",
    "Europe/Athens": "greece",
    "Europe/Berlin": "germany munich hamburg frankfurt cologne",
    "Europe/Brussels": "belgium",
    "Europe/Budapest": "hungary",
    "Europe/Copenhagen": "denmark",
    "Europe/Dublin": "ireland",
    "Europe/Helsinki": "finland",
    "Europe/Istanbul": "turkey ankara",
    "Europe/Kyiv": "ukraine kiev",
    "Europe/Lisbon": "portugal",
    "Europe/London": "england britain great_britain the_united_kingdom uk scotland edinburgh wales manchester",
    "Europe/Madrid": "spain barcelona",
    "Europe/Moscow": "russia saint_petersburg",
    "Europe/Oslo": "norway",
    "Europe/Paris": "france marseille lyon",
    "Europe/Prague": "the_czech_republic",
    "Europe/Rome": "italy milan venice florence naples",
    "Europe/Stockholm": "sweden",
    "Europe/Vienna": "austria salzburg",
    "Europe/Warsaw": "poland",
    "Europe/Zurich": "switzerland geneva",
    "Pacific/Auckland": "new_zealand wellington",
    "Pacific/Honolulu": "hawaii",
    "UTC": "utc greenwich u_t_c universal_time",
}


@functools.cache
def zones_by_place() -> dict[str, str]:
    """IANA time zones by place, in lower case and with spaces."""
    found: dict[str, str] = {}
    for zone in sorted(available_timezones() | {"UTC"}):
        region, _, city = zone.rpartition("/")
        if region.split("/")[0] in _REGIONS:
            found.setdefault(city.lower().replace("_", " ").replace("-", " "), zone)
    for zone, places in _PLACES.items():
        for place in places.split():
            found[place.replace("_", " ")] = zone
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
