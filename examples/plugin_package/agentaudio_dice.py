"""A tool in an installable package. The entry point in pyproject.toml gives it its name."""

import random
from typing import Annotated

from pydantic import Field

from agentaudio import tool


@tool(phrases=["roll a dice", "roll {count} dice"])
def roll_dice(
    count: Annotated[int, Field(ge=1, le=20, description="Number of dice.")] = 1,
    sides: Annotated[int, Field(ge=2, le=100, description="Number of sides on each die.")] = 6,
) -> str:
    """Roll dice, and return each number and the sum."""
    rolled = [random.randint(1, sides) for _ in range(count)]
    return f"{', '.join(map(str, rolled))}: {sum(rolled)} in all"
