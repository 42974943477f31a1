"""Seven user-defined tools for the benchmark of spoken requests.

They stand for the tools of an application: plain functions that the agent knows only by their
docstrings and type hints. Museums, weather and music are invented, so that a call always gives
the same answer.
"""

from __future__ import annotations

from typing import Literal

from agentaudio import tool

LengthUnit = Literal["miles", "kilometers", "feet", "meters"]

METERS_PER_UNIT: dict[str, float] = {
    "miles": 1609.344,
    "kilometers": 1000.0,
    "feet": 0.3048,
    "meters": 1.0,
}

HOURS_BY_MUSEUM = {
    "national museum": "nine in the morning until six in the evening",
    "science museum": "ten in the morning until five in the afternoon",
    "railway museum": "ten in the morning until four in the afternoon",
    "maritime museum": "eleven in the morning until six in the evening",
    "museum of natural history": "nine in the morning until five in the afternoon",
    "museum of modern art": "noon until eight in the evening",
    "air and space museum": "ten in the morning until six in the evening",
    "war museum": "ten in the morning until seven in the evening",
    "city museum": "nine in the morning until four in the afternoon",
    "toy museum": "eleven in the morning until five in the afternoon",
}

WEATHER = (
    "sunny and 24 degrees",
    "cloudy and 16 degrees",
    "rainy and 12 degrees",
    "windy and 9 degrees",
    "snowy and 1 degree below zero",
)


@tool
def opening_hours(museum: str) -> str:
    """Tell when a museum is open today.

    Args:
        museum: name of the museum, such as "science museum"
    """
    name = museum.lower().removeprefix("the ").strip()
    if name not in HOURS_BY_MUSEUM:
        return f"I do not know the opening hours of the {name}."
    return f"The {name} is open from {HOURS_BY_MUSEUM[name]}."


@tool
def get_weather(city: str) -> str:
    """Tell the weather in a city: rain, sun, snow, temperature, forecast.

    Args:
        city: name of the city
    """
    return f"The weather in {city.title()} is {WEATHER[sum(map(ord, city.lower())) % len(WEATHER)]}."


@tool(
    phrases=[
        "set a timer for ten minutes",
        "wake me up in twenty five minutes",
        "start a timer for half an hour",
        "count down five minutes",
    ]
)
def set_timer(minutes: int) -> str:
    """Start a timer that rings after some minutes.

    Args:
        minutes: how many minutes from now
    """
    if minutes < 1:
        raise ValueError(f"a timer needs at least one minute, not {minutes}")
    return f"The timer will ring in {minutes} {'minute' if minutes == 1 else 'minutes'}."


@tool
def play_music(artist: str) -> str:
    """Play music, songs or an album by an artist, a band or a composer.

    Args:
        artist: name of the artist
    """
    return f"Now playing music by {artist.title()}."


@tool(
    phrases=[
        "book a table for two at seven",
        "reserve a table for six people at eight o'clock",
        "we need a table for four at half past eight",
    ]
)
def book_table(people: int, hour: str) -> str:
    """Book a table in the restaurant for tonight.

    Args:
        people: how many guests
        hour: the time as the guest said it, such as "seven" or "half past eight"
    """
    if people < 1:
        raise ValueError(f"a table needs at least one guest, not {people}")
    return f"A table for {people} is booked at {hour}."


@tool(
    phrases=[
        "convert ten miles to kilometers",
        "how many feet are five meters",
        "what is six feet in meters",
    ]
)
def convert_length(value: float, unit: LengthUnit, to: LengthUnit) -> str:
    """Convert a length from one unit to another.

    Args:
        value: the length, in `unit`
        unit: the unit that the length is given in
        to: the unit wanted
    """
    length = round(value * METERS_PER_UNIT[unit] / METERS_PER_UNIT[to], 2)
    return f"{value:g} {unit} are {length:g} {to}."


@tool
def switch_light(room: str, state: Literal["on", "off"]) -> str:
    """Switch the light or the lamp in a room on or off.

    Args:
        room: the room, such as "kitchen"
        state: whether the light should be on or off
    """
    return f"The light in the {room} is {state}."


USER_TOOLS = [
    opening_hours,
    get_weather,
    set_timer,
    play_music,
    book_table,
    convert_length,
    switch_light,
]
