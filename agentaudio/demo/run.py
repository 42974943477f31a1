"""Three turns of one spoken conversation: a fact, a change of voice, and a custom tool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from agentaudio.agent import Agent
from agentaudio.events import Event, TurnFinished
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio
from agentaudio.tools.tool import tool

TURNS = ("great-wall", "calm-old-man", "national-museum")
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
    """A turn of the demo: its question, its events, its reply, and the files with the sound."""

    question: Audio
    question_file: Path
    events: list[Event] = field(default_factory=list)
    reply: Reply | None = None
    answer_file: Path | None = None


def questions_folder() -> Path:
    """Folder of the recorded questions."""
    return Path(str(files("agentaudio.demo") / "questions"))


def demo_agent(model: str | SpeechLM = "embedded") -> Agent:
    """The agent of the demo: demo documents and voices, the built-in tools that need no internet, and
    `opening_hours`."""
    return Agent(model, tools=[*TOOLS, opening_hours], documents="demo", voices="demo")


async def play(agent: Agent, folder: Path) -> AsyncIterator[DemoTurn | Event]:
    """Run the turns in one session and save their sound.

    Yields a DemoTurn before its question is asked, then the events of the turn. A DemoTurn is complete
    when the next one is yielded, or the iterator ends.
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
                    turn.answer_file = event.reply.save(folder / f"{number}-answer.wav")
            yield event
