"""A tool without Python: ten lines of YAML that call a web service.

python examples/declarative_tool.py
"""

import json
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from agentaudio import Agent

YAML = """
name: opening_hours
description: When a museum is open today.
kind: http
url: http://localhost:PORT/hours
query: {museum: "{museum}"}
parameters:
  museum: The name of the museum.
template: The {{ museum }} is open {{ result.today }}.
allow_private: true
"""


class Service(BaseHTTPRequestHandler):
    """A local stand-in for a web service, so that the example needs no network."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"today": "from nine to five"}).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    service = ThreadingHTTPServer(("localhost", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "opening_hours.yaml"
        path.write_text(YAML.replace("PORT", str(service.server_port)))
        reply = Agent("embedded", tools=[path]).run_sync("when is the national museum open today")
    print(reply.tool_calls[0].call.arguments, "→", reply.text)


if __name__ == "__main__":
    main()
