"""`load_model`: load a model by name, through the entry point group `agentaudio.models`."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from agentaudio.errors import AgentAudioError, BackendError, ModelNotFound, OptionError, did_you_mean
from agentaudio.model.options import Signature, secrets_in
from agentaudio.model.speech_lm import SpeechLM

GROUP = "agentaudio.models"

Loaded = TypeVar("Loaded")


def load_model(spec: str, /, **options: Any) -> SpeechLM:
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

    Raises as `load_model` does. An error whose message or cause shows a secret option is replaced by a
    BackendError without it.
    """
    try:
        checked = Signature.of(loader).check(options, os.environ)
    except OptionError as error:
        raise OptionError(f"model {name!r}: {error}") from None
    secrets = set().union(*map(secrets_in, checked.values()))
    try:
        return loader(argument, **checked)
    except AgentAudioError as error:
        if not _shows(error, secrets):
            raise
        message = _without(str(error), secrets)
    except Exception as error:
        message = _without(f"model {name!r} failed to load: {error!r}; see `agentaudio doctor`", secrets)
        if not _shows(error, secrets):
            raise BackendError(message) from error
    # Outside the handlers, because the traceback would print the original exception, and with it the secret.
    raise BackendError(message)


def _shows(error: BaseException, secrets: Iterable[str]) -> bool:
    """Whether the traceback of an exception, with its causes, contains one of the secrets."""
    shown = "".join(traceback.format_exception(error))
    return _without(shown, secrets) != shown


def _without(text: str, secrets: Iterable[str]) -> str:
    # A message may quote the secret as `repr` writes it, and the repr of the exception may quote it once more.
    forms = {form for secret in secrets for form in (secret, _quoted(secret), _quoted(_quoted(secret)))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _quoted(text: str) -> str:
    return repr(text)[1:-1]


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
