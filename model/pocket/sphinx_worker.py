"""A process that recognises: PocketSphinx with a domain language model or its own open one.

It lives apart because the decoder holds Python's lock until it is done: in a thread of the
server it would stop every other turn for a second.

    python -m agentaudio.model.pocket.sphinx_worker
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentaudio.model.pocket.worker import Message, serve

SAMPLE_RATE_HZ = 16_000
MOST_DOMAINS = 8
"""Compiled domains kept in one process, about 30 MB each; the least recently used one goes."""

_OPEN: dict[str, Any] = {}


class Decoders:
    """The decoders of this process, by domain key; the empty key is open speech."""

    def __init__(self) -> None:
        import pocketsphinx

        pocketsphinx.set_loglevel("FATAL")
        self._make = pocketsphinx.Decoder
        self._kept: OrderedDict[str, Any] = OrderedDict()

    def has(self, key: str) -> bool:
        return key in self._kept

    def add(
        self, key: str, model: str, pronunciations: Mapping[str, str], settings: Mapping[str, Any]
    ) -> None:
        """Compile a domain. model: ARPA text; pronunciations: word to ARPABET."""
        with tempfile.TemporaryDirectory(prefix="agentaudio-") as folder:
            language_model, dictionary = Path(folder, "domain.arpa"), Path(folder, "domain.dict")
            language_model.write_text(model, "utf-8")
            lines = (f"{word} {phones}\n" for word, phones in pronunciations.items())
            dictionary.write_text("".join(lines), "utf-8")
            self._kept[key] = self._make(
                lm=str(language_model), dict=str(dictionary), loglevel="FATAL", **settings
            )
        while len(self._kept) > MOST_DOMAINS:
            self._kept.popitem(last=False)

    def recognise(self, key: str, pcm: bytes) -> dict[str, Any]:
        """The best path through a sound of 16 kHz, 16-bit little-endian mono samples."""
        if not key and not self.has(key):
            self._kept[key] = self._make(loglevel="FATAL", **_OPEN)
        self._kept.move_to_end(key)
        decoder = self._kept[key]
        decoder.start_utt()
        decoder.process_raw(pcm, False, True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        if hypothesis is None:
            return {"words": [], "score": 0.0}
        words = [
            (segment.word, segment.start_frame, segment.end_frame, segment.ascore, segment.prob)
            for segment in decoder.seg()
        ]
        return {"words": words, "score": hypothesis.score}


def main() -> None:
    decoders: Decoders | None = None

    def handle(request: dict[str, Any], content: bytes) -> Message:
        nonlocal decoders
        if decoders is None:
            decoders = Decoders()
        key = request["key"]
        if "model" in request:
            decoders.add(key, request["model"], request["pronunciations"], request["settings"])
            return {}, b""
        if key and not decoders.has(key):
            return {"unknown": key}, b""
        return decoders.recognise(key, content), b""

    serve(handle)


if __name__ == "__main__":
    main()
