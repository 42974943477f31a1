"""`load_model`: load a model by name, through the entry point group `agentaudio.models`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from agentaudio.errors import AgentAudioError, BackendError, ModelNotFound, OptionError, did_you_mean
from agentaudio.model.options import Signature, secrets_in
from agentaudio.model.speech_lm import SpeechLM

GROUP = "agentaudio.models"

Loaded = TypeVar("Loaded")


def load_model(spec: str, **options: Any) -> SpeechLM:
    """Load a speech model.

    spec: `NAME` or `NAME:ARGUMENT`, such as `embedded` or `scripted:replies.json`. An installed
        package offers NAME by an entry point in the group `agentaudio.models`. The entry point names
        a function that takes ARGUMENT (a string or None) and keyword options, and returns a SpeechLM.
    options: converted to the types that the function annotates. An option annotated with `FromEnv`
        falls back to its environment variable.

    Raises ModelNotFound for an unknown name, OptionError for an option that is unknown, missing or of
    the wrong type, BackendError when the backend cannot load, and any AgentAudioError of the backend.
    """
    name, _, argument = spec.partition(":")
    model = call_loader(name, find_loader(name), argument or None, options)
    if not isinstance(model, SpeechLM):
        raise BackendError(f"model {name!r} returned {type(model).__name__}, which is not a SpeechLM")
    return model


def call_loader(name: str, loader: Callable[..., Loaded], argument: str | None, options: Mapping[str, Any]) -> Loaded:
    """Check the options against the loader's signature, then call it. name: for error messages.

    Raises as `load_model` does. Secret options are removed from the messages of other exceptions.
    """
    try:
        checked = Signature.of(loader).check(options, os.environ)
    except OptionError as error:
        raise OptionError(f"model {name!r}: {error}") from None
    try:
        return loader(argument, **checked)
    except AgentAudioError:
        raise
    except Exception as error:
        message = f"model {name!r} failed to load: {error!r}; see `agentaudio doctor`"
        secrets = [secret for value in checked.values() for secret in secrets_in(value) if secret in message]
        for secret in secrets:
            message = message.replace(secret, "***")
        # The cause would print the secret in its traceback.
        raise BackendError(message) from (None if secrets else error)


def find_loader(name: str) -> Callable[..., Any]:
    """The loader of an installed backend. This imports the backend.

    Raises ModelNotFound for an unknown name, MissingExtra when a dependency is not installed, and
    BackendError when the import fails.
    """
    backends = installed_backends()
    if name not in backends:
        raise ModelNotFound(f"no speech model {name!r} is installed; {did_you_mean(name, backends)}")
    try:
        loader = backends[name].load()
    except AgentAudioError:
        raise
    except Exception as error:
        raise BackendError(f"model {name!r} failed to load: {error!r}; see `agentaudio doctor`") from error
    if not callable(loader):
        raise BackendError(f"model {name!r} is {type(loader).__name__}; its entry point must name a function")
    return loader  # type: ignore[no-any-return]


def installed_backends() -> dict[str, EntryPoint]:
    """The entry points of installed backends, by name. Does not import the backends."""
    return {point.name: point for point in entry_points(group=GROUP)}
