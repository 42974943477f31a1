"""`inspect`: what a sound file says about its origin, and whether that holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from agentaudio.errors import AudioError, MissingExtra, OptionError
from agentaudio.escaping import one_line
from agentaudio.files import open_regular
from agentaudio.plain import PlainForm, plain
from agentaudio.provenance.claims import LABEL, Claims
from agentaudio.provenance.credentials import CERTIFICATE, local_folder, local_serial
from agentaudio.sound.formats import kind_of, sound_start
from agentaudio.workers.limits import MANIFEST
from agentaudio.workers.pool import SOUND

MOST_BYTES = 500_000_000
"""Largest file that is inspected."""
LONGEST_TEXT = 200
MOST_PROBLEMS = 20

MEDIA_TYPES = {
    "wav": "audio/wav",
    "mp3-in-wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "mp4": "audio/mp4",
}
"""Formats that may hold a manifest, by the names of `kind_of`."""

_NO_PLACE = "files of this format ({}) have no place for a signature that is read here"

Signature = Literal["intact", "broken", "none"]
Standing = Literal["this installation", "trusted", "unknown"]


@dataclass(frozen=True, slots=True)
class SignedBy:
    """Who signed.

    organisation, name: of the certificate. Anyone can write anything there, unless the standing is not "unknown"
    standing: whether the certificate is this installation's, is certified by one that is trusted, or neither
    """

    organisation: str
    name: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Inspection(PlainForm):
    """What a file says about its origin.

    format: of the file, such as "wav"; "unknown" for one that is not a known sound format
    signature: "intact" when the file is as it was signed; "broken" when the file or its manifest was changed since, or
        the manifest cannot be read; "none" without one
    signer: None without a signature, or when it cannot be read
    generator: program that made the manifest
    source: how the sound was made, in the last words of its digital source type, such as "trainedAlgorithmicMedia"
    claims: what agentaudio wrote; None when another program signed, or when it is not of the known form. They are
        only as good as the signature and its signer
    problems: what is wrong, a line each
    """

    format: str
    signature: Signature
    signer: SignedBy | None = None
    generator: str | None = None
    source: str | None = None
    claims: Claims | None = None
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Data for JSON."""
        return {name: plain(getattr(self, name)) for name in self.__slots__}


def inspect(source: str | os.PathLike[str] | bytes, *, trust: bytes = b"") -> Inspection:
    """Read the signature of a sound file, in a worker process, without the network. Blocks.

    trust: PEM certificates of further signers that are trusted, or of those who certify them

    Raises AudioError for a file that cannot be read or has more than MOST_BYTES, and when reading its manifest takes
    more than `agentaudio.workers.limits.MANIFEST`; OptionError for `trust` that is not PEM; MissingExtra.
    """
    content = source if isinstance(source, bytes) else _content(Path(source))
    if trust and b"-----BEGIN CERTIFICATE-----" not in trust:
        raise OptionError("the certificates to trust are not PEM; give a file with BEGIN CERTIFICATE lines")
    format = kind_of(content[sound_start(content) :][:200]) or "unknown"
    if format not in MEDIA_TYPES:
        return Inspection(format, "none", problems=(_NO_PLACE.format(format),))
    found = _read(content, MEDIA_TYPES[format], trust)
    return _inspection(format, found)


def _content(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise AudioError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise AudioError(f"{path} has more than {MOST_BYTES:,} bytes (agentaudio.provenance.inspection.MOST_BYTES)")
    return content


def _read(content: bytes, media_type: str, trust: bytes) -> Mapping[str, Any]:
    """What `manifest_task` finds."""
    import importlib.util

    if importlib.util.find_spec("c2pa") is None:
        raise MissingExtra("reading signatures", "provenance")
    own = local_folder() / CERTIFICATE
    anchors = trust + (own.read_bytes() if own.is_file() else b"")
    request = {"media_type": media_type, "anchors": anchors.decode("ascii", "replace")}
    found, _ = SOUND.run(
        lambda job: job.ask(
            "agentaudio.provenance.manifest_task:manifest", request, content,
            limits=MANIFEST.holding(len(content)), what="the manifest", error=AudioError,
        )
    )  # fmt: skip
    return found


def _inspection(format: str, found: Mapping[str, Any]) -> Inspection:
    state = found["state"]
    if state == "none":
        return Inspection(format, "none")
    failures = [(_text(code), _text(why)) for code, why in found["failures"]]
    problems = [f"{why or code} ({code})" for code, why in failures if code != "signingCredential.untrusted"]
    manifest = found.get("manifest")
    if not isinstance(manifest, Mapping):
        return Inspection(format, "broken", problems=tuple(problems[:MOST_PROBLEMS]))
    claims, problem = _claims(manifest)
    if problem:
        problems.append(problem)
    intact = state in ("Valid", "Trusted")
    return Inspection(
        format,
        "intact" if intact else "broken",
        _signer(manifest.get("signature_info"), trusted=state == "Trusted"),
        _generator(manifest),
        _source(manifest),
        claims,
        tuple(problems[:MOST_PROBLEMS]),
    )


def _signer(info: Any, *, trusted: bool) -> SignedBy | None:
    if not isinstance(info, Mapping):
        return None
    standing: Standing = "unknown"
    if trusted:
        standing = "this installation" if info.get("cert_serial_number") == str(local_serial()) else "trusted"
    return SignedBy(_text(info.get("issuer")), _text(info.get("common_name")), standing)


def _generator(manifest: Mapping[str, Any]) -> str | None:
    for one in _list(manifest.get("claim_generator_info")):
        if isinstance(one, Mapping) and one.get("name"):
            return f"{_text(one['name'])} {_text(one.get('version'))}".strip()
    return None


def _source(manifest: Mapping[str, Any]) -> str | None:
    for assertion in _assertions(manifest, "c2pa.actions"):
        for action in _list(assertion.get("actions")):
            if isinstance(action, Mapping) and isinstance(kind := action.get("digitalSourceType"), str):
                return _text(kind.rpartition("/")[2])
    return None


def _claims(manifest: Mapping[str, Any]) -> tuple[Claims | None, str | None]:
    """Our claims in a manifest, and what is wrong with them."""
    found = _assertions(manifest, LABEL)
    if not found:
        return None, None
    try:
        return Claims.model_validate(found[0]), None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return None, _text(f"what {LABEL} says is not of the known form: {place}: {first['msg']}")


def _assertions(manifest: Mapping[str, Any], label: str) -> list[Mapping[str, Any]]:
    """The data of the assertions with a label, which may end in a version."""
    return [
        one["data"]
        for one in _list(manifest.get("assertions"))
        if isinstance(one, Mapping)
        and isinstance(one.get("data"), Mapping)
        and (one.get("label") == label or str(one.get("label")).startswith((f"{label}.v", f"{label}__")))
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """A text from a manifest on one line, without characters that a terminal obeys, and not too long."""
    text = one_line(value if isinstance(value, str) else "" if value is None else str(value)[:LONGEST_TEXT])
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
