"""`get_date_time`: the local time, or the time in another time zone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from agentaudio.errors import ToolError, did_you_mean
from agentaudio.tools.tool import tool


@tool
def get_date_time(
    timezone: Annotated[
        str | None, Field(description="IANA name such as Asia/Tokyo, or a large city; leave it out for local time.")
    ] = None,
) -> str:
    """Tell the current date, weekday and time."""
    if timezone is None:
        now = datetime.now().astimezone()
        place = ""
    else:
        zone = _zone(timezone)
        now = datetime.now(zone)
        place = f" in {zone.key.split('/')[-1].replace('_', ' ')}"
    return f"It is {now:%A}, {now:%B} {now.day}, {now.year}, {now:%H:%M}{place}."


def _zone(name: str) -> ZoneInfo:
    wanted = name.strip().replace(" ", "_").casefold()
    cities = {}
    for zone in sorted(available_timezones(), reverse=True):
        if zone.casefold() == wanted:
            return ZoneInfo(zone)
        if not zone.startswith("Etc/"):  # Etc/GMT+5 is five hours behind Greenwich, not ahead
            cities[zone.rpartition("/")[2].casefold()] = zone
    if wanted in cities:
        return ZoneInfo(cities[wanted])
    raise ToolError(f"no time zone {name!r}; {did_you_mean(name, available_timezones())}")
