"""A local HTTP server of files that understands ranges and can misbehave, and ledger entries for its files."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from agentaudio.weights.ledger import Entry

PIECE = 4096


@dataclass
class Fault:
    """What goes wrong with one answer.

    status: answer this instead, with `headers`
    cut_after: end the connection after so many bytes of the body
    stall_after: send nothing more after so many bytes, until the server ends
    pace_s: pause before each piece of 4,096 bytes
    whole: ignore the range that was asked for
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    stall_after: int | None = None
    pace_s: float = 0.0
    whole: bool = False


@dataclass
class FileServer:
    """A running server.

    files: content by path
    faults: by path, for its next answers, in order; the last one stays
    asked: (path, headers with names in lower case) of each request, in order
    sent: bytes of bodies by path
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ranges(self) -> list[str | None]:
        """The `Range` header of each request."""
        return [headers.get("range") for _, headers in self.asked]


@contextlib.contextmanager
def file_server() -> Iterator[FileServer]:
    """A server on 127.0.0.1 until the block ends."""
    server, ended = FileServer(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            server.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
            faults = server.faults.get(path, [])
            fault = (faults.pop(0) if len(faults) > 1 else faults[0]) if faults else Fault()
            content = server.files.get(path)
            if fault.status is not None or content is None:
                self.send_response(fault.status or 404)
                for name, value in fault.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
            start = int(asked[1]) if asked and not fault.whole else 0
            self.send_response(206 if asked and not fault.whole else 200)
            if asked and not fault.whole and "content-range" not in fault.headers:
                self.send_header("content-range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            for name, value in fault.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            with contextlib.suppress(OSError):
                self.send_slowly(path, body[: fault.cut_after] if fault.cut_after is not None else body, fault)

        def send_slowly(self, path: str, body: bytes, fault: Fault) -> None:
            for at in range(0, len(body), PIECE):
                if fault.stall_after is not None and at >= fault.stall_after:
                    ended.wait()
                    return
                time.sleep(fault.pace_s)
                self.wfile.write(body[at : at + PIECE])
                server.sent[path] = server.sent.get(path, 0) + len(body[at : at + PIECE])

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            ended.set()
            http.shutdown()
            thread.join()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(files: Mapping[str, bytes], *sources: Mapping[str, Any], terms: str = "") -> Entry:
    """An entry of a ledger with these files."""
    return Entry.model_validate(
        {
            "purpose": "tests",
            "licence": "CC0-1.0",
            "credit": "nobody",
            "home": "https://example.org/",
            "terms": terms,
            "files": {name: {"size": len(content), "sha256": sha256(content)} for name, content in files.items()},
            "sources": list(sources),
        }
    )


def release(server: FileServer, *names: str) -> dict[str, Any]:
    """A source that has files of the server by their names."""
    return {"kind": "release", "urls": {name: f"{server.url}/{name}" for name in names}}


def wheel(project: str, members: Mapping[str, bytes], version: str = "1.0") -> tuple[str, bytes]:
    """(file name, content) of a wheel whose package raises when it is imported."""
    module = project.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    held = {f"{module}/__init__.py": b"raise RuntimeError('imported')\n"}
    held |= {f"{module}/{name}": content for name, content in members.items()}
    held[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()
    held[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    held[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*held, f"{info}/RECORD"]).encode()
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    return f"{module}-{version}-py3-none-any.whl", file.getvalue()


def add_to_index(server: FileServer, project: str, members: Mapping[str, bytes]) -> dict[str, Any]:
    """Publish a wheel in the package index of the server (`/simple/`). Returns its row for a ledger."""
    name, content = wheel(project, members)
    server.files[f"/files/{name}"] = content
    server.files[f"/simple/{project}/"] = f'<html><a href="{server.url}/files/{name}">{name}</a></html>'.encode()
    server.faults.setdefault(f"/simple/{project}/", [Fault(headers={"content-type": "text/html"})])
    module = project.replace("-", "_")
    row = {"project": project, "version": "1.0", "module": module, "size": len(content), "sha256": sha256(content)}
    return row
