"""`ServerSettings`: all limits and choices of a server, in one place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Literal

from agentaudio.errors import OptionError
from agentaudio.live.turn_model import TurnModelLike

SHORTEST_KEY = 16


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How a server behaves. Sizes are in bytes, times in seconds.

    keys: API keys; without any, the server answers everyone who reaches it, so it must be bound to a loopback address
    admin_keys: those of `keys` that may also use and delete the voices that other keys have added
    origins: web origins, such as "https://example.org", whose pages may call the server (CORS), beside its own
    hosts: names under which the server may be addressed, beside its address; empty allows every name when there are
        keys, and only loopback names when there are none, which stops DNS rebinding
    voice_names: for a voice name that clients send, such as "alloy", an id, name or description of a voice, as for
        `Speaker`
    client_instructions: whether the instructions of a client "extend" those of the agent, or "replace" them
    ice_servers: STUN and TURN servers by which WebRTC finds its way: `stun:HOST:PORT`, `turn:USER:PASSWORD@HOST:PORT`
    public_address: IP address at which clients reach this machine by WebRTC, where it is not one of its own
    public_voices: whether voices that all keys may use are listed to readers without a key, as Open WebUI asks for them
    url_hosts: hosts, as `name` or `name:port`, from which `audio_url` may be fetched although they are private

    requests_per_minute, sessions, sound_s_per_minute: for each key: requests, answers and conversations that run at
        the same time, and seconds of sound in and out
    total_sessions: answers and conversations of all keys that run at the same time
    body_bytes: of a request
    event_bytes: of one message of a WebSocket
    sound_s: of one sound that a client sends
    text_chars: of one text to be spoken, or of all texts of a request
    messages: of one conversation
    answer_s: of one request, from its first byte to its last
    turn_model: of Realtime sessions under semantic_vad, as in LiveSettings
    first_word_s: within which the model must begin to answer in a Realtime session; then the response fails
    sound_pace: how many times as fast as it is played the sound of a Realtime answer is sent, after its first 2 s
    stalled_s: how long a client may leave an answer unread, or a connection without a request, before it is cut off
    drain_s: how long answers that have begun may run on after SIGTERM
    sounds_kept, sounds_kept_s: for each key: how many answers the next turn may refer to by `audio: {id}`, and for
        how long
    voices: private voices, and consents for them, that a key may add
    secret_s: longest life of a client secret

    Raises OptionError for a number that is not above 0, for a short key, and for other `client_instructions`.
    """

    keys: tuple[str, ...] = field(default=(), repr=False)
    admin_keys: tuple[str, ...] = field(default=(), repr=False)
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    voice_names: Mapping[str, str] = field(default_factory=dict)
    client_instructions: Literal["extend", "replace"] = "extend"
    ice_servers: tuple[str, ...] = field(default=(), repr=False)
    public_address: str | None = None
    public_voices: bool = False
    url_hosts: tuple[str, ...] = ()
    turn_model: TurnModelLike = "auto"

    requests_per_minute: int = 600
    sessions: int = 64
    sound_s_per_minute: float = 7_200.0
    total_sessions: int = 256

    body_bytes: int = 32_000_000
    event_bytes: int = 16_000_000
    sound_s: float = 1_800.0
    text_chars: int = 100_000
    messages: int = 2_000
    answer_s: float = 900.0
    first_word_s: float = 30.0
    sound_pace: float = 8.0
    stalled_s: float = 30.0
    drain_s: float = 30.0
    sounds_kept: int = 64
    sounds_kept_s: float = 3_600.0
    voices: int = 200
    secret_s: float = 7_200.0

    @classmethod
    def limits(cls) -> dict[str, type]:
        """The limits by name, each with its type: int or float."""
        return {one.name: type(one.default) for one in fields(cls) if _is_limit(one.default)}

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if _is_limit(value) and not value > 0:
                raise OptionError(f"ServerSettings.{one.name} is {value!r}; give a number above 0")
        if self.client_instructions not in ("extend", "replace"):
            raise OptionError(f'client_instructions is {self.client_instructions!r}; give "extend" or "replace"')
        for url in self.ice_servers:
            if not re.fullmatch(r"(stun|turns?):(?:[^\s@]+@)?[^\s@:]+(:\d{1,5})?", url):
                raise OptionError(
                    "an ICE server is not of the form stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT; "
                    "write %40 for an @ in a password"
                )
        if self.public_address is not None:
            try:
                ip_address(self.public_address)
            except ValueError:
                problem = f"public_address is {self.public_address!r}; give an IP address, such as 203.0.113.7"
                raise OptionError(problem) from None
        if not set(self.admin_keys) <= set(self.keys):
            raise OptionError("an admin key is not one of the API keys; give it as both")
        if any(
            len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key for key in self.keys
        ):
            raise OptionError(
                f"an API key must have at least {SHORTEST_KEY} printable ASCII characters without spaces; "
                "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )


def _is_limit(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
