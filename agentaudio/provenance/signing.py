"""`Signer`: puts a C2PA manifest with claims into a sound file."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from agentaudio.errors import AudioError, MissingExtra, OptionError
from agentaudio.provenance.credentials import Credentials
from agentaudio.sound.audio import Audio

if TYPE_CHECKING:
    from agentaudio.provenance.claims import Claims

SIGNABLE = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac"}
"""Formats that hold a manifest, with their media types. Ogg, Opus, ADTS and samples without a header have no place."""

OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
"""Settings of C2PA under which nothing is fetched from anywhere."""


def check_signable(format: str) -> None:
    """Raises AudioError for a format, such as "ogg" or ".ogg", that has no place for a signature."""
    if format.lower().lstrip(".") not in SIGNABLE:
        named = f"{format.lower().lstrip('.')!r} files" if format else "a file without a suffix"
        raise AudioError(f"{named} cannot be signed; use {', '.join(sorted(SIGNABLE))}, or do not sign")


class Signer:
    """Signs with a certificate. Thread-safe; each signature takes some 10 ms.

    Raises OptionError for a certificate that C2PA does not accept, and MissingExtra.
    """

    def __init__(self, credentials: Credentials) -> None:
        try:
            import c2pa
        except ImportError as error:
            raise MissingExtra("signing", "provenance") from error
        from agentaudio.provenance.claims import Claims, now

        self._c2pa, self._credentials = c2pa, credentials
        self._context = c2pa.Context.from_dict(OFFLINE)
        probe = Claims(agentaudio="", model="", spoken=now())
        try:
            self.sign(Audio.silence(0.1, 16_000).to_bytes("wav"), "wav", probe)
        except AudioError as error:
            raise OptionError(f"C2PA does not accept the certificate: {error}") from None

    def sign(self, content: bytes, format: str, claims: Claims) -> bytes:
        """The file with a manifest; its sound is the same. Blocks.

        format: of the file, one of SIGNABLE

        Raises AudioError for another format, and a file that is not of the format.
        """
        check_signable(format)
        c2pa, media_type, signed = self._c2pa, SIGNABLE[format.lower().lstrip(".")], io.BytesIO()
        info = c2pa.C2paSignerInfo(
            self._credentials.algorithm, self._credentials.certificates, self._credentials.key, None
        )
        try:
            with c2pa.Signer.from_info(info) as signer:
                with c2pa.Builder.from_json(json.dumps(_manifest(claims)), context=self._context) as builder:
                    builder.sign(signer, media_type, io.BytesIO(content), signed)
        except c2pa.C2paError as error:
            raise AudioError(f"the file cannot be signed: {error}") from None
        return signed.getvalue()


def _manifest(claims: Claims) -> dict[str, object]:
    from agentaudio.provenance.claims import LABEL

    agent = {"name": "agentaudio", "version": claims.agentaudio or "0"}
    created = {
        "action": "c2pa.created",
        "when": claims.spoken.isoformat(),
        "digitalSourceType": claims.source_type,
        "softwareAgent": agent,
    }
    said = claims.model_dump(mode="json", exclude_none=True)
    return {
        "claim_generator_info": [agent],
        "title": "Synthetic speech",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": LABEL, "data": said, "kind": "Json"},
        ],
    }
