"""A worker process that recognises speech with PocketSphinx.

It is a separate process because a decoder serves one thread at a time, takes 150 MB, and is C code that handles
untrusted sound.

    python -m agentaudio.model.embedded.hearing.sphinx_worker
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentaudio.errors import AgentAudioError
from agentaudio.model.embedded.hearing.sphinx import HeardWord, SphinxDecoder
from agentaudio.workers.messages import Message
from agentaudio.workers.serving import serve

MOST_DOMAINS = 4
"""Domains kept in one process, about 60 MB each as a mixture; the least recently used one is dropped."""


class Domains:
    """The decoders of a process: a general one with its mixtures, and one for each closed domain."""

    def __init__(self) -> None:
        self._general: SphinxDecoder | None = None
        self._kept: OrderedDict[str, SphinxDecoder] = OrderedDict()

    def add(self, request: dict[str, Any]) -> None:
        """Load `domain` from `arpa` and `pronunciations`; as a mixture when `weight` is below 1."""
        name, pronunciations = request["domain"], request["pronunciations"]
        with _readable(request["arpa"]) as arpa:
            if request["weight"] < 1:
                decoder = self._open()
                decoder.add_mixture(name, arpa, pronunciations, request["weight"])
            else:
                lines = (f"{word} {phones}\n" for word, phones in pronunciations.items())
                with _readable("".join(lines)) as dictionary:
                    decoder = SphinxDecoder(arpa=arpa, dictionary=dictionary)
        self._kept[name] = decoder
        if len(self._kept) > MOST_DOMAINS:
            self._forget(*self._kept.popitem(last=False))

    def decode(self, name: str, pcm: bytes) -> list[HeardWord] | None:
        """The recognised words; None when the domain is not loaded. name: of a domain; "" uses the general model."""
        if not name:
            return self._open().decode(pcm)
        if name not in self._kept:
            return None
        self._kept.move_to_end(name)
        decoder = self._kept[name]
        return decoder.decode(pcm, name if decoder is self._general else "")

    def _open(self) -> SphinxDecoder:
        if self._general is None:
            self._general = SphinxDecoder()
        return self._general

    def _forget(self, name: str, decoder: SphinxDecoder) -> None:
        if decoder is self._general:
            decoder.remove(name)
        else:
            decoder.close()


@contextlib.contextmanager
def _readable(content: str) -> Iterator[Path]:
    """A path under which the C library reads a text: in memory on Linux, so that no phrase of the user stays on the
    disk when the process is killed; elsewhere in a private temporary folder.
    """
    if sys.platform == "linux":
        with open(os.memfd_create("agentaudio"), "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            yield Path(f"/proc/self/fd/{file.fileno()}")
    else:
        with tempfile.TemporaryDirectory(prefix="agentaudio-") as folder:
            path = Path(folder, "text")
            path.write_text(content, "utf-8")
            yield path


def main() -> None:
    domains = Domains()

    def handle(request: dict[str, Any], pcm: bytes | bytearray) -> Message:
        if "arpa" in request:
            domains.add(request)
        words = domains.decode(request["domain"], bytes(pcm))
        if words is None:
            return {"unknown": request["domain"]}, b""
        return {"words": [(word.word, word.start_s, word.end_s, word.posterior) for word in words]}, b""

    def handle_safely(request: dict[str, Any], pcm: bytes | bytearray) -> Message:
        try:
            return handle(request, pcm)
        except AgentAudioError as error:
            return {"error": str(error)}, b""

    serve(handle_safely)


if __name__ == "__main__":
    main()
