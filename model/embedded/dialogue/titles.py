"""What the documents are about, by the phrases of the tool that searches them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.dialogue.parts import LONGEST_TOPIC
from agentaudio.model.embedded.dialogue.topics import SEARCHES
from agentaudio.text.words import content_words, split_words

_ARTICLE = re.compile(r"^(?:the|a|an) ")


def names_other_title(text: str, topic: str, tools: Sequence[ToolSpec]) -> bool:
    """Whether a text names what a document is about, in its words, and that is not the topic."""
    held, before = f" {' '.join(split_words(text))} ", f" {' '.join(split_words(topic))} "
    return any(f" {title} " in held and f" {title} " not in before for title in titles_of(tools))


def titles_of(tools: Sequence[ToolSpec]) -> list[str]:
    """What the documents are about, from the phrases of the tool that searches them."""
    found = []
    for tool in tools:
        if tool.name in SEARCHES:
            phrases = [phrase for phrase in tool.phrases if isinstance(phrase, str) and phrase[-1:] not in ".!?"]
            found += [_ARTICLE.sub("", " ".join(split_words(phrase))) for phrase in phrases]
    return [title for title in found if content_words(title) and len(title.split()) <= LONGEST_TOPIC]
