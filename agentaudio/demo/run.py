"""Three turns of one spoken conversation: a fact, a voice, and a tool of the user's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from agentaudio.agent import Agent
from agentaudio.events import Event, TurnFinished
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio
from agentaudio.tools.tool import tool

TURNS = ("great-wall", "scottish-man", "national-museum")
TOOLS = ("search_documents", "audio_search", "get_date_time", "calculate")

_HOURS = {
    "national museum": "from nine in the morning until six in the evening",
    "science museum": "from ten in the morning until five in the afternoon",
}


@tool
def opening_hours(museum: str) -> str:
    """Tell when a museum is open today.

    Args:
        museum: name of the museum, such as "science museum"
    """
    name = museum.lower().removeprefix("the ").strip()
    if name not in _HOURS:
        return f"I do not know the opening hours of the {name}."
    return f"The {name} is open {_HOURS[name]}."


@dataclass(slots=True)
class DemoTurn:
    """A turn of the demo: what was asked, what happened, and where the sound is."""

    question: Audio
    question_file: Path
    events: list[Event] = field(default_factory=list)
    reply: Reply | None = None
    answer_file: Path | None = None


def questions_folder() -> Path:
    """Where the recorded questions are."""
    return Path(str(files("agentaudio.demo") / "questions"))


def demo_agent(model: str = "embedded") -> Agent:
    """The agent of the demo: the built-in tools that need no internet, and one of its own."""
    return Agent(model, tools=[*TOOLS, opening_hours], documents="demo", voices="demo")


async def play(agent: Agent, folder: Path) -> AsyncIterator[DemoTurn | Event]:
    """Run the turns in one session and save their sound.

    Yields a DemoTurn when its question is about to be asked, then its events; the DemoTurn is
    complete when the next one comes, or the iterator ends.
    """
    session = agent.session()
    for number, name in enumerate(TURNS, start=1):
        question = Audio.load(questions_folder() / f"{name}.flac")
        turn = DemoTurn(question, question.save(folder / f"{number}-question.wav"))
        yield turn
        async for event in session.stream(question):
            turn.events.append(event)
            if isinstance(event, TurnFinished):
                turn.reply = event.reply
                if event.reply.audio is not None:
                    turn.answer_file = event.reply.audio.save(folder / f"{number}-answer.wav")
            yield event
