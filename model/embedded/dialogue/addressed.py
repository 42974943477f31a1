"""`requested`: which routes of a sentence are asked for, since many sentences only tell something or remark on it."""

from __future__ import annotations

from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue import forms
from agentaudio.model.embedded.dialogue.parts import is_statement, only_told, request_parts
from agentaudio.model.embedded.dialogue.reports import is_report
from agentaudio.model.embedded.dialogue.sums import SUM_TOOL
from agentaudio.model.embedded.dialogue.topics import SEARCHES
from agentaudio.model.embedded.dialogue.wished_voices import likens
from agentaudio.model.embedded.routing.possible import does, tells
from agentaudio.model.embedded.routing.route import Route

_REMARK = Route(None, {}, 0.5, "chat")


def requested(request: str, routes: Sequence[Route], tools: Sequence[ToolSpec]) -> tuple[Route, ...]:
    """The routes, with a remark in the place of each tool that the request does not ask for.

    "I like London" does not ask for its weather, "my brother has a deep voice" for no voice, and "my wife booked a
    table last night" for nothing; a sum is asked for by its numbers.
    """
    not_asked: set[str | None] = set()
    if only_told(request):
        own = forms.OF_ONESELF.match(request) is not None  # what the user tells of themselves is in no document
        if own or all(route.tool not in SEARCHES for route in routes):
            not_asked |= {tool.name for tool in tools if tells(tool)}
        if forms.OF_OTHERS.match(request):
            not_asked |= {tool.name for tool in tools if does(tool)}
        if not forms.WISHES_A_VOICE.search(request):
            not_asked.add(VOICE_TOOL)
    if likens(request):
        not_asked.add(VOICE_TOOL)
    parts = request_parts(request)
    reports = [is_report(part) or forms.EXCLAIMS.match(part) is not None for part in parts]
    if any(reports) and all(
        one or is_statement(part) or forms.IT_IS.match(part) for one, part in zip(reports, parts, strict=True)
    ):
        not_asked |= {route.tool for route in routes if route.tool != SUM_TOOL}
    return tuple(_REMARK if route.tool in not_asked and route.tool else route for route in routes)
