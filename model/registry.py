"""Load models, and the parts of cascades, by name: each kind has an entry point group."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

from agentaudio.entry_points import installed
from agentaudio.errors import AgentAudioError, BackendError, ModelNotFound, OptionError, did_you_mean
from agentaudio.escaping import one_line
from agentaudio.model.options import Signature, secrets_in
from agentaudio.model.parts import ChatModel, Recogniser, Synthesiser
from agentaudio.model.speech_lm import SpeechLM

Loaded = TypeVar("Loaded")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that packages offer by name.

    group: of its entry points
    noun: names one in messages
    """

    group: str
    noun: str


MODELS = Kind("agentaudio.models", "speech model")
RECOGNISERS = Kind("agentaudio.recognisers", "recogniser")
CHAT_MODELS = Kind("agentaudio.chat_models", "chat model")
SYNTHESISERS = Kind("agentaudio.synthesisers", "synthesiser")


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
    model = _load(MODELS, spec, options)
    if not isinstance(model, SpeechLM):
        raise BackendError(f"model {spec!r} returned {type(model).__name__}, which is not a SpeechLM")
    return model


def find_model(model: str | SpeechLM) -> SpeechLM:
    """A speech model that a caller may name, as for `load_model`. Raises OptionError for another object."""
    found = load_model(model) if isinstance(model, str) else model
    if isinstance(model, type) or not isinstance(found, SpeechLM):
        raise OptionError(f"{model!r:.100} is not a speech model; give a name or an object like a SpeechLM")
    return found


def load_recogniser(spec: str, /, **options: Any) -> Recogniser:
    """Load a recogniser, such as `whisper:base`; see `load_model`. Group: `agentaudio.recognisers`."""
    recogniser: Recogniser = _load(RECOGNISERS, spec, options)
    return recogniser


def load_chat_model(spec: str, /, **options: Any) -> ChatModel:
    """Load a chat model, such as `openai:gpt-4o-mini`; see `load_model`. Group: `agentaudio.chat_models`."""
    chat: ChatModel = _load(CHAT_MODELS, spec, options)
    return chat


def load_synthesiser(spec: str, /, **options: Any) -> Synthesiser[Any]:
    """Load a synthesiser, such as `kokoro`; see `load_model`. Group: `agentaudio.synthesisers`."""
    synthesiser: Synthesiser[Any] = _load(SYNTHESISERS, spec, options)
    return synthesiser


def _load(kind: Kind, spec: str, options: Mapping[str, Any]) -> Any:
    name, _, argument = spec.partition(":")
    return call_loader(f"{kind.noun} {name!r}", find_loader(name, kind), argument or None, options)


def call_loader(name: str, loader: Callable[..., Loaded], argument: str | None, options: Mapping[str, Any]) -> Loaded:
    """Check the options against the loader's signature, then call it.

    name: what is loaded, for messages, such as "speech model 'embedded'"

    Raises as `load_model` does. An error whose message or cause shows a secret option is replaced by a
    BackendError without it.
    """
    try:
        checked = Signature.of(loader).check(options, os.environ)
    except OptionError as error:
        raise OptionError(f"{name}: {error}") from None
    secrets = set().union(*map(secrets_in, checked.values()))
    try:
        return loader(argument, **checked)
    except AgentAudioError as error:
        if not _shows(error, secrets):
            raise
        message = _without(str(error), secrets)
    except Exception as error:
        message = _without(f"{name} failed to load: {error!r}; see `agentaudio doctor`", secrets)
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
    # Messages of AgentAudioError are one line, with hidden characters escaped.
    written = {form for secret in secrets for form in (secret, one_line(secret), one_line(secret).strip())} - {""}
    forms = {form for secret in written for form in (secret, _quoted(secret), _quoted(_quoted(secret)))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _quoted(text: str) -> str:
    return repr(text)[1:-1]


def find_loader(name: str, kind: Kind = MODELS) -> Callable[..., Any]:
    """The loader of an installed backend. This imports the backend.

    Raises ModelNotFound for an unknown name, MissingExtra when a dependency is not installed, and
    BackendError when the import fails.
    """
    backends = installed_backends(kind)
    if name not in backends:
        raise ModelNotFound(f"no {kind.noun} {name!r} is installed; {did_you_mean(name, backends)}")
    try:
        loader = backends[name].load()
    except AgentAudioError:
        raise
    except Exception as error:
        raise BackendError(f"{kind.noun} {name!r} failed to load: {error!r}; see `agentaudio doctor`") from error
    if not callable(loader):
        raise BackendError(f"{kind.noun} {name!r} is {type(loader).__name__}; its entry point must name a function")
    return loader  # type: ignore[no-any-return]


def installed_backends(kind: Kind = MODELS) -> dict[str, EntryPoint]:
    """The entry points of installed backends, by name. Does not import the backends."""
    return {point.name: point for point in installed(kind.group)}
