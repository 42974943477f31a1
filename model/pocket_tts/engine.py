"""`PocketEngine`: what the two ways of running Pocket TTS have in common."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio

Arrays = Mapping[str, NDArray[Any]]
"""A voice state: arrays by name. They fit only the weights that made them."""
Floats = NDArray[np.float32]

SAMPLE_RATE_HZ = 24_000
FRAME = 1920
"""Samples of one frame: 80 ms."""
MOST_TOKENS = 50
"""Of a text that is spoken in one go; of longer ones the model may skip words. Source: pocket-tts 4.0.1."""


class PocketEngine(Protocol):
    """Pocket TTS with the weights of one language. It is called from one thread at a time.

    name: of the weights, for messages
    languages: BCP-47 codes of what the weights speak
    fingerprint: differs whenever the same clip gives another voice state; letters, digits and '-'

    All methods load the weights when that has not happened. They raise BackendError when the weights are damaged or
    of another model, and when the computation fails.
    """

    @property
    def name(self) -> str: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    @property
    def fingerprint(self) -> str: ...

    def load(self) -> None:
        """Load the weights."""

    def encode(self, clip: Audio) -> Arrays:
        """The voice state of a clip of 24 kHz; its pause at the end is made as long as the model needs it."""

    def tokens(self, text: str) -> int:
        """The number of tokens of a text."""

    def speak(self, text: str, voice: Arrays, stop: threading.Event) -> Iterator[Floats]:
        """The sound of a text of at most MOST_TOKENS tokens: whole frames, float32, 24 kHz.

        Once `stop` is set, the iteration ends within a frame or two.
        """

    def close(self) -> None:
        """Free the weights."""
