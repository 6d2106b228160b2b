"""A pinned address does not weaken TLS: the certificate must be the name's, whatever address was called."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from payments import outbound

NAME = "ptp.example.org"


@pytest.fixture
def certificate(tmp_path):
    """A certificate for NAME, signed by itself; the file holds it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "peer.pem"
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(key_pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def port(certificate):
    """A TLS peer that answers 200 to whoever shakes hands and sends `{}`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(line, server_side=True) as secured:
                    came = b""
                    while not came.endswith(b"{}"):  # what is left unread would reset the line
                        came += secured.recv(65536) or b"{}"
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except OSError:
                line.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.fixture(autouse=True)
def _names_lead_home(monkeypatch, port):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", port))])


def trust(monkeypatch, certificate):
    context = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(outbound, "_trust", lambda: context)


def test_the_certificate_of_the_name_is_accepted_at_the_pinned_address(monkeypatch, certificate, port):
    trust(monkeypatch, certificate)

    assert outbound.post(f"https://{NAME}:{port}/hooks", b"{}", {}) == 200


def test_a_trusted_certificate_of_another_name_is_refused(monkeypatch, certificate, port):
    trust(monkeypatch, certificate)

    with pytest.raises(outbound.Unreachable, match=r"(?i)certificate"):
        outbound.post(f"https://other.example.org:{port}/hooks", b"{}", {})


def test_a_certificate_that_nobody_vouches_for_is_refused(port):
    with pytest.raises(outbound.Unreachable, match=r"(?i)certificate"):
        outbound.post(f"https://{NAME}:{port}/hooks", b"{}", {})
