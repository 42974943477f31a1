"""Every error that agentaudio raises on purpose, in one tree.

AgentAudioError
├── AudioError            a sound that cannot be read, written or used
├── ConversationError     an impossible conversation
├── ModelError            something is wrong with a speech model
│   ├── ModelNotFound     no backend of that name
│   └── BackendError      the backend failed while generating
├── ToolError             raised by a tool: its message goes back to the model
│   ├── ToolNotFound      no tool of that name
│   └── ToolArgumentError the arguments do not fit the schema
├── VoiceError            a voice that is missing, broken or not allowed
│   ├── VoiceNotFound     no voice of that id
│   └── ConsentError      the card does not permit this use
├── NetworkError          a web address that cannot be used, or whose answer cannot be read
│   ├── RefusedAddress    an address that may not be requested
│   └── ServiceUnavailable  no answer now; another attempt may succeed
├── RetrievalError        an index, a corpus or a page that cannot be read or searched
├── OptionError           an option or setting that does not exist or cannot hold
└── MissingExtra          an optional dependency that is not installed

Each message says what went wrong, which value, and what to do. `ToolError` is
the one that a model gets to read; all others reach the caller.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AgentAudioError(Exception):
    """The root: catch this to catch everything agentaudio raises on purpose."""


class AudioError(AgentAudioError, ValueError):
    """A sound that cannot be read, written or used."""


class ConversationError(AgentAudioError, ValueError):
    """A conversation that cannot be, such as a tool result nobody asked for."""


class ModelError(AgentAudioError):
    """Something is wrong with a speech model."""


class ModelNotFound(ModelError, LookupError):
    """No backend of that name is installed."""


class BackendError(ModelError, RuntimeError):
    """The backend failed while generating."""


class ToolError(AgentAudioError):
    """Raise it inside a tool: the message is handed to the model, which may try again."""


class ToolNotFound(ToolError, LookupError):
    """No tool of that name."""


class ToolArgumentError(ToolError, ValueError):
    """The arguments of a call do not fit the tool's schema."""


class VoiceError(AgentAudioError):
    """A voice that is missing, broken or not allowed."""


class VoiceNotFound(VoiceError, LookupError):
    """No voice of that id or name."""


class ConsentError(VoiceError, PermissionError):
    """The voice's card does not permit this use."""


class NetworkError(AgentAudioError):
    """A web address that cannot be used, or whose answer cannot be read."""


class RefusedAddress(NetworkError, PermissionError):
    """An address that may not be requested, such as one outside the public internet."""


class ServiceUnavailable(NetworkError):
    """A service that did not answer, or cannot answer now; another attempt may succeed.

    retry_after_s: seconds to wait before the next attempt, where the service says so
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RetrievalError(AgentAudioError):
    """An index, a corpus or a page that cannot be read or searched."""


class OptionError(AgentAudioError, ValueError):
    """An option or setting that does not exist, or a value it cannot hold."""


class MissingExtra(AgentAudioError, ImportError):
    """An optional dependency is not installed; the message names the command that installs it."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs the extra {extra!r}: pip install 'agentaudio[{extra}]'")
        self.extra = extra


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """The tail of an error message about an unknown name: the nearest match and what exists."""
    names = sorted(set(known))
    if not names:
        return "none are installed"
    close = difflib.get_close_matches(wanted.lower(), [name.lower() for name in names], n=1, cutoff=0.6)
    nearest = next((name for name in names if close and name.lower() == close[0]), None)
    listing = ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "")
    return f"did you mean {nearest!r}? known: {listing}" if nearest else f"known: {listing}"
