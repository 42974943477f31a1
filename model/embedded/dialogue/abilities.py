"""`able_to`: the answer to whether the agent can do something: "are you able to do sums?"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.answering.small_talk import ability
from agentaudio.model.embedded.routing.route import Route
from agentaudio.model.embedded.routing.router import Router
from agentaudio.text.words import split_words

_ABLE = re.compile(
    r"(?:(?:and|so|but|okay|then) )*(?:are you (?:also |even )?able to|are you capable of|do you know how to|"
    r"do you (?:also )?(?:do|handle|offer)|can you (?:also |even )?(?:do|handle)|is it possible for you to) "
    r"(?P<deed>.+)"
)
_OR_NOT = re.compile(
    r"(?:(?:and|so|but|okay|then) )*can you (?:also |even )?(?P<deed>.+?)(?: and off)?(?: by the way)? "
    r"or (?:is (?:that|it) (?:not|beyond|too)|are you not|can you not|can not you|do you not|not able)\b.*"
)
"""A question for an ability that doubts it: "can you switch lights on and off, or is that not your thing?"."""

_BOTH_WAYS = re.compile(
    r"(?:(?:and|so|but|okay|then) )*can you (?:also |even )?(?P<deed>.+?) (?:on and off|off and on|up and down)"
    r"(?: (?:by the way|too|as well|at all))*"
)


ABLE = "Yes. I can "
"""How the answer begins that the agent can do it."""


def offered(request: str, router: Router, tools: Sequence[ToolSpec]) -> Route | None:
    """The call without its values that a question such as "are you able to tell the weather" is about."""
    asked = _asked(" ".join(split_words(request)))
    route = router.route(asked["deed"], tools)[0] if asked is not None else None
    return route if route is not None and route.tool is not None and route.missing else None


def able_to(said: str, router: Router, tools: Sequence[ToolSpec]) -> str | None:
    """The answer that names what the tool does; None for another request, and where the tool can be called at once.

    said: in the words of `split_words`, joined by spaces
    """
    asked = _asked(said)
    if asked is None:
        return None
    route = router.route(asked["deed"], tools)[0]
    tool = next((tool for tool in tools if tool.name == route.tool), None)
    return f"{ABLE}{ability(tool)}." if tool is not None and route.missing else None


def _asked(said: str) -> re.Match[str] | None:
    return _ABLE.fullmatch(said) or _OR_NOT.fullmatch(said) or _BOTH_WAYS.fullmatch(said)
