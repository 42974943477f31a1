"""`RemoteDecoder`: speech tokens to sound on `agentaudio serve-token2wav`, used as `SpeechDecoder` is used here."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agentaudio.errors import BackendError, MissingExtra, OptionError, VoiceError
from agentaudio.model.api_key import check_key
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.step_audio_2.token2wav.chunks import Schedule, speech_tokens
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE
from agentaudio.model.step_audio_2.tokens import N_CODES
from agentaudio.model.voice_states import refuse_without_permission
from agentaudio.retry import pause_s
from agentaudio.sound.audio import Audio
from agentaudio.sound.encode import encode_exactly

try:
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException
    from websockets.sync.client import ClientConnection, connect
except ImportError as error:
    raise MissingExtra("token2wav on a service", "realtime") from error

log = logging.getLogger(__name__)

Float = NDArray[np.float32]
Answer = TypeVar("Answer")

TIMEOUT_S = 30.0
"""Longest wait for an answer of the service."""
CONNECT_TIMEOUT_S = 10.0
RETRIES = 2
"""Further attempts to begin an utterance; later failures are not tried again, as something may have been heard."""
LARGEST_MESSAGE = 1 << 20
VOICES_KNOWN = 4096


class RemoteDecoder:
    """Makes sound of speech tokens on a service. Thread-safe; each utterance has a connection of its own.

    A voice's clip is sent once and then addressed by its digest. Whether the voice may be used is asked here, before
    each utterance; where it may not be used any more, the service is told to drop it.

    url: of the service, such as http://gpu:8200
    api_key: sent as a Bearer token; never shown
    timeout_s: longest wait for an answer of the service

    Raises OptionError for a bad address or key.
    """

    sample_rate_hz = SAMPLE_RATE

    def __init__(self, url: str, api_key: str | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname or parts.username or parts.query:
            raise OptionError("the address of token2wav is not of the form http(s)://HOST:PORT; give the key apart")
        check_key(api_key, "the key of token2wav")
        secure = parts.scheme in ("https", "wss")
        place = parts.netloc + parts.path.rstrip("/")
        self._http, self._ws = f"{'https' if secure else 'http'}://{place}", f"{'wss' if secure else 'ws'}://{place}"
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout_s = timeout_s
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S), headers=self._headers, follow_redirects=False
        )
        self._lock = threading.Lock()
        self._sent: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"RemoteDecoder({self._http!r})"

    def prepare(self, voice: ReferenceVoice | None = None) -> str | None:
        """The digest by which the service knows a voice, whose clip is sent if it is new there; None for None.

        Raises ConsentError when the voice may not be used, VoiceError for a clip that the service cannot use, and
        BackendError when the service fails.
        """
        digest = self._permitted(voice)
        if voice is not None and digest is not None and not self._has_sent(digest):
            self._send(voice, digest)
        return digest

    def stream(self, voice: ReferenceVoice | None = None, *, seed: int = 0) -> RemoteStream:
        """Begin to speak tokens that are yet to be generated. Raises as `prepare` does."""
        digest = self._permitted(voice)
        return self._attempted(lambda: self._begun(voice, digest, seed))

    def synthesize(self, tokens: ArrayLike, voice: ReferenceVoice | None = None, *, seed: int = 0) -> Audio:
        """Speak tokens in a voice, as a stream does: 24 kHz, 960 samples per token. Raises as `prepare` does."""
        with contextlib.closing(self.stream(voice, seed=seed)) as stream:
            return Audio(np.concatenate([stream.feed(tokens), stream.finish()]), SAMPLE_RATE)

    def warm_up(self) -> None:
        """Wait until the service is ready. Raises BackendError when it is not within the timeout."""
        begun = time.monotonic()
        while True:
            status = self._attempted(lambda: self._request("GET", "/readyz")).status_code
            if status == 200:
                return
            if time.monotonic() - begun > self._timeout_s:
                raise BackendError(f"token2wav at {self._http} is not ready (status {status}); see its log")
            time.sleep(0.2)

    def close(self) -> None:
        """Close the connections; streams that have begun go on."""
        self._client.close()

    def _permitted(self, voice: ReferenceVoice | None) -> str | None:
        """The digest of a voice that may be used; one that may not is dropped on the service."""
        if voice is None:
            return None
        try:
            refuse_without_permission(voice)
        except Exception:
            self._withdraw(voice.clip.sha256)
            raise
        return voice.clip.sha256

    def _has_sent(self, digest: str) -> bool:
        with self._lock:
            return digest in self._sent

    def _note_sent(self, digest: str) -> None:
        with self._lock:
            self._sent[digest] = None
            while len(self._sent) > VOICES_KNOWN:
                del self._sent[next(iter(self._sent))]

    def _send(self, voice: ReferenceVoice, digest: str) -> None:
        path = f"/v1/token2wav/voices/{digest}"
        found = self._attempted(lambda: self._request("GET", path))
        if found.status_code == 404:
            found = self._attempted(lambda: self._request("PUT", path, content=_file(voice)))
        if found.status_code == 400:
            raise VoiceError(f"voice {voice.id!r}: {_message(found)}")
        if not found.is_success:
            raise self._refusal(found.status_code, _message(found))
        self._note_sent(digest)

    def _withdraw(self, digest: str) -> None:
        """Have the service drop a voice; what fails here does not matter, as nobody asks for it any more."""
        with self._lock:
            if self._sent.pop(digest, "unknown") == "unknown":
                return
        with contextlib.suppress(Exception):
            self._request("DELETE", f"/v1/token2wav/voices/{digest}")

    def _begun(self, voice: ReferenceVoice | None, digest: str | None, seed: int) -> RemoteStream:
        with self._errors():
            # Left by `RemoteStream.close`, as the block's own end would wait for the service.
            connection = contextlib.ExitStack().enter_context(
                connect(
                    f"{self._ws}/v1/token2wav/stream",
                    additional_headers=self._headers,
                    compression=None,
                    open_timeout=CONNECT_TIMEOUT_S,
                    close_timeout=1.0,
                    ping_interval=max(1.0, self._timeout_s / 2),
                    ping_timeout=self._timeout_s,
                    max_size=LARGEST_MESSAGE,
                )
            )
        stream = RemoteStream(connection, f"token2wav at {self._http}", self._timeout_s)
        try:
            stream.start(digest, seed, lambda: b"" if voice is None else _file(voice))
        except BaseException:
            stream.close()
            raise
        if digest is not None:
            self._note_sent(digest)
        return stream

    def _request(self, method: str, path: str, content: bytes | None = None) -> httpx2.Response:
        with self._errors():
            answer = self._client.request(method, f"{self._http}{path}", content=content)
        if answer.status_code in (502, 503, 504) and path != "/readyz":
            raise _Unavailable(f"token2wav at {self._http} answered {answer.status_code}: {_message(answer)}")
        return answer

    def _attempted(self, work: Callable[[], Answer]) -> Answer:
        """What `work` returns, tried again with back-off while the service is not available."""
        for failures in range(1, RETRIES + 2):
            try:
                return work()
            except _Unavailable as error:
                if failures > RETRIES:
                    raise BackendError(str(error)) from None
                log.info("%s; attempt %d of %d", error, failures + 1, RETRIES + 1)
                time.sleep(pause_s(failures, first_s=0.2, longest_s=2.0))
        raise AssertionError("unreachable")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the exceptions of both libraries into _Unavailable."""
        try:
            yield
        except (httpx2.HTTPError, OSError, InvalidHandshake, WebSocketException, TimeoutError) as failure:
            why = str(failure) or type(failure).__name__
            raise _Unavailable(
                f"token2wav at {self._http} cannot be reached ({why}); check the address and the service"
            ) from None

    def _refusal(self, status: int, message: str) -> BackendError:
        hint = "; check token2wav_key" if status in (401, 403) else ""
        return BackendError(f"token2wav at {self._http} answered {status}: {message}{hint}")


class RemoteStream:
    """One utterance on a service; used as a `SpeechStream` is, from one thread at a time.

    `feed` returns as soon as the sound that is ready has come: it waits only where a chunk is complete.
    """

    def __init__(self, connection: ClientConnection, name: str, timeout_s: float) -> None:
        self._connection, self._name, self._timeout_s = connection, name, timeout_s
        self._schedule = Schedule(ahead=0)
        self._received = 0
        self._finished = self._ready = False
        self.ahead = 0
        self.dropped = 0

    def start(self, voice: str | None, seed: int, clip: Callable[[], bytes]) -> None:
        """Begin. clip: the sound file of the voice, for a service that does not have it. Raises BackendError."""
        self._put(json.dumps({"type": "start", "voice": voice, "seed": seed}))
        ready = self._fact("ready", "clip")
        if ready["type"] == "clip":
            self._put(clip())
            ready = self._fact("ready")
        self.ahead = _whole(ready.get("ahead"), self._name)
        self._schedule = Schedule(_whole(ready.get("first_chunk"), self._name), ahead=self.ahead)
        self._ready = True

    def feed(self, tokens: ArrayLike) -> Float:
        """Take the next tokens; see `SpeechStream.feed`. Raises BackendError when the service fails."""
        self._refuse_finished()
        ids, dropped = speech_tokens(tokens, N_CODES)
        self.dropped += dropped
        if len(ids):
            self._put(ids.astype("<u2").tobytes())
        return self._sound(self._schedule.feed(len(ids)))

    def finish(self) -> Float:
        """The rest of the sound. Raises BackendError when called twice, and when the service fails."""
        self._refuse_finished()
        self._finished = True
        self._put(json.dumps({"type": "end"}))
        rest = self._sound(self._schedule.finish())
        samples = self._fact("done").get("samples")
        self.close()
        if samples != self._received:
            raise BackendError(f"{self._name} sent {self._received} samples of {samples!r:.20}")
        return rest

    def close(self) -> None:
        """Give up what is not made yet: the service stops. May be called twice, from any thread; it does not wait."""
        with contextlib.suppress(OSError):
            # The closing handshake would wait for the service.
            self._connection.socket.shutdown(socket.SHUT_RDWR)

    def _sound(self, total: int) -> Float:
        parts: list[Float] = []
        while self._received < total:
            message = self._get()
            if not isinstance(message, bytes) or len(message) % 4:
                raise self._broken(message)
            parts.append(np.frombuffer(message, "<f4").astype(np.float32))
            self._received += len(parts[-1])
        found = np.concatenate(parts) if parts else np.empty(0, np.float32)
        if not np.isfinite(found).all() or self._received > total:
            raise BackendError(f"{self._name} sent sound that is none; check its version")
        return found

    def _fact(self, *kinds: str) -> dict[str, Any]:
        message = self._get()
        fact = _parsed(message)
        if fact is None or fact.get("type") not in kinds:
            raise self._broken(message)
        return fact

    def _put(self, message: str | bytes) -> None:
        with self._errors():
            self._connection.send(message)

    def _get(self) -> str | bytes:
        with self._errors():
            message: str | bytes = self._connection.recv(timeout=self._timeout_s)
        fact = _parsed(message) if isinstance(message, str) else None
        if fact is not None and fact.get("type") == "error":
            raise self._error_of(fact)
        return message

    def _error_of(self, fact: dict[str, Any]) -> Exception:
        error = fact.get("error")
        error = error if isinstance(error, dict) else {}
        if error.get("code") == "invalid_voice":
            return VoiceError(str(error.get("message"))[:300])
        text = f"{self._name}: {str(error.get('message'))[:300]}"
        if fact.get("status") == 503:
            return _Unavailable(text)
        return BackendError(f"{text}; check token2wav_key" if fact.get("status") in (401, 403) else text)

    def _broken(self, message: str | bytes) -> BackendError:
        return BackendError(f"{self._name} sent {message[:60]!r} where sound was expected; check the address")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise BackendError(f"{self._name} went silent for {self._timeout_s:g} s") from None
        except (ConnectionClosed, WebSocketException, OSError) as failure:
            raise self._last_words(failure) from None

    def _last_words(self, failure: Exception) -> Exception:
        """What the service said before it closed, if it said why."""
        with contextlib.suppress(Exception):
            while True:
                fact = _parsed(self._connection.recv(timeout=0))
                if fact is not None and fact.get("type") == "error":
                    return self._error_of(fact)
        text = f"{self._name} broke off ({failure or type(failure).__name__}); check the service"
        # Before it is ready, nothing was said, and another replica may take the utterance.
        return BackendError(text) if self._ready else _Unavailable(text)

    def _refuse_finished(self) -> None:
        if self._finished:
            raise BackendError("this stream of speech is finished; begin another with RemoteDecoder.stream")


class _Unavailable(BackendError):
    """The service cannot take an utterance now."""


def _file(voice: ReferenceVoice) -> bytes:
    """The clip of a voice, each sample as it is."""
    return encode_exactly(voice.clip.samples, voice.clip.sample_rate)


def _parsed(message: str | bytes) -> dict[str, Any] | None:
    if not isinstance(message, str):
        return None
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value <= 1000:
        raise BackendError(f"{name} is not a token2wav service of this version: it begins with {value!r:.40}")
    return value


def _message(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return " ".join(answer.text.split())[:200]
