"""The calls that the embedded engine's reader makes of a request, with the tools of an application."""

from __future__ import annotations

from typing import Any

from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.dialogue.several import RequestReader
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.router import Router
from agentaudio.text.sentence_embedder import SentenceEmbedder
from support.dialogues import tool

TEXT = {"type": "string"}
UNIT = {"enum": ["miles", "kilometers", "feet", "meters"]}
VOICES = tuple(f"answer in the voice of {name}" for name in ("Albert", "Grace", "Nigel", "Frank"))
TOOLS = [
    tool("search_documents", "Search the documents for facts to answer a question with.", query=TEXT),
    tool("audio_search", "Change the voice you speak in.", query=TEXT, phrases=VOICES),
    tool("get_date_time", "Tell the current date, weekday and time.", "timezone", timezone=TEXT),
    tool("calculate", "Work out an arithmetic expression exactly.", expression=TEXT),
    tool("opening_hours", "Tell when a museum is open today.", museum=TEXT),
    tool("get_weather", "Tell the weather in a city.", city={"type": "string", "description": "name of the city"}),
    tool("play_music", "Play music, songs or an album by an artist.", artist=TEXT),
    tool("convert_length", "Convert a length from one unit to another.", value={"type": "number"}, unit=UNIT, to=UNIT),
    tool("set_timer", "Start a timer.", minutes={"type": "integer"}, phrases=("set a timer for ten minutes",)),
    tool("book_table", "Book a table in the restaurant.", people={"type": "integer"}, hour=TEXT),
    tool("switch_light", "Switch the light or the lamp in a room on or off.", room=TEXT, state={"enum": ["on", "off"]}),
]
READ = RequestReader(Router(SentenceEmbedder()))


def calls(request: str, *past: PastTurn) -> list[tuple[str, dict[str, Any]]]:
    """The complete calls of a request by tool and arguments."""
    return [(str(r.tool), r.arguments) for r in READ(plain(request), past, TOOLS).routes if r.tool and not r.missing]
