"""`get_date_time`: what time it is, here or elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field

from agentaudio.errors import ToolError, did_you_mean
from agentaudio.tools.tool import tool


@tool
def get_date_time(
    timezone: Annotated[
        str | None, Field(description="IANA name such as Asia/Tokyo; leave it out for local time.")
    ] = None,
) -> str:
    """Tell the current date, weekday and time."""
    if timezone is None:
        now = datetime.now().astimezone()
        place = ""
    else:
        try:
            now = datetime.now(ZoneInfo(timezone))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ToolError(f"no time zone {timezone!r}; {did_you_mean(timezone, available_timezones())}") from None
        place = f" in {timezone.split('/')[-1].replace('_', ' ')}"
    return f"It is {now:%A}, {now:%B} {now.day}, {now.year}, {now:%H:%M}{place}."
