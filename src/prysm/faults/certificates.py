"""Certificates, good and bad, made on the fly and gone with the process."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Authority:
    """A certificate authority of one process."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Prysm fault server")
        self.pem = _signed(self._name, self._key, self._name, self._key).public_bytes(Encoding.PEM)

    def certificate(self, fault: str, host: str) -> bytes:
        """A certificate for an IP address, wrong as the fault says, with its key (PEM)."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = "192.0.2.1" if fault == "tls-wrong-host" else host
        issuer, signer = (_name(host), key) if fault == "tls-self-signed" else (self._name, self._key)
        until = datetime.now(UTC) + (-DAY if fault == "tls-expired" else DAY)
        made = _signed(_name(host), key, issuer, signer, host=named, until=until)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private + made.public_bytes(Encoding.PEM)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _signed(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    *,
    host: str | None = None,
    until: datetime | None = None,
) -> x509.Certificate:
    """A certificate for a host, or without one that of an authority."""
    end = until or datetime.now(UTC) + DAY
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 9 * DAY)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if host is not None:
        address = x509.IPAddress(ipaddress.ip_address(host))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(signer, hashes.SHA256())
