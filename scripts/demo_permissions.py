"""The licences and consents under which the demo voices are redistributed, with the words that grant them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentaudio.voice_library.voice import Consent


@dataclass(frozen=True)
class Permission:
    """The licence and consent under which a clip may be redistributed, with its holder and wording."""

    licence: str
    basis: Literal["licence", "synthetic"]
    holder: str
    evidence: str

    def consent(self) -> Consent:
        return Consent(basis=self.basis, holder=self.holder, scope=("synthesis", "demo"), evidence=self.evidence)


NO_STATEMENT = "A statement of the recorded speaker is not known to us; the licence of the voice is."
CMU_WORDS = (
    '"Permission is hereby granted, free of charge, to use and distribute this software and its '
    'documentation without restriction" (Debian, {package}, copyright file). ' + NO_STATEMENT
)
GPL_WORDS = (
    '"You can redistribute it and/or modify it under the terms of the GNU {name}" (Debian, {package}, '
    "copyright file; its source package is the source of the sound). " + NO_STATEMENT
)
RULES = Permission(
    "CC0-1.0",
    "synthetic",
    "nobody: speech made by rule",
    "eSpeak NG computes the voice from formant tables and models no person; only unvoiced consonants are short "
    "stored noises. The engine is GPL-3.0-or-later, which does not cover what it says.",
)
PICO = Permission(
    "Apache-2.0",
    "licence",
    "SVOX AG",
    '"each Contributor hereby grants to You a perpetual, worldwide, non-exclusive, no-charge, royalty-free, '
    "irrevocable copyright license to reproduce, prepare Derivative Works of, publicly perform, sublicense, "
    'and distribute the Work" (PyPI, py-nanotts 0.1.1, LICENSE.md). ' + NO_STATEMENT,
)
STOCK_STYLE = Permission(
    "Apache-2.0",
    "synthetic",
    "nobody: a stock style of Kokoro-82M, by hexgrad",
    "Kokoro-82M and its stock styles are under Apache-2.0 (hexgrad/Kokoro-82M). Its author states that it was trained "
    "on audio in the public domain, under open licences, and synthetic, and names no person as the source of this "
    "style.",
)
SIWIS = Permission(
    "Apache-2.0 AND CC-BY-4.0",
    "licence",
    "Pierre-Edouard Honnet, Alexandros Lazaridis, Philip N. Garner, Junichi Yamagishi",
    "A stock style of Kokoro-82M, Apache-2.0, whose author names its source: the SIWIS French Speech Synthesis "
    "Database, one speaker recorded for speech synthesis, CC BY 4.0 (https://doi.org/10.7488/ds/1705). " + NO_STATEMENT,
)


def cmu(holder: str, package: str) -> Permission:
    return Permission("MIT-Festival", "licence", holder, CMU_WORDS.format(package=package))


def gnu(licence: str, holder: str, package: str) -> Permission:
    name = "Lesser General Public License" if licence.startswith("LGPL") else "General Public License"
    return Permission(licence, "licence", holder, GPL_WORDS.format(name=name, package=package))
