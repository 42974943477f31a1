"""`agentaudio mcp`: the agent's voices, speech and hearing as tools for other agents."""

from __future__ import annotations

import sys

from agentaudio.agent import Agent
from agentaudio.cli.models import ModelOptions, load_or_fetch
from agentaudio.cli.provenance import SignWith, provenance_of
from agentaudio.cli.serve import run_server, server_keys
from agentaudio.errors import MissingExtra, OptionError


async def mcp(
    *,
    http: str | None = None,
    key: tuple[str, ...] = (),
    model: str = "embedded",
    option: ModelOptions = (),
    voice: str | None = None,
    voices: str = "demo",
    sign: SignWith = None,
    watermark: str | None = None,
    log: bool = False,
) -> None:
    """Serve the tools audio_search, speak and transcribe to MCP clients, over standard input and output.

    Parameters
    ----------
    http
        Serve over HTTP instead (streamable HTTP, at /mcp), on this HOST:PORT; port 0 chooses a free one. Addresses
        other than loopback need a key.
    key
        API key that clients over HTTP must send as a bearer token; repeat it for more. The environment variable
        AGENTAUDIO_SERVER_KEYS, with commas between keys, is safer, as for `agentaudio serve`.
    model
        Speech model, as NAME or NAME:ARGUMENT; `agentaudio models list` shows them.
    option
        Option of the model, as NAME=VALUE; repeat it for more.
    voice
        Id or name of the voice that speaks where the client names none; `agentaudio voices list` shows them.
    voices
        Folder of a voice library; `demo` stands for the voices that ship with agentaudio.
    sign
        Sign the sound of speak: `local` with a certificate that this installation makes for itself, or a folder with
        certificate.pem and key.pem. By default as the environment variable AGENTAUDIO_SIGN says.
    watermark
        Watermark to put into all speech, as NAME or NAME:ARGUMENT of an installed one. By default as the environment
        variable AGENTAUDIO_WATERMARK says.
    log
        With --http: print a line of JSON for each request on standard error. No line holds what was said.
    """

    async def load() -> Agent:
        loaded = await load_or_fetch(model, option)
        return Agent(loaded, voice=voice, voices=voices, provenance=provenance_of(sign, watermark))

    try:
        from agentaudio.server.mcp.stdio import serve_stdio
    except ImportError as error:
        raise MissingExtra("`agentaudio mcp`", "mcp") from error
    if http is None:
        if key or log:
            raise OptionError("--key and --log are for --http; leave them out, or give --http HOST:PORT")
        await serve_stdio(load)
        return
    try:
        from agentaudio.server.app import create_app
        from agentaudio.server.log import log_to
        from agentaudio.server.serving import Server
        from agentaudio.server.settings import ServerSettings
    except ImportError as error:
        raise MissingExtra("`agentaudio mcp --http`", "server") from error
    host, port = _address(http)
    keys, admin_keys = server_keys(key, host)
    log_to(sys.stderr, requests=log)
    app = create_app(await load(), ServerSettings(keys=keys, admin_keys=admin_keys), mcp_only=True)
    await run_server(Server(app, host=host, port=port), host, "http", "/mcp")


def _address(given: str) -> tuple[str, int]:
    """Host and port of HOST:PORT; an IPv6 address stands in brackets."""
    host, _, port = given.rpartition(":")
    if not host or not port.isdecimal() or not port.isascii() or int(port) > 65_535:
        raise OptionError(f"--http is {given[:60]!r}; give HOST:PORT, such as 127.0.0.1:8000")
    return host.removeprefix("[").removesuffix("]"), int(port)
