"""Signed sound files, and claims that a stranger signs: nothing that they say is more than text."""

from __future__ import annotations

import io
import json
import os
import random
from pathlib import Path
from typing import Any

import c2pa

from agentaudio.errors import AudioError
from agentaudio.provenance import inspection
from agentaudio.provenance.claims import LABEL, Claims
from agentaudio.provenance.credentials import Credentials
from agentaudio.sound.audio import Audio
from fuzzing import mutate
from fuzzing.near import run_near
from fuzzing.target import Case, Target
from fuzzing.watch import Broken, check_line

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SIGNED = Path(__file__).parents[1] / "signed"
"""Made by `Origin.file`; kept, because no two signatures are the same."""
CREATED = {"action": "c2pa.created", "digitalSourceType": f"{IPTC}digitalCapture"}
CLAIMS: dict[str, Any] = {
    "agentaudio": "0.1.0", "model": "embedded", "speech": "trained", "spoken": "2026-11-29T08:00:00Z",
    "own_voice": False,
    "voices": [{
        "id": "ana", "name": "Ana", "clip_sha256": "0" * 64, "licence": "CC0-1.0", "imitation": "cloned",
        "consent": {"basis": "speaker", "scope": ["synthesis"], "recording": {"id": "cons_1", "language": "en"}},
    }],
    "watermark": {"name": "tones", "payload": "00ff"},
}  # fmt: skip


class Signatures(Target):
    name = "signatures"
    refusals = (AudioError,)
    memory_mb = 200
    dictionary = (
        b"jumb", b"jumd", b"c2pa", b"c2cl", b"c2cs", b"c2as", b"cbor", b"json", b"C2PA", b"RIFF", b"ID3", b"GEOB",
        b"http://127.0.0.1/m.c2pa", LABEL.encode(), b"\xff" * 4, b"\0" * 4, b"\x1b[2J", b"\n",
    )  # fmt: skip

    def seeds(self) -> dict[str, list[bytes]]:
        files = {path.suffix: [path.read_bytes()] for path in sorted(SIGNED.iterdir())}
        return {**files, "claims": [json.dumps(CLAIMS).encode()]}

    def prepare(self, folder: Path) -> None:
        run_near(inspection)
        os.environ["XDG_DATA_HOME"] = str(folder)
        self._own = Credentials.local()
        self._sound = Audio.silence(0.1, 16_000).to_bytes("wav")

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        if kind == "claims":
            data = json.loads(seed)
            for _ in range(chance.choice((1, 2, 4))):
                data = mutate.changed_data(chance, data, tuple(Claims.model_fields))
            return json.dumps(data).encode()
        return mutate.changed(chance, seed, others, self.dictionary)

    def read(self, case: Case) -> str:
        content = case.content if case.kind != "claims" else self._signed(case.content)
        found = inspection.inspect(content)
        for text in (found.generator, found.source, *found.problems, *(vars_of(found.signer))):
            check_line(text or "x")
        json.dumps(found.to_dict())
        if case.kind == "claims" and found.signature != "intact":
            raise Broken("invalid", f"a file that was just signed is {found.signature}: {found.problems}")
        return found.signature if found.claims is None else f"{found.signature} with claims"

    def _signed(self, claims: bytes) -> bytes:
        manifest = {
            "claim_generator_info": [{"name": "stranger"}],
            "assertions": [
                {"label": "c2pa.actions.v2", "data": {"actions": [CREATED]}},
                {"label": LABEL, "data": json.loads(claims), "kind": "Json"},
            ],
        }
        made = io.BytesIO()
        info = c2pa.C2paSignerInfo(self._own.algorithm, self._own.certificates, self._own.key, None)
        try:
            with c2pa.Signer.from_info(info) as signer, c2pa.Builder.from_json(json.dumps(manifest)) as builder:
                builder.sign(signer, "audio/wav", io.BytesIO(self._sound), made)
        except c2pa.C2paError as error:
            raise AudioError(f"not signed: {str(error)[:200]}") from None
        return made.getvalue()


def vars_of(signer: inspection.SignedBy | None) -> tuple[str, ...]:
    return () if signer is None else (signer.organisation, signer.name)
