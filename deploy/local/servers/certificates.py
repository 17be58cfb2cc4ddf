"""A certificate authority for one run, and a server certificate that it signs."""

from __future__ import annotations

import datetime as dt
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy.local.processes.server import LOOPBACK
from deploy.local.servers.registry import Tls

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY = "Longshore test authority"
# The validity before and after now: a run takes minutes, and clocks may differ.
DAY = dt.timedelta(days=1)


def issue_certificate(folder: Path) -> tuple[Path, Tls]:
    """Write the authority's certificate, and a server's certificate and key for loopback; return their files."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _builder(AUTHORITY, AUTHORITY, authority_key)
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _builder("Registry", AUTHORITY, server_key).add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False
    )
    files = Tls(certificate=folder / "server.pem", key=folder / "server.key")
    # In a folder of its own: skopeo loads every certificate and key that lies next to it.
    trusted = folder / "trusted" / "authority.crt"
    trusted.parent.mkdir()
    trusted.write_bytes(authority.sign(authority_key, SHA256()).public_bytes(Encoding.PEM))
    files.certificate.write_bytes(server.sign(authority_key, SHA256()).public_bytes(Encoding.PEM))
    files.key.write_bytes(server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return trusted, files


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
