"""`find_marks`: the watermarks in a sound file, and whose voices they name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agentaudio.errors import AgentAudioError, AudioError
from agentaudio.plain import PlainForm, plain
from agentaudio.provenance.claims import Claims
from agentaudio.provenance.provenance import payload_of
from agentaudio.provenance.watermark import Watermark, detected, installed_watermarks, load_watermark
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.voice import Voice

LONGEST_S = 600.0
"""Part of a file, from its start, in which marks are sought."""


@dataclass(frozen=True, slots=True)
class FoundMark(PlainForm):
    """What a method found in a sound.

    name: of the method
    payload: hexadecimal; None when there is no mark
    voice: id of the voice whose clip the payload stands for; None when it stands for none of them
    signed: whether the signed file says that this mark is in it; None when it says nothing about marks
    problem: why the method failed
    """

    name: str
    payload: str | None = None
    voice: str | None = None
    signed: bool | None = None
    problem: str | None = None

    @property
    def line(self) -> str:
        """For people."""
        if self.problem is not None:
            return f"{self.name}: {self.problem}"
        if self.payload is None:
            missing = ", although the signature says that it is there" if self.signed is False else ""
            return f"{self.name}: not found{missing}"
        whose = f", the voice {self.voice!r}" if self.voice else ""
        agrees = "" if self.signed is None else ", as signed" if self.signed else ", which is not the signed one"
        return f"{self.name}: {self.payload or 'found'}{whose}{agrees}"

    def to_dict(self) -> dict[str, Any]:
        """Data for JSON."""
        return {name: plain(getattr(self, name)) for name in self.__slots__}


def find_marks(
    source: str | os.PathLike[str] | bytes,
    voices: Iterable[Voice] = (),
    claims: Claims | None = None,
    watermarks: Iterable[Watermark] | None = None,
) -> list[FoundMark]:
    """Seek the marks of some methods in a sound file. Blocks.

    voices: are compared with the payloads
    claims: of the same file
    watermarks: the methods; None takes all that are installed

    A method that fails is in the list with its problem; a file that cannot be decoded has no marks. Nothing is decoded
    without a method.
    """
    found = list[FoundMark]()
    methods = _installed(found) if watermarks is None else list(watermarks)
    if not methods:
        return found
    try:
        sound = Audio.load(source).slice(0, LONGEST_S)
    except AudioError as error:
        return [*found, *(FoundMark(method.name, problem=str(error)) for method in methods)]
    sought = list[tuple[Watermark, bytes | None]]()
    for method in methods:
        try:
            sought.append((method, detected(method, sound)))
        except AgentAudioError as error:
            found.append(FoundMark(method.name, problem=str(error)))
    for (method, payload), voice in zip(sought, _voices_of(sought, voices), strict=True):
        text = None if payload is None else payload.hex()
        said = None if claims is None else claims.watermark
        signed = None if said is None or said.name != method.name else text == said.payload
        found.append(FoundMark(method.name, text, voice, signed))
    return found


def _installed(found: list[FoundMark]) -> list[Watermark]:
    methods = []
    for name in sorted(installed_watermarks()):
        try:
            methods.append(load_watermark(name))  # without an argument, which the caller may know
        except AgentAudioError as error:
            found.append(FoundMark(name, problem=str(error)))
    return methods


def _voices_of(sought: Sequence[tuple[Watermark, bytes | None]], voices: Iterable[Voice]) -> list[str | None]:
    """For each method and payload, the id of the voice that it stands for; None when it is none of the voices."""
    found: list[str | None] = [None] * len(sought)
    open_places = [place for place, (_, payload) in enumerate(sought) if payload]
    for voice in voices if open_places else ():
        for place in open_places:
            method, payload = sought[place]
            if found[place] is None and payload_of(voice, "", method.payload_bytes) == payload:
                found[place] = voice.id
    return found
