"""`Reply`: the result of a turn."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agentaudio.conversation import Citation, ToolCall
from agentaudio.errors import AudioError
from agentaudio.model.speech_lm import Imitation
from agentaudio.plain import PlainForm, plain
from agentaudio.provenance.provenance import Origin
from agentaudio.sound.audio import Audio
from agentaudio.tools.execution import ToolRun
from agentaudio.voice_library.voice import Voice

StopReason = Literal[
    "answered", "length", "tool_calls", "max_steps", "refused", "usage_limit", "interrupted", "failed"
]  # fmt: skip
"""Why a turn ended.

answered: the model finished its answer
length: a length limit ended the answer early
tool_calls: the caller must run `Reply.open_calls` and pass the results to the next turn
max_steps: the turn reached its last step, which has no tools
refused: a check stopped the turn; the answer ends with what the check says to the user
usage_limit: the turn needed more than UsageLimits allow
interrupted: the turn was stopped; the reply holds what was heard until then
failed: an error ended the turn; the reply holds what was said and done until then
"""


@dataclass(frozen=True, slots=True)
class Reply(PlainForm):
    """The result of one turn.

    text: words of the answer
    audio: sound of the answer; None when there is none
    heard: the user's words as the model recognised them
    confidence: of the recognition, 0 to 1
    voice: the voice that was heard last; None is the model's own
    imitation: how the model spoke in that voice: cloned, moved towards it, in its nearest preset, or converted
    tool_calls: calls that ran, with their results, in the order in which the model made them
    open_calls: calls that the caller must run
    citations: passages that the answer used
    output: the answer as data, an instance of the agent's `output`; None without one
    stopped_by: the check or the usage limit that ended the turn; empty when it was something else
    usage: counts by name, summed over all steps: `output_characters` and `output_sound_s` for every model, and what the
        model counts, such as `input_tokens` and `output_tokens`
    timings: seconds from the start of the turn to `heard`, `first_audio` and `total`
    origin: how the sound was made, which `save` states in a signed file
    """

    text: str
    audio: Audio | None = None
    heard: str | None = None
    confidence: float | None = None
    voice: Voice | None = None
    imitation: Imitation | None = None
    tool_calls: tuple[ToolRun, ...] = ()
    open_calls: tuple[ToolCall, ...] = ()
    citations: tuple[Citation, ...] = ()
    output: Any = None
    stop: StopReason = "answered"
    stopped_by: str = ""
    usage: Mapping[str, float] = field(default_factory=dict, hash=False)
    timings: Mapping[str, float] = field(default_factory=dict, hash=False)
    origin: Origin | None = field(default=None, repr=False, compare=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the sound to a file in one step; its suffix names the format. It is signed if the agent signs files.

        Raises AudioError for a reply without sound, a suffix that is unknown or, where files are signed, has no place
        for a signature, and a place that cannot be written; ConsentError when a voice may not be used any more and
        the file would be signed. An older file stays then.
        """
        if self.audio is None:
            raise AudioError("the reply has no sound, so there is nothing to save")
        return self.audio.save(path) if self.origin is None else self.origin.save(self.audio, path)

    def voice_similarity(self) -> float | None:
        """How near the answer's sound came to its voice: the cosine of their speaker embeddings.

        About 0.85 to 0.95 for two recordings of one person, 0.5 to 0.65 for two people. Measured on the
        answer itself with the shipped encoder, which takes some 50 ms a second of sound: call it in a thread.
        None without a voice or sound. Raises MissingExtra without the extra `embedded`, AudioError for
        an answer too short to measure.
        """
        if self.voice is None or self.audio is None or not len(self.audio):
            return None
        from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder

        encoder = EmbeddedSpeakerEncoder()
        return float(encoder.encode(self.audio) @ encoder.encode(self.voice.clip))

    def to_dict(self) -> dict[str, Any]:
        """Data for JSON. Sound becomes its duration and sample rate."""
        return {name: plain(getattr(self, name)) for name in self.__slots__ if name != "origin"}
