"""`agentaudio serve-token2wav`: a speech decoder as an HTTP server."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from agentaudio.cli.console import progress
from agentaudio.cli.serve import limits_of, run_server, server_keys
from agentaudio.errors import MissingExtra, OptionError


async def serve_token2wav(
    folder: Path,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8200,
    key: tuple[str, ...] = (),
    device: str | None = None,
    dtype: str | None = None,
    compiled: bool = False,
    steps: int = 10,
    rows: int = 16,
    allow_host: tuple[str, ...] = (),
    limit: tuple[str, ...] = (),
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    log: bool = False,
) -> None:
    """Serve a speech decoder of Step-Audio 2: speech tokens to sound, in the voice of each request.

    SIGTERM lets running utterances end first.

    Parameters
    ----------
    folder
        A checkpoint, or its folder token2wav.
    host
        Address to listen on. Others than loopback need a key.
    port
        Port to listen on; 0 chooses a free one.
    key
        API key that clients must send; repeat it for more. The environment variable AGENTAUDIO_SERVER_KEYS, with commas
        between keys, is safer, as for `agentaudio serve`.
    device
        Where the decoder runs, such as cuda, cuda:1 or cpu.
    dtype
        Number format of the flow's weights: float32, or float16 and bfloat16 on a GPU.
    compiled
        Compile the flow's estimator on first use, which takes a minute; for GPUs.
    steps
        Flow matching steps. Fewer are faster and sound worse.
    rows
        Utterances whose chunks are computed in one batch, at most.
    allow_host
        Name under which clients address the server; repeat it for more. With keys, and without this option, every name
        is accepted.
    limit
        A limit, such as sessions=64, total_sessions=256 (utterances at the same time), voices=200 or
        sound_s_per_minute=7200; repeat it for more. The documentation of the server lists them.
    tls_cert
        Certificate chain for HTTPS, as a PEM file.
    tls_key
        Its private key; left out when the certificate's file holds it.
    log
        Print a line of JSON for each request on standard error.
    """
    keys, admin_keys = server_keys(key, host)
    if not 0 <= port <= 65_535:
        raise OptionError(f"--port is {port}; give a number from 0 to 65535")
    if not 1 <= rows <= 256:
        raise OptionError(f"--rows is {rows}; give a number from 1 to 256")
    for file in (tls_cert, tls_key):
        if file is not None and not file.is_file():
            raise OptionError(f"there is no file {file}; give the certificate and key as PEM files")
    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder

    try:
        from agentaudio.server.log import log_to
        from agentaudio.server.serving import Server
        from agentaudio.server.settings import ServerSettings
        from agentaudio.server.token2wav.app import create_sound_app
    except ImportError as error:
        raise MissingExtra("`agentaudio serve-token2wav`", "server") from error
    settings = replace(ServerSettings(keys=keys, admin_keys=admin_keys, hosts=allow_host), **limits_of(limit))
    inner = folder / "token2wav"
    with progress("opening the decoder"):
        decoder = SpeechDecoder(
            inner if inner.is_dir() else folder, device=device, dtype=dtype, steps=steps, compiled=compiled, rows=rows
        )
    log_to(sys.stderr, requests=log)
    server = Server(
        create_sound_app(decoder, settings), host=host, port=port,
        certificate=None if tls_cert is None else str(tls_cert), private_key=None if tls_key is None else str(tls_key),
    )  # fmt: skip
    await run_server(server, host, "http" if tls_cert is None else "https")
