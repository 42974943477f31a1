"""`Realtime`: any OpenAI Realtime server as a speech model."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from agentaudio.conversation import AudioPart, Conversation, ToolSpec
from agentaudio.errors import BackendError, MissingExtra, OptionError
from agentaudio.model.api_key import check_key, without_key
from agentaudio.model.openai.progress import PROGRESS_TIMEOUT_S, progressing
from agentaudio.model.options import FromEnv
from agentaudio.model.presets import Presets
from agentaudio.model.realtime.response import Response
from agentaudio.model.realtime.session import SAMPLE_RATE_HZ, Dialect, Event, Settings, opening_events
from agentaudio.model.speech_lm import Capabilities, Delta, GenerateOptions, ReferenceVoice

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

OPENAI = "wss://api.openai.com/v1/realtime"
CONNECT_TIMEOUT_S = 10.0
TRANSCRIPT_TIMEOUT_S = 2.0
"""How long the end of an answer waits for the user's words, in seconds."""
MAX_EVENT_BYTES = 16 << 20
MAX_AUDIO_S = 600.0


class Realtime:
    """A SpeechLM behind the Realtime protocol: OpenAI, vLLM-Omni, llama.cpp, Qwen, StepFun and others.

    Each generation has a connection of its own, which repeats the conversation: agentaudio keeps the
    history and decides when a turn ends, so the server's turn detection is off. Tools run here.
    Without `presets` it speaks in one voice only; wrap it in `Revoiced` for retrieved voices.

    url: of the server, ws:// or wss://
    api_key: sent as a Bearer token; never shown in messages, logs or `repr`, also where the server repeats it
    settings: voice, dialect and transcription
    presets: samples of the server's voices; the one nearest to a retrieved voice speaks for it
    progress_timeout_s: longest wait for words, sound or a piece of a call

    Raises OptionError for a key that no header can hold.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        name: str = "realtime",
        settings: Settings = Settings(),
        presets: Presets | None = None,
        progress_timeout_s: float = PROGRESS_TIMEOUT_S,
    ) -> None:
        check_key(api_key, f"the api_key of {name}")
        self.name = name
        self._url, self._key, self._settings, self._presets = url, api_key, settings, presets
        self._shown_url = urlunsplit(urlsplit(url)._replace(query="", fragment=""))
        self._progress_timeout_s = progress_timeout_s
        self._open: set[ClientConnection] = set()
        self.capabilities = Capabilities(
            hears=True, voices="any" if presets else "fixed", imitates="preset" if presets else None,
            calls_tools=True, sample_rate_hz=SAMPLE_RATE_HZ, max_audio_s=MAX_AUDIO_S,
            options=frozenset({"max_tokens"}),
        )  # fmt: skip

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        """Stream one response; see SpeechLM. Closing the generator closes the connection."""
        if conversation.last_user is None:
            raise BackendError("there is nothing to answer: the conversation has no user message yet")
        events = opening_events(conversation, tools, self._settings, speak=options.speak, max_tokens=options.max_tokens)
        response = Response(self.name)
        response.heard = self._settings.transcription is None or not _ends_with_sound(conversation)
        async with self._connected() as socket:
            sending = asyncio.create_task(_send(socket, events))
            received = self._received(socket, response)
            progress = progressing(received, response.push, name=self.name, timeout_s=self._progress_timeout_s)
            try:
                async with contextlib.aclosing(received), contextlib.aclosing(progress) as deltas:
                    async for delta in deltas:
                        yield delta
                if response.end is None:
                    raise BackendError(f"{self.name} closed the connection in the middle of an answer")
                for delta in await self._late_words(socket, response):
                    yield delta
                yield response.end
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Does nothing: a session would cost."""

    async def aclose(self) -> None:
        """Close the connections that this event loop has open."""
        here = [socket for socket in tuple(self._open) if socket.loop is asyncio.get_running_loop()]
        await asyncio.gather(*(socket.close() for socket in here), return_exceptions=True)

    async def _received(self, socket: ClientConnection, response: Response) -> AsyncGenerator[Event, None]:
        """The events until the response is complete, or the connection is closed."""
        from websockets.exceptions import ConnectionClosed

        while response.end is None:
            try:
                message = await socket.recv()
            except ConnectionClosed as error:
                if error.rcvd is None or error.rcvd.code == 1000:
                    return
                reason = without_key(error.rcvd.reason, self._key)
                raise BackendError(f"{self.name} closed the connection ({error.rcvd.code} {reason})"[:300]) from None
            yield self._event(message)

    async def _late_words(self, socket: ClientConnection, response: Response) -> list[Delta]:
        """The user's words, where they come behind the answer and in time."""
        from websockets.exceptions import ConnectionClosed

        deltas: list[Delta] = []
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            async with asyncio.timeout(TRANSCRIPT_TIMEOUT_S):
                while not response.heard:
                    deltas += response.push(self._event(await socket.recv()))[0]
        return deltas

    def _event(self, message: str | bytes) -> Event:
        text = message if isinstance(message, str) else message.decode("utf-8", "replace")
        try:
            event = json.loads(text)
            if isinstance(event, dict) and event.get("type") in ("error", "response.done"):  # these are shown
                event = json.loads(without_key(text, self._key))
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            shown = without_key(text, self._key)[:100]
            raise BackendError(f"{self.name} at {self._shown_url} sent {shown!r}, which is not an event")
        return event

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncGenerator[ClientConnection, None]:
        try:
            from websockets.asyncio.client import connect
            from websockets.exceptions import InvalidHandshake, InvalidStatus
        except ImportError:
            raise MissingExtra("talking to a Realtime server", "realtime") from None
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        if self._settings.dialect == "beta":
            headers["OpenAI-Beta"] = "realtime=v1"
        try:
            socket = await connect(
                self._url, additional_headers=headers, open_timeout=CONNECT_TIMEOUT_S, close_timeout=1.0,
                max_size=MAX_EVENT_BYTES, compression=None,
            )  # fmt: skip
        except InvalidStatus as error:
            status = error.response.status_code
            said = without_key(bytes(error.response.body or b"").decode("utf-8", "replace"), self._key)[:200]
            remedy = "; check the api_key" if status in (401, 403) else "; check the address and the model's name"
            raise BackendError(f"{self.name} at {self._shown_url} answered {status} {said.strip()}{remedy}") from None
        except (OSError, TimeoutError, InvalidHandshake, EOFError) as error:
            why = without_key(str(error), self._key) or type(error).__name__
            raise BackendError(
                f"{self.name} at {self._shown_url} cannot be reached ({why}); check the address"
            ) from None
        self._open.add(socket)
        try:
            yield socket
        finally:
            self._open.discard(socket)
            await socket.close()


async def _send(socket: ClientConnection, events: Iterable[Event]) -> None:
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):  # the reader reports it
        for event in events:
            await socket.send(json.dumps(event, ensure_ascii=False))
            await asyncio.sleep(0)


def _ends_with_sound(conversation: Conversation) -> bool:
    last = conversation.messages[-1] if conversation.messages else None
    return last is not None and last.role == "user" and any(isinstance(part, AudioPart) for part in last.parts)


def load(
    argument: str | None,
    *,
    model: str | None = None,
    api_key: Annotated[SecretStr | None, FromEnv("OPENAI_API_KEY")] = None,
    voice: str | None = None,
    presets: Path | None = None,
    dialect: Dialect = "ga",
    transcription: str | None = None,
    progress_timeout_s: float = PROGRESS_TIMEOUT_S,
) -> Realtime:
    """The entry point `realtime`. argument: the server's address; None is OpenAI's.

    model: the model's name on the server; the address may hold it too (`?model=`)
    api_key: local servers need none
    voice: name of a preset voice
    presets: folder with a sample of each preset, as NAME.wav; the one nearest to a retrieved voice speaks for it
    dialect: `ga`, or `beta` for servers with the flat fields of 2024
    transcription: model that writes down the user's words, such as gpt-4o-mini-transcribe; none for none
    progress_timeout_s: longest wait for words, sound or a piece of a call

    Raises OptionError for an address that is none, and without a model's name for OpenAI.
    """
    url = _address(argument or OPENAI, model)
    settings = Settings(dialect, voice, transcription)
    key: Any = api_key.get_secret_value() if api_key else None
    name = f"realtime:{model}" if model else "realtime"
    samples = Presets.from_folder(presets) if presets else None
    return Realtime(url, key, name=name, settings=settings, presets=samples, progress_timeout_s=progress_timeout_s)


def _address(address: str, model: str | None) -> str:
    try:
        parts = urlsplit(address)
        has_place = bool(parts.hostname) and parts.port != 0  # reading the port checks it
    except ValueError:
        has_place = False
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme) if has_place else None
    if scheme is None:
        raise OptionError(f"{address!r} is not the address of a Realtime server; write realtime:wss://HOST/v1/realtime")
    if parts.username or parts.password:
        raise OptionError("the address holds a user name; give the key as api_key")
    query = dict(parse_qsl(parts.query))
    if model:
        query["model"] = model
    if address == OPENAI and "model" not in query:
        raise OptionError("OpenAI's Realtime server needs a model; give the option model=gpt-realtime")
    return urlunsplit((scheme, parts.netloc, parts.path or "/v1/realtime", urlencode(query), ""))
