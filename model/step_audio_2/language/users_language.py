"""The language of the prompts: that of the user, as far as it is known."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.model.step_audio_2.language.dialect import Language
from agentaudio.text.languages import CJK, HAN

_HAN = re.compile(f"[{HAN}]")
_WORD = re.compile(rf"[^\W\d_{CJK}]+")


def users_language(
    conversation: Conversation, tools: Sequence[ToolSpec] = (), *, language: str | None = None
) -> Language:
    """zh for a user who speaks Chinese, otherwise en.

    The first of these that is there decides: `language`; the words of the user and of the answers, all together, so
    that one foreign word changes nothing; the system message; the descriptions of the tools.

    language: BCP-47 code that the caller asks for
    """
    if language is not None:
        return "zh" if language.lower().replace("_", "-").partition("-")[0] in ("zh", "yue", "cmn") else "en"
    said = " ".join(message.text for message in conversation if message.role in ("user", "assistant"))
    system = " ".join(message.text for message in conversation if message.role == "system")
    for text in (said, system, " ".join(tool.description for tool in tools)):
        characters, words = len(_HAN.findall(text)), len(_WORD.findall(text))
        if characters or words:
            # A Chinese word is about one and a half characters long.
            return "zh" if characters > 1.5 * words else "en"
    return "en"
