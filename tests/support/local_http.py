"""A local HTTP server for tests, which answers by path and records the requests."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Asked:
    """A request as it arrived. headers: names in lower case"""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class LocalServer:
    """A running server.

    answers: by path without query, an answer or a function from a request to an answer
    asked: the requests, in order
    server_names: for each TLS handshake, the server name (SNI) that the client sent
    """

    address: str = "127.0.0.1"
    port: int = 0
    answers: dict[str, Answer | Callable[[Asked], Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"


@contextlib.contextmanager
def local_server(
    address: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
) -> Iterator[LocalServer]:
    """A server on a loopback address until the block ends. With `tls`, over HTTPS and with keep-alive."""
    server = LocalServer(address)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if tls else "HTTP/1.0"

        def answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            server.asked.append(asked)
            found = server.answers.get(self.path.split("?")[0], (404, {}, b"not here"))
            status, headers, body = found(asked) if callable(found) else found
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):  # the client may have disconnected
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # clients that refuse the certificate disconnect

    def named(socket: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        server.server_names.append(name)

    with Quiet((address, port), Handler) as http:
        if tls is not None:
            tls.sni_callback = named
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        server.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
