"""`Credentials`: the certificate and private key that files are signed with."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agentaudio.errors import MissingExtra, OptionError

log = logging.getLogger(__name__)

CERTIFICATE, KEY = "certificate.pem", "key.pem"
"""Files of a folder of credentials: the signer's certificate with those that certify it, and its private key."""

LOCAL_NAME = "agentaudio (self-signed)"
LOCAL_YEARS = 20
"""Without a time stamp from elsewhere, a signature holds as long as its certificate."""


@dataclass(frozen=True)
class Credentials:
    """certificates: PEM, the signer's first; key: PEM; algorithm: in C2PA's names; serial: of the certificate"""

    certificates: bytes = field(repr=False)
    key: bytes = field(repr=False)
    algorithm: str
    serial: int

    @classmethod
    def load(cls, folder: Path) -> Credentials:
        """Read a folder with CERTIFICATE and KEY.

        Raises OptionError, which says what is wrong with them, and MissingExtra.
        """
        try:
            from cryptography import x509
            from cryptography.hazmat.primitives import serialization
        except ImportError as error:
            raise MissingExtra("signing", "provenance") from error
        try:
            certificates, key = ((folder / name).read_bytes() for name in (CERTIFICATE, KEY))
        except OSError as error:
            raise OptionError(
                f"cannot read {error.filename}: {error.strerror}; a folder to sign with holds {CERTIFICATE} and {KEY}"
            ) from None
        try:
            first = x509.load_pem_x509_certificates(certificates)[0]
            private = serialization.load_pem_private_key(key, None)
        except (ValueError, TypeError, IndexError) as error:
            raise OptionError(f"{folder}: {error}; give PEM files, the key without a password") from None
        if private.public_key() != first.public_key():
            raise OptionError(f"{folder}: {KEY} is not the key of the first certificate in {CERTIFICATE}")
        if sys.platform != "win32" and (folder / KEY).stat().st_mode & 0o077:
            log.warning("other users can read or write %s; run: chmod 600 %s", folder / KEY, folder / KEY)
        if first.not_valid_after_utc < datetime.now(UTC):
            raise OptionError(f"{folder}: the certificate ended on {first.not_valid_after_utc:%Y-%m-%d}; renew it")
        return cls(certificates, key, _algorithm(private, folder), first.serial_number)

    @classmethod
    def local(cls) -> Credentials:
        """Those of this installation, which are made on first use: certified by nobody else. Raises as `load` does,
        and OptionError when they cannot be stored."""
        folder = local_folder()
        if not (folder / KEY).exists():
            _make(folder)
        return cls.load(folder)


def local_folder() -> Path:
    """Where the credentials of this installation are: agentaudio/signing in XDG_DATA_HOME or ~/.local/share."""
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path("~/.local/share").expanduser()) / "agentaudio" / "signing"


def local_serial() -> int | None:
    """The serial number of this installation's certificate; None when it has none."""
    try:
        return Credentials.load(local_folder()).serial
    except OptionError:
        return None


def _algorithm(key: object, folder: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2_048:
        return "ps256"
    raise OptionError(f"{folder}: C2PA does not sign with such a key; use one on the curve P-256, or Ed25519")


_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


def _make(folder: Path) -> None:
    """Store a new certificate and key, in one step: another process that does the same may come first."""
    content = _made()
    made = folder.with_name(f".{folder.name}-{secrets.token_hex(8)}")
    try:
        made.mkdir(mode=0o700, parents=True)
        for name, one in content.items():
            handle = os.open(made / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(one)
                file.flush()
                os.fsync(handle)
        try:
            made.rename(folder)
        except OSError:
            if not (folder / KEY).exists():  # not because another was first
                raise
    except OSError as error:
        raise OptionError(
            f"cannot store a certificate in {folder}: {error.strerror}; give a folder to sign with"
        ) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _made() -> dict[str, bytes]:
    """A certificate, certified by one whose key is thrown away: C2PA refuses one that certifies itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(common: str) -> x509.Name:
        return x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, LOCAL_NAME),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ])  # fmt: skip

    def usage(*, signs: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=signs, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=not signs, crl_sign=not signs, encipher_only=False, decipher_only=False,
        )  # fmt: skip

    begins = datetime.now(UTC) - timedelta(days=1)
    issuer, root, own = name("agentaudio installation root"), *(ec.generate_private_key(ec.SECP256R1()) for _ in "ab")

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            issuer, subject, key.public_key(), x509.random_serial_number(), begins,
            begins + timedelta(days=365 * LOCAL_YEARS),
        ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)  # fmt: skip

    certifier = (
        certificate(issuer, root)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs=False), critical=True)
        .sign(root, hashes.SHA256())
    )
    signer = (
        certificate(name(f"agentaudio installation {secrets.token_hex(4)}"), own)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        .sign(root, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {CERTIFICATE: signer.public_bytes(pem) + certifier.public_bytes(pem), KEY: key}
