"""`topic_returned_to`: an earlier turn that a request goes back to: "back to the river, where does it start?"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.words import split_words, stems

_BACK = re.compile(
    r"^\W*(?:(?:okay|ok|so|now|and|but|anyway|well|right|let us|let's|can we|could we|please|going|go|coming|come|"
    r"getting|get)\b[ ,]*)*(?:back to|returning to|return to|about|regarding|as for|on the subject of|speaking of|"
    r"talking of) (?P<topic>(?:the |that |those |my )?[\w' -]+?)(?: (?:again|once more|question|thing|"
    r"topic))*(?:\s*[,.;:?!]+\s*(?P<rest>.*)|\s+(?P<rest2>(?:and |so )?(?:what|how|when|where|who|why|which|is|are|was|"
    r"were|do|does|did|can)\b.+)|)$",
    re.IGNORECASE | re.DOTALL,
)

_FAMILY = 5
"""Letters that the words of a family begin with."""
_ABOUT_THE_SPEAKER = re.compile(r"\b(?:you|your|yours|yourself|voices?)\b", re.IGNORECASE)


def topic_returned_to(request: str, past: Sequence[PastTurn]) -> tuple[PastTurn, str] | None:
    """The newest earlier turn about the topic that the request names, and the rest of the request.

    None for a request that goes back to nothing, or to a voice. Without further words the turn's own request is
    asked again.

    past: whole turns, in order
    """
    match = _BACK.match(request)
    if match is None or _ABOUT_THE_SPEAKER.search(match["topic"]):
        return None
    wanted = stems(match["topic"])
    for turn in reversed(past):
        titles = " ".join(passage.title for output in turn.outputs for passage in output.passages[:1])
        names = " ".join(call.name.replace("_", " ") for call in turn.calls)
        held = stems(" ".join((turn.request, titles, turn.answer, names)))
        if wanted and all(any(_akin(one, other) for other in held) for one in wanted):
            rest = match["rest"] or match["rest2"] or ""
            return turn, rest if split_words(rest) else turn.request
    return None


def _akin(one: str, other: str) -> bool:
    """Whether two stems are of one family: "conversion" and "convert"."""
    return one == other or (min(len(one), len(other)) >= _FAMILY and one[:_FAMILY] == other[:_FAMILY])
