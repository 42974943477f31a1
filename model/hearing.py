"""How a model with a recogniser hears: the sounds that have no words yet, and the conversation with their words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from agentaudio.conversation import AudioPart, Conversation, Message, Part
from agentaudio.model.parts import Recogniser, Recognition
from agentaudio.sound.audio import Audio


def unheard(message: Message | None) -> list[Audio]:
    """The sounds of a message that have no transcript."""
    parts = message.parts if message is not None else ()
    return [part.audio for part in parts if isinstance(part, AudioPart) and part.transcript is None]


async def recognised(
    recogniser: Recogniser, conversation: Conversation, *, language: str | None, hint: Sequence[str] = ()
) -> Recognition | None:
    """What the user said last, its sounds joined; None when it was written or is transcribed already.

    language, hint: as of `Recogniser.recognise`, which says what it raises
    """
    sounds = unheard(conversation.last_user)
    if not sounds:
        return None
    sound = await asyncio.to_thread(Audio.concat, sounds)
    return await recogniser.recognise(sound, language=language, hint=hint)


def transcribed(conversation: Conversation, words: str) -> Conversation:
    """The conversation with a transcript for each sound.

    words: of the last user message; the transcript of its first sound, since its sounds were joined. Earlier sound
        that was never recognised, because its turn failed, counts as empty.
    """
    last, messages = conversation.last_user, []
    for message in conversation:
        if not unheard(message):
            messages.append(message)
            continue
        left = words if message is last else ""
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, AudioPart) and part.transcript is None:
                part, left = replace(part, transcript=left), ""
            parts.append(part)
        messages.append(Message(message.role, tuple(parts)))
    return Conversation(messages)
