"""`Watermark`: an inaudible mark in the sound itself, which packages offer by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Protocol, runtime_checkable

from agentaudio.entry_points import installed
from agentaudio.errors import AgentAudioError, BackendError, OptionError, did_you_mean
from agentaudio.sound.audio import Audio

GROUP = "agentaudio.watermarks"
"""Entry points that name a class or function of one string, the argument, which returns a Watermark."""


@runtime_checkable
class Watermark(Protocol):
    """Puts a mark into sound, and finds it again. Called from any thread.

    name: of the method, which signed files state
    payload_bytes: size of what a mark holds; 0 for a mark that is only there or not
    """

    name: str
    payload_bytes: int

    def embed(self, sound: Audio, payload: bytes) -> Audio:
        """The sound with a mark: of the same rate and number of samples.

        sound: a piece of an answer as it is spoken, some tenths of a second to some seconds long
        payload: `payload_bytes` long; the same for all pieces that are spoken in one voice
        """

    def detect(self, sound: Audio) -> bytes | None:
        """The payload of the mark in a sound, which may be a part of an answer or compressed; None without a mark."""


def installed_watermarks() -> dict[str, EntryPoint]:
    """The methods that packages offer, by name."""
    return {point.name: point for point in installed(GROUP)}


def load_watermark(spec: str) -> Watermark:
    """The method of NAME or NAME:ARGUMENT; what the argument means, such as a file with a key, the method decides.

    Raises OptionError for a name that is not known, BackendError when it cannot be loaded, and what it raises on
    purpose.
    """
    name, _, argument = spec.partition(":")
    known = installed_watermarks()
    if name not in known:
        raise OptionError(f"there is no watermark {name[:60]!r}; {did_you_mean(name, known)}")
    try:
        made = known[name].load()(argument)
    except AgentAudioError:
        raise
    except Exception as error:
        raise BackendError(f"watermark {name!r} cannot be loaded: {error!r}") from error
    return checked_watermark(made)


def checked_watermark(made: object) -> Watermark:
    """Raises OptionError for an object that is not a Watermark."""
    if not isinstance(made, Watermark) or isinstance(made, type):
        raise OptionError(f"{made!r:.100} is not a watermark; it needs name, payload_bytes, embed and detect")
    return made


def embedded(watermark: Watermark, sound: Audio, payload: bytes) -> Audio:
    """The sound with a mark. Blocks.

    Raises BackendError when the method fails or changes more than the samples: then the sound must not leave.
    """
    if not len(sound):
        return sound
    try:
        marked = watermark.embed(sound, payload)
    except Exception as error:
        raise BackendError(f"watermark {watermark.name!r} failed: {error!r}") from error
    if not isinstance(marked, Audio) or (len(marked), marked.sample_rate) != (len(sound), sound.sample_rate):
        raise BackendError(
            f"watermark {watermark.name!r} made {marked!r:.60} of {sound!r}; it must keep rate and number of samples"
        )
    return marked


def detected(watermark: Watermark, sound: Audio) -> bytes | None:
    """The payload of the mark in a sound. Blocks. Raises BackendError when the method fails."""
    try:
        return watermark.detect(sound)
    except Exception as error:
        raise BackendError(f"watermark {watermark.name!r} failed: {error!r}") from error
