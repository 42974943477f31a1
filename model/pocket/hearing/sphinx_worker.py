"""A process that recognises: one PocketSphinx decoder and the domains it has met.

It lives apart because a decoder serves one thread at a time, takes 150 MB and is C code that
meets sound from strangers.

    python -m agentaudio.model.pocket.hearing.sphinx_worker
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

from agentaudio.errors import AgentAudioError
from agentaudio.model.pocket.hearing.sphinx import SphinxDecoder
from agentaudio.model.pocket.worker import Message, serve

MOST_DOMAINS = 4
"""Mixtures kept by one process, about 60 MB each; the least recently used one goes."""


def main() -> None:
    decoder: SphinxDecoder | None = None
    domains: OrderedDict[str, None] = OrderedDict()

    def handle(request: dict[str, Any], pcm: bytes) -> Message:
        nonlocal decoder
        decoder = decoder or SphinxDecoder()
        domain = request["domain"]
        if "arpa" in request:
            with tempfile.TemporaryDirectory(prefix="agentaudio-") as folder:
                path = Path(folder, "domain.arpa")
                path.write_text(request["arpa"], "utf-8")
                decoder.add_mixture(domain, path, request["pronunciations"], request["weight"])
            domains[domain] = None
            if len(domains) > MOST_DOMAINS:
                decoder.remove(domains.popitem(last=False)[0])
        elif domain and domain not in domains:
            return {"unknown": domain}, b""
        if domain:
            domains.move_to_end(domain)
        words = decoder.decode(pcm, domain) if pcm else []
        return {"words": [(word.word, word.start_s, word.end_s, word.posterior) for word in words]}, b""

    def handle_safely(request: dict[str, Any], pcm: bytes) -> Message:
        try:
            return handle(request, pcm)
        except AgentAudioError as error:
            return {"error": str(error)}, b""

    serve(handle_safely)


if __name__ == "__main__":
    main()
