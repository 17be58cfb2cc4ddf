"""The private registries: access, deletion, TLS, bearer tokens, and the client that fills them."""

import datetime as dt
import http.client
import ipaddress
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.local.servers.registry import bcrypt
from deploy.local.stack import (
    DOCKER,
    BasicAuth,
    LocalStackError,
    Registry,
    Remote,
    Scratch,
    Tls,
    TokenAuth,
    synthetic_image,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    none = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, private, none))
    return Tls(certificate=folder / "cert.pem", key=folder / "key.pem")


def ping(registry: Registry) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(registry.host)
    connection.request("GET", "/v2/")
    response = connection.getresponse()
    connection.close()
    return response


def test_a_pushed_image_can_be_read_and_deleted(target_registry: Registry, repository: str) -> None:
    """Deletion is enabled, as in Harbor."""
    remote, image = Remote.of(target_registry), synthetic_image("deleted", [4096, 100])
    remote.push(repository, "1.0", image)
    assert remote.manifest(repository, "1.0") == image.root
    for blob in image.blobs:
        assert b"".join(remote.blob(repository, blob.digest)) == b"".join(blob.read())
    remote.delete_manifest(repository, image.digest)
    with pytest.raises(LocalStackError, match="404"):
        remote.manifest(repository, "1.0")


def test_dockers_own_format_is_taken_too(target_registry: Registry, repository: str) -> None:
    """The registry stores a manifest under its media type."""
    image = synthetic_image("docker", [4096], types=DOCKER, platforms=["linux/amd64"], index=False)
    Remote.of(target_registry).push(repository, "1.0", image)
    assert Remote.of(target_registry).manifest(repository, "1.0").media_type == DOCKER.manifest


def test_a_password_is_asked_for(source_registry: Registry) -> None:
    """The source answers 401 without the right password."""
    for remote in (Remote(source_registry.url), Remote(source_registry.url, username="puller", password="guess")):
        with pytest.raises(LocalStackError, match="401"):
            remote.manifest("any", "1.0")
    with pytest.raises(LocalStackError, match="404"):
        Remote.of(source_registry).manifest("any", "1.0")


def test_blob_path_is_the_file_that_is_served(target_registry: Registry, repository: str) -> None:
    """Tests damage blobs in this file."""
    image = synthetic_image("damaged", [4096], platforms=["linux/amd64"], index=False)
    Remote.of(target_registry).push(repository, "1.0", image)
    path = target_registry.blob_path(image.blobs[0].digest)
    assert path.read_bytes() == b"".join(image.blobs[0].read())


def test_a_registry_becomes_read_only(scratch: Scratch) -> None:
    """A read-only registry serves the images that were pushed before."""
    image = synthetic_image("kept", [4096])
    with Registry(scratch, name="closing") as registry:
        Remote.of(registry).push("kept", "1.0", image)
        registry.readonly = True
        registry.restart()
        assert Remote.of(registry).manifest("kept", "1.0") == image.root
        with pytest.raises(LocalStackError, match="405"):
            Remote.of(registry).push("kept", "2.0", synthetic_image("new", [4096]))


def test_tls_is_served(scratch: Scratch, certificate: Tls) -> None:
    """Only a client that trusts the certificate can connect."""
    with Registry(scratch, name="encrypted", tls=certificate, auth=BasicAuth()) as registry:
        assert registry.url.startswith("https://")
        Remote.of(registry).push("tls", "1.0", synthetic_image("tls", [4096]))
        stranger = Remote(registry.url, username=registry.username, password=registry.password)
        with pytest.raises(LocalStackError, match="CERTIFICATE_VERIFY_FAILED"):
            stranger.manifest("tls", "1.0")


def test_bearer_tokens_are_asked_for(scratch: Scratch, certificate: Tls) -> None:
    """The challenge names the configured realm and service."""
    auth = TokenAuth(
        realm="http://127.0.0.1:1/token", service="harbour", issuer="tester", certificates=certificate.certificate
    )
    with Registry(scratch, name="tokens", auth=auth) as registry:
        response = ping(registry)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="http://127.0.0.1:1/token",service="harbour"'


def test_the_configuration_can_be_extended(scratch: Scratch) -> None:
    """`extra` overrides the configuration section by section."""
    with Registry(scratch, name="extended", extra={"http": {"headers": {"X-Harbour": ["yes"]}}}) as registry:
        response = ping(registry)
    assert response.status == 200
    assert response.headers["X-Harbour"] == "yes"


@pytest.fixture
def broken(scratch: Scratch) -> Iterator[Registry]:
    """A registry with an invalid configuration."""
    registry = Registry(scratch, name="broken", extra={"storage": {"no-such-driver": {}}})
    yield registry
    registry.stop()


def test_a_registry_that_does_not_start_says_why(broken: Registry) -> None:
    """The error contains the end of the log."""
    with pytest.raises(LocalStackError, match="before it was ready"):
        broken.start()


def test_bcrypt_salts_every_hash() -> None:
    """The hashes of two users with the same password differ."""
    first, second = bcrypt("harbour"), bcrypt("harbour")
    assert first != second
    assert first.startswith("$2b$04$")
    assert len(first) == 60
