"""From a name to a model: backends are found through the entry points `agentaudio.models`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from agentaudio.errors import AgentAudioError, BackendError, ModelNotFound, OptionError, did_you_mean
from agentaudio.model.speech_lm import SpeechLM

GROUP = "agentaudio.models"


def load_model(spec: str, **options: Any) -> SpeechLM:
    """Load a speech model.

    spec: `NAME` or `NAME:ARGUMENT`, such as `embedded` or `scripted:replies.json`. An installed
        package offers NAME by an entry point in the group `agentaudio.models`; it names a
        function that takes ARGUMENT (a string or None) and the options, and returns a SpeechLM.

    Raises ModelNotFound for an unknown name, OptionError for an option the backend does not
    have, and what the backend itself raises when it cannot load.
    """
    name, _, argument = spec.partition(":")
    backends = installed_backends()
    if name not in backends:
        raise ModelNotFound(f"no speech model {name!r} is installed; {did_you_mean(name, backends)}")
    try:
        load = backends[name].load()
        model = load(argument or None, **options)
    except AgentAudioError:
        raise
    except TypeError as error:
        if options and "argument" in str(error):
            raise OptionError(f"model {name!r} does not take these options: {error}") from error
        raise BackendError(f"model {name!r} failed to load: {error!r}; see `agentaudio doctor`") from error
    except Exception as error:
        raise BackendError(f"model {name!r} failed to load: {error!r}; see `agentaudio doctor`") from error
    if not isinstance(model, SpeechLM):
        raise BackendError(f"model {name!r} returned {type(model).__name__}, which is not a SpeechLM")
    return model


def installed_backends() -> dict[str, EntryPoint]:
    """The backends that installed packages offer, by name; nothing of them is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}
