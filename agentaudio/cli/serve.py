"""`agentaudio serve`: an agent as an HTTP server."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agentaudio.cli.agent_options import AgentOptions
from agentaudio.cli.console import mark, out
from agentaudio.cli.event_loop import in_fast_loop
from agentaudio.cli.generation import Generation
from agentaudio.cli.provenance import SignWith, provenance_of
from agentaudio.cli.telemetry import traced
from agentaudio.cli.turn_model import TurnModelName, named_turn_model
from agentaudio.errors import MissingExtra, OptionError, did_you_mean

if TYPE_CHECKING:
    from agentaudio.server.serving import Server

KEYS_VARIABLE = "AGENTAUDIO_SERVER_KEYS"
ADMIN_KEYS_VARIABLE = "AGENTAUDIO_SERVER_ADMIN_KEYS"
ICE_VARIABLE = "AGENTAUDIO_ICE_SERVERS"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@in_fast_loop
async def serve(
    *,
    agent_options: AgentOptions = AgentOptions(),
    generation: Generation = Generation(),
    host: str = "127.0.0.1",
    port: int = 8000,
    key: tuple[str, ...] = (),
    client_instructions: Literal["extend", "replace"] = "extend",
    origin: tuple[str, ...] = (),
    allow_host: tuple[str, ...] = (),
    voice_name: tuple[str, ...] = (),
    ice_server: tuple[str, ...] = (),
    public_address: str | None = None,
    public_voices: bool = False,
    limit: tuple[str, ...] = (),
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    sign: SignWith = None,
    watermark: str | None = None,
    turn_model: TurnModelName = "auto",
    store: Path | None = None,
    log: bool = False,
) -> None:
    """Serve the agent to clients of OpenAI's API, and its page to browsers. SIGTERM lets running answers end first.

    Parameters
    ----------
    host
        Address to listen on. Others than loopback need a key.
    port
        Port to listen on; 0 chooses a free one.
    key
        API key that clients must send; repeat it for more. Other users of this machine can see it in the list of
        processes: the environment variable AGENTAUDIO_SERVER_KEYS, with commas between keys, is safer. Keys in
        AGENTAUDIO_SERVER_ADMIN_KEYS may also use and delete the voices that other keys have added.
    client_instructions
        Whether the instructions of a client follow --instructions, or take their place.
    origin
        Web origin whose pages may call the server, such as https://example.org; repeat it for more.
    allow_host
        Name under which clients address the server, such as voice.example.org; repeat it for more. With keys, and
        without this option, every name is accepted.
    voice_name
        A voice for a name that clients send, such as alloy=walter; repeat it for more.
    ice_server
        STUN or TURN server for WebRTC, as stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT; repeat it for more. The
        environment variable AGENTAUDIO_ICE_SERVERS, with blanks between them, keeps passwords out of the list of
        processes.
    public_address
        IP address at which clients reach this machine by WebRTC, where it is not one of its own, as in a container.
    public_voices
        List the voices that all keys may use also to readers without a key, as some versions of Open WebUI ask for
        them. Private voices are never listed so.
    limit
        A limit, such as requests_per_minute=60, sessions=4, sound_s_per_minute=600 or body_bytes=8000000; repeat it for
        more. The documentation of the server lists them.
    tls_cert
        Certificate chain for HTTPS, as a PEM file.
    tls_key
        Its private key; left out when the certificate's file holds it.
    sign
        Sign whole files of speech: `local` with a certificate that this installation makes for itself, or a folder
        with certificate.pem and key.pem. By default as the environment variable AGENTAUDIO_SIGN says.
    watermark
        Watermark to put into all speech, as NAME or NAME:ARGUMENT of an installed one. By default as the environment
        variable AGENTAUDIO_WATERMARK says.
    turn_model
        Who hears by the sound of a pause whether the user of a Realtime session has finished, under semantic_vad:
        `auto` is Smart Turn where nobody hears the user's words and its weights are on this machine; `smart-turn` takes
        it beside the words, too.
    store
        Keep the Realtime sessions that clients name with ?session_id=NAME in this file, turn by turn, so that they
        resume; `agentaudio sessions` shows and erases them.
    log
        Print a line of JSON for each request on standard error. No line holds what was said.
    """
    try:
        from agentaudio.server.app import create_app
        from agentaudio.server.log import log_to
        from agentaudio.server.serving import Server
        from agentaudio.server.settings import ServerSettings
        from agentaudio.storage.sqlite_store import SqliteStore
    except ImportError as error:
        raise MissingExtra("`agentaudio serve`", "server") from error
    keys, admin_keys = server_keys(key, host)
    if not 0 <= port <= 65_535:
        raise OptionError(f"--port is {port}; give a number from 0 to 65535")
    settings = replace(
        ServerSettings(
            keys=keys,
            admin_keys=admin_keys,
            origins=origin,
            hosts=allow_host,
            client_instructions=client_instructions,
            voice_names=_pairs("--voice-name", voice_name, "alloy=walter"),
            ice_servers=(*ice_server, *os.environ.get(ICE_VARIABLE, "").split()),
            public_address=public_address,
            public_voices=public_voices,
            turn_model=named_turn_model(turn_model),
        ),
        **limits_of(limit),
    )
    for file in (tls_cert, tls_key):
        if file is not None and not file.is_file():
            raise OptionError(f"there is no file {file}; give the certificate and key as PEM files")
    log_to(sys.stderr, requests=log)
    tools = agent_options.found_tools()
    model = await agent_options.load_model(generation)
    agent = agent_options.agent(model, tools, generation, provenance=provenance_of(sign, watermark))
    kept = None if store is None else SqliteStore(store)
    app = create_app(agent, settings, store=kept)
    server = Server(
        app, host=host, port=port,
        certificate=None if tls_cert is None else str(tls_cert), private_key=None if tls_key is None else str(tls_key),
    )  # fmt: skip
    async with traced(agent, app), nullcontext() if kept is None else kept:
        await run_server(server, host, "http" if tls_cert is None else "https")


def server_keys(given: tuple[str, ...], host: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All API keys of a server, from options and environment variables, and those of them that are admin keys.

    Raises OptionError when there are none and `host` can be reached from other machines.
    """
    admin_keys = _keys_in(ADMIN_KEYS_VARIABLE)
    keys = (*given, *_keys_in(KEYS_VARIABLE), *admin_keys)
    if not keys and host not in LOOPBACK:
        raise OptionError(
            f"{host} can be reached from other machines, and no key is set; give one with --key, or with the "
            f"environment variable {KEYS_VARIABLE}"
        )
    return keys, admin_keys


async def run_server(server: Server, host: str, scheme: str, path: str = "") -> None:
    """Serve until the process is told to stop, and print the address. Raises OptionError when the port is taken."""
    _check_port(host, server.config.port)
    serving = asyncio.create_task(server.serve())
    listening = asyncio.create_task(server.listening.wait())
    freezing = asyncio.create_task(_freeze_what_is_loaded(server))
    await asyncio.wait([serving, listening], return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    if server.listening.is_set():
        shown = f"[{host}]" if ":" in host else host
        out.print(mark("serving", "green"), f"{scheme}://{shown}:{server.port}{path}", mark("(Ctrl-C stops)", "dim"))
    try:
        await serving
    except SystemExit:
        raise OptionError(f"cannot listen on {host}; is the port taken?") from None
    finally:
        freezing.cancel()


async def _freeze_what_is_loaded(server: Server) -> None:
    """What is loaded stays to the end. Looking through it for garbage would hold up all conversations for 80 ms."""
    while not server.is_loaded:
        await asyncio.sleep(0.1)
    gc.collect()
    gc.freeze()


def _check_port(host: str, port: int) -> None:
    """Raises OptionError for a port that is taken or not permitted: uvicorn would log that, and end the process."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            why = os.strerror(error.errno).lower()
            raise OptionError(f"cannot listen on {host}, port {port}: {why}; give another --host or --port") from None


def limits_of(given: tuple[str, ...]) -> dict[str, Any]:
    """The limits of ServerSettings from options NAME=NUMBER. Raises OptionError."""
    from agentaudio.server.settings import ServerSettings

    pairs = _pairs("--limit", given, "requests_per_minute=60")
    return {name: _number(name, value, ServerSettings.limits()) for name, value in pairs.items()}


def _keys_in(variable: str) -> tuple[str, ...]:
    return tuple(one for one in os.environ.get(variable, "").split(",") if one)


def _pairs(option: str, given: tuple[str, ...], example: str) -> dict[str, str]:
    pairs = {}
    for pair in given:
        name, separator, value = pair.partition("=")
        if not (name and separator and value):
            raise OptionError(f"{option} {pair[:60]} is not NAME=VALUE; write it like {option} {example}")
        pairs[name] = value
    return pairs


def _number(name: str, value: str, known: Mapping[str, type]) -> Any:
    if name not in known:
        raise OptionError(f"there is no limit {name[:60]!r}; {did_you_mean(name, known)}")
    try:
        return known[name](value)
    except ValueError:
        raise OptionError(f"--limit {name} is {value[:40]!r}; give a number") from None
