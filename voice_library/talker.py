"""`talker_voice`: a person's last utterance as a voice for the rest of a conversation."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from agentaudio.sound.audio import Audio
from agentaudio.voice_library.prepared import MAX_CLIP_S, PreparedVoice
from agentaudio.voice_library.voice import Consent, Source, Voice


def talker_voice(speech: Audio) -> Voice:
    """A voice of a person who asked in a conversation to be spoken as. It belongs to no library.

    speech: what the person said; the first 30 s are used

    The consent on the card covers synthesis, until the end of the day. The clip is held in memory and
    written to no file, so that nothing of it stays when the process is killed.
    Raises VoiceError for silence or less than 1 s.
    """
    consent = Consent(
        basis="speaker", holder="the person who was talking", scope=("synthesis",), until=date.today(),
        evidence="asked for it in the conversation",
    )  # fmt: skip
    prepared = PreparedVoice.of(
        speech.slice(0, MAX_CLIP_S),
        id="talker", name="the person talking", description="The person who was talking, as they asked.",
        source=Source(engine="the conversation"), licence="LicenseRef-this-conversation", consent=consent,
    )  # fmt: skip
    card = prepared.card.model_copy(update={"id": f"talker-{prepared.card.sha256[:12]}"})
    return Voice(card, Path(f"{card.id}.flac"), content=prepared.content)
