"""A tool that other people install: the entry point in pyproject.toml offers it by name."""

import random
from typing import Annotated

from pydantic import Field

from agentaudio import tool


@tool(phrases=["roll a dice", "roll {count} dice"])
def roll_dice(
    count: Annotated[int, Field(ge=1, le=20, description="How many dice.")] = 1,
    sides: Annotated[int, Field(ge=2, le=100, description="Sides of each.")] = 6,
) -> str:
    """Roll dice, and tell each number and the sum."""
    rolled = [random.randint(1, sides) for _ in range(count)]
    return f"{', '.join(map(str, rolled))}: {sum(rolled)} in all"
