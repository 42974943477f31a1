"""Who calls: API keys, client secrets, and what each key may use."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from agentaudio.server.errors import ApiError
from agentaudio.server.settings import ServerSettings

SECRET_PREFIX = "ek_"
SUBPROTOCOL_KEY = "openai-insecure-api-key."
LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))
SECRETS_PER_CALLER = 1_000


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key.

    id: from a digest of the key, to tell callers apart in memory and in the log; the key cannot be found from it
    is_admin: whether the key may use and delete the voices of all keys
    session: configuration that came with a client secret; None for an API key
    """

    id: str
    is_admin: bool = False
    session: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)


ANYONE = Caller("anyone")
"""Who has no key: not the owner of anything, where keys are needed."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A key for one browser, which an API key has made.

    value: begins with `ek_`
    expires_at: seconds since 1970
    """

    value: str = field(repr=False)
    expires_at: int


class Keys:
    """The API keys of a server and the client secrets made from them. Holds digests, not the keys."""

    def __init__(self, keys: Sequence[str], admin_keys: Sequence[str] = ()) -> None:
        self._keys = [(_digest(key), Caller(_digest(key).hex()[:16], key in admin_keys)) for key in keys]
        self._secrets: dict[bytes, tuple[float, Caller]] = {}

    @property
    def required(self) -> bool:
        return bool(self._keys)

    def caller(self, key: str | None, *, secrets_too: bool = False) -> Caller:
        """Who holds `key`. Takes the same time whichever key it is, or none.

        secrets_too: whether a client secret is accepted

        Raises ApiError 401.
        """
        digest = _digest(key or "")
        found: Caller | None = None
        for known, caller in self._keys:
            if hmac.compare_digest(known, digest):
                found = caller
        if found is None and secrets_too:
            expires, holder = self._secrets.get(digest, (0.0, None))
            if expires > time.time():
                found = holder
        if found is None and not self._keys and not (key or "").startswith(SECRET_PREFIX):
            found = ANYONE
        if found is None:
            raise ApiError(
                401,
                "the API key is missing or wrong; send it as `Authorization: Bearer KEY`",
                headers={"www-authenticate": "Bearer"},
            )
        return found

    def make_secret(self, caller: Caller, seconds: float, session: Mapping[str, Any]) -> ClientSecret:
        """A client secret of `caller` that lasts `seconds`. Raises ApiError 429 when the caller has too many."""
        now = time.time()
        self._secrets = {digest: held for digest, held in self._secrets.items() if held[0] > now}
        if sum(held == caller for _, held in self._secrets.values()) >= SECRETS_PER_CALLER:
            raise ApiError(429, "too many client secrets are valid at the same time; wait until some have expired")
        value = SECRET_PREFIX + secrets.token_urlsafe(32)
        self._secrets[_digest(value)] = now + seconds, replace(caller, session=session)
        return ClientSecret(value, int(now + seconds))


def key_of(headers: Headers) -> str | None:
    """The key in the headers of a request: a bearer token, `api-key`, or a subprotocol of a WebSocket."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if "api-key" in headers:
        return headers["api-key"]
    for protocol in headers.get("sec-websocket-protocol", "").split(","):
        if protocol.strip().startswith(SUBPROTOCOL_KEY):
            return protocol.strip().removeprefix(SUBPROTOCOL_KEY)
    return None


def check_place(headers: Headers, settings: ServerSettings) -> None:
    """Refuse requests under a foreign host name (DNS rebinding) and from pages of foreign origins.

    Raises ApiError 403.
    """
    host = urlsplit(f"//{headers.get('host', '')}")
    try:
        name = (host.hostname or "").lower()
    except ValueError:
        name = ""
    allowed = {*settings.hosts, *LOOPBACK_NAMES} if settings.hosts or not settings.keys else None
    if allowed is not None and name not in allowed:
        raise ApiError(
            403, "this server is not addressed by that host name; see the setting `hosts`", code="wrong_host"
        )
    origin = headers.get("origin")
    if origin is None or origin in settings.origins or "*" in settings.origins:
        return
    if urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise ApiError(
            403, "pages of this origin may not call the server; see the setting `origins`", code="wrong_origin"
        )


@dataclass
class _Bucket:
    """A token bucket. left: tokens at the time `at` (monotonic)"""

    left: float
    at: float


@dataclass(frozen=True, slots=True)
class RequestsLeft:
    """limit: requests a minute; remaining: that may come now; reset_s: seconds until all may come again"""

    limit: int
    remaining: int
    reset_s: float


class CallerLimits:
    """What the callers use, against the limits in the settings."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._requests: dict[str, _Bucket] = {}
        self._sound: dict[str, _Bucket] = {}
        self._sessions: dict[str, int] = {}

    @property
    def sessions(self) -> int:
        """Answers and conversations that run now."""
        return sum(self._sessions.values())

    def take_request(self, caller: Caller) -> None:
        """Count a request. Raises ApiError 429."""
        self._take(self._requests, caller, 1.0, self._settings.requests_per_minute, "requests", least=1.0)

    def requests_left(self, caller: Caller) -> RequestsLeft:
        """What a key may still ask for."""
        most = self._settings.requests_per_minute
        left = self._refilled(self._requests, caller, most).left
        return RequestsLeft(most, max(0, int(left)), max(0.0, (most - left) * 60 / most))

    def take_sound(self, caller: Caller, seconds: float) -> None:
        """Count sound, in either direction. Raises ApiError 429 when the budget was already used up."""
        self._take(self._sound, caller, seconds, self._settings.sound_s_per_minute, "seconds of sound", least=1e-3)

    def count_sound(self, caller: Caller, seconds: float) -> None:
        """Count sound of an answer that has begun, which is never cut off for it."""
        self._refilled(self._sound, caller, self._settings.sound_s_per_minute).left -= seconds

    @contextmanager
    def session(self, caller: Caller) -> Iterator[None]:
        """Count an answer or conversation while it runs. Raises ApiError 429 or 503."""
        running = self._sessions.get(caller.id, 0)
        if running >= self._settings.sessions:
            raise ApiError(
                429,
                f"{running} answers and conversations of this key run already; wait until one ends",
                code="too_many_sessions",
                headers={"retry-after": "1"},
            )
        if self.sessions >= self._settings.total_sessions:
            raise ApiError(503, "the server is busy; try again in a moment", headers={"retry-after": "1"})
        self._sessions[caller.id] = running + 1
        try:
            yield
        finally:
            self._sessions[caller.id] -= 1
            if not self._sessions[caller.id]:
                del self._sessions[caller.id]

    def _take(
        self, buckets: dict[str, _Bucket], caller: Caller, amount: float, per_minute: float, what: str, *, least: float
    ) -> None:  # fmt: skip
        """Take from a bucket that holds a minute's worth and has `least` left; it may become negative thereby."""
        bucket = self._refilled(buckets, caller, per_minute)
        if bucket.left < least:
            wait_s = round((least - bucket.left) * 60 / per_minute) + 1
            raise ApiError(
                429,
                f"more {what} than the {per_minute:g} a minute that this key may use; try again in {wait_s} s",
                headers={"retry-after": str(wait_s)},
            )
        bucket.left -= amount

    def _refilled(self, buckets: dict[str, _Bucket], caller: Caller, per_minute: float) -> _Bucket:
        now = time.monotonic()
        bucket = buckets.setdefault(caller.id, _Bucket(per_minute, now))
        bucket.left = min(per_minute, bucket.left + (now - bucket.at) * per_minute / 60)
        bucket.at = now
        return bucket


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
