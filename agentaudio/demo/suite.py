"""The agent of the demo's suite (suite.yaml): the demo's, and a tool that takes its time."""

from __future__ import annotations

import asyncio

from agentaudio.agent import Agent
from agentaudio.demo.run import TOOLS, opening_hours
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.tools.tool import tool

SEARCH_S = 4.0


@tool(background=True, phrases=["find tickets for the {museum}", "are there tickets for the {museum}"])
async def find_tickets(museum: str) -> str:
    """Find tickets for a museum. This takes a while.

    Args:
        museum: name of the museum, such as "science museum"
    """
    await asyncio.sleep(SEARCH_S)
    return f"There are 14 tickets left for the {museum.lower().removeprefix('the ')}, at 12 euros each."


def suite_agent(model: SpeechLM) -> Agent:
    """The agent that answers the suite."""
    return Agent(model, tools=[*TOOLS, opening_hours, find_tickets], documents="demo", voices="demo")
