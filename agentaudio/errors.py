"""The exceptions of agentaudio, in one tree.

AgentAudioError
├── AudioError            sound that cannot be read, written or used
├── ConversationError     an invalid conversation
├── ModelError            an error of a speech model
│   ├── ModelNotFound     unknown model name
│   ├── BackendError      the model failed to load or to generate
│   └── OutputError       the model did not give its answer as the data that the agent's `output` asks for
├── ToolError             raised by a tool; the model reads its message
│   ├── ToolNotFound      unknown tool name
│   └── ToolArgumentError the arguments do not match the schema
├── VoiceError            a voice that is missing, broken or not permitted
│   ├── VoiceNotFound     unknown voice id or name
│   └── ConsentError      the card does not permit this use
├── NetworkError          a URL that cannot be used, or whose response cannot be read
│   ├── RefusedAddress    an address that must not be requested
│   └── ServiceUnavailable  a temporary failure; another attempt may succeed
├── RetrievalError        an index, document or page that cannot be read or searched
├── WeightsError          weights of a model that are unknown, wrong or cannot be fetched
│   └── WeightsMissing    they are not on this machine
├── StorageError          a store of sessions that cannot be read or written
│   ├── SessionNotFound   no session has that id
│   └── SessionInUse      another program, or another part of this one, has the session open
├── EvaluationError       a benchmark, its data, or a run of it that cannot be read or scored
├── LimitError            a turn that took more than its `Limits` allow
├── CheckError            a check that failed, or words that it cannot read
├── OptionError           an unknown option or setting, or an invalid value
└── MissingExtra          an optional dependency that is not installed

Each message says what went wrong, which value caused it, and what to do. The message of a
`ToolError` goes to the model; all other errors reach the caller.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from agentaudio.escaping import one_line, visible

LONGEST_MESSAGE = 2_000
"""Characters of a message; a longer one loses its middle, which is what it quotes."""


class AgentAudioError(Exception):
    """Base class of all errors that agentaudio raises deliberately.

    The message becomes one line without hidden characters and of LONGEST_MESSAGE characters at most, because it often
    quotes names and texts of strangers.
    """

    def __init__(self, message: str = "") -> None:
        text = one_line(message)
        if len(text) > LONGEST_MESSAGE:
            text = f"{text[: LONGEST_MESSAGE // 2]} … {text[-LONGEST_MESSAGE // 2 + 3 :]}"
        super().__init__(text)


class AudioError(AgentAudioError, ValueError):
    """Sound that cannot be read, written or used."""


class ConversationError(AgentAudioError, ValueError):
    """An invalid conversation, such as a tool output without a call."""


class ModelError(AgentAudioError):
    """An error of a speech model."""


class ModelNotFound(ModelError, LookupError):
    """No installed package offers a model of that name."""


class BackendError(ModelError, RuntimeError):
    """The model failed to load or to generate."""


class OutputError(ModelError, ValueError):
    """The model did not give its answer as the data that the agent's `output` asks for."""


class ToolError(AgentAudioError):
    """Raise this inside a tool to report an error to the model, which may then try again. It keeps its lines."""

    def __init__(self, message: str = "") -> None:
        super().__init__()
        self.args = (visible(message),)


class ToolNotFound(ToolError, LookupError):
    """There is no tool of that name."""


class ToolArgumentError(ToolError, ValueError):
    """The arguments of a call do not match the tool's schema."""


class VoiceError(AgentAudioError):
    """A voice that is missing, broken or not permitted."""


class VoiceNotFound(VoiceError, LookupError):
    """There is no voice of that id or name."""


class ConsentError(VoiceError, PermissionError):
    """The voice's card does not permit this use."""


class NetworkError(AgentAudioError):
    """A URL that cannot be used, or whose response cannot be read."""


class RefusedAddress(NetworkError, PermissionError):
    """An address that must not be requested, such as one outside the public internet."""


class ServiceUnavailable(NetworkError):
    """A temporary failure of a service; another attempt may succeed.

    retry_after_s: seconds to wait before the next attempt, as the service requested; None if it did not
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RetrievalError(AgentAudioError):
    """An index, document or page that cannot be read or searched."""


class WeightsError(AgentAudioError):
    """Weights of a model that are unknown, wrong or cannot be fetched."""


class WeightsMissing(WeightsError, LookupError):
    """Weights that are not on this machine; the message names the command that fetches them."""


class StorageError(AgentAudioError):
    """A store of sessions that cannot be read or written."""


class SessionNotFound(StorageError, LookupError):
    """No session has that id."""


class SessionInUse(StorageError):
    """Another program, or another part of this one, has the session open."""


class EvaluationError(AgentAudioError):
    """A benchmark, its data, or a run of it that cannot be read or scored."""


class LimitError(AgentAudioError, TimeoutError):
    """A turn that took more than its `Limits` allow."""


class CheckError(AgentAudioError, RuntimeError):
    """A check failed, or words could not be read by it; nothing that it did not approve was said."""


class OptionError(AgentAudioError, ValueError):
    """An unknown option or setting, or an invalid value for one."""


class MissingExtra(AgentAudioError, ImportError):
    """An optional dependency is not installed; the message names the command that installs it."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs the extra {extra!r}: pip install 'agentaudio[{extra}]'")
        self.extra = extra


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """End of an error message about the unknown name `wanted`: the nearest of the `known` names, and a list of them."""
    names = sorted(set(known))
    if not names:
        return "none are installed"
    close = difflib.get_close_matches(wanted.lower(), [name.lower() for name in names], n=1, cutoff=0.6)
    nearest = next((name for name in names if close and name.lower() == close[0]), None)
    listing = ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "")
    return f"did you mean {nearest!r}? known: {listing}" if nearest else f"known: {listing}"
