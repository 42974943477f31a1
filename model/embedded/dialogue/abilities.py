"""`able_to`: the answer to whether the agent can do something: "are you able to do sums?"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.answering.small_talk import ability
from agentaudio.model.embedded.routing.router import Router

_ABLE = re.compile(
    r"(?:(?:and|so|but|okay|then) )*(?:are you (?:also |even )?able to|are you capable of|do you know how to|"
    r"do you (?:also )?(?:do|handle|offer)|can you (?:also |even )?(?:do|handle)|is it possible for you to) "
    r"(?P<deed>.+)"
)


def able_to(said: str, router: Router, tools: Sequence[ToolSpec]) -> str | None:
    """The answer that names what the tool does; None for another request, and where the tool can be called at once.

    said: in the words of `split_words`, joined by spaces
    """
    asked = _ABLE.fullmatch(said)
    if asked is None:
        return None
    route = router.route(asked["deed"], tools)[0]
    tool = next((tool for tool in tools if tool.name == route.tool), None)
    return f"Yes. I can {ability(tool)}." if tool is not None and route.missing else None
