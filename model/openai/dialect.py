"""`Dialect`: how servers of Chat Completions with sound differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentaudio.model.openai.messages import SoundPart, input_audio, input_audio_url

DialectName = Literal["openai", "dashscope"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A form of Chat Completions with sound.

    sound: how the user's sound is sent
    format: of the answer's sound, as it is named in a request
    voice: of the answer, where none is chosen
    streams_only: every request without `stream` is refused
    one_base64: the pieces of the answer's sound are one base64 text, cut anywhere; otherwise each is whole
    max_audio_s: longest user sound
    addresses: of the service, for a message when none is given; empty where there is a default
    """

    sound: SoundPart
    format: str
    voice: str
    streams_only: bool
    one_base64: bool
    max_audio_s: float
    addresses: tuple[str, ...] = ()


DIALECTS: dict[DialectName, Dialect] = {
    "openai": Dialect(
        sound=input_audio, format="pcm16", voice="alloy", streams_only=False, one_base64=False, max_audio_s=300.0
    ),
    "dashscope": Dialect(
        sound=input_audio_url, format="wav", voice="Cherry", streams_only=True, one_base64=True,
        # A sound is at most 10 MB of base64 there, which are 245 s of 16 kHz; Qwen-Omni-Turbo takes 180 s.
        max_audio_s=180.0,
        addresses=(
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ),
    ),
}  # fmt: skip
"""By name. dashscope: Qwen-Omni at Alibaba Cloud's Model Studio, as its documentation describes it."""
