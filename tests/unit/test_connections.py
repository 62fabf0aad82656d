"""Did the request go out? Real sockets on loopback, because only they know."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from wanflow.connections import ForbiddenAddress, never_connected, open_public_session, open_session

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "::1"])

Behaviour = Callable[[socket.socket], None]


@contextmanager
def server(behave: Behaviour) -> Iterator[int]:
    """Accepts one connection on a free port of loopback and does `behave` with it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            connection, _ = listening.accept()
            with connection:
                behave(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


def read_request(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"body"):
        received += connection.recv(4096)
    return received


def reset(connection: socket.socket) -> None:
    read_request(connection)
    # Linger 0: the close becomes a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    read_request(connection)


def break_off(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def say_nothing(connection: socket.socket) -> None:
    read_request(connection)
    threading.Event().wait(0.4)


def post(session: requests.Session, url: str, verify: str | bool = True, timeout_seconds: float = 10) -> None:
    with session:
        session.post(url, data=b"body", timeout=timeout_seconds, verify=verify).content  # noqa: B018 - reads the answer


def test_a_refused_port_was_never_connected() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        session = open_session()
        with pytest.raises(requests.ConnectionError):
            post(session, f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert never_connected(session)


@pytest.mark.parametrize("behave", [reset, hang_up, break_off, say_nothing])
def test_a_server_that_took_the_request_was_connected_whatever_it_did_then(behave: Behaviour) -> None:
    session = open_session()
    with server(behave) as port, pytest.raises(requests.RequestException):
        post(session, f"http://127.0.0.1:{port}/", timeout_seconds=0.3)
    assert not never_connected(session)


def answer_plainly(connection: socket.socket) -> None:
    connection.sendall(b"no TLS here\r\n")


def test_a_tls_handshake_that_fails_was_never_connected() -> None:
    session = open_session()
    with (
        server(lambda connection: connection.sendall(b"no TLS here\r\n")) as port,
        pytest.raises(requests.ConnectionError),
    ):
        post(session, f"https://127.0.0.1:{port}/")
    assert never_connected(session)


def test_a_server_that_resets_during_the_handshake_was_never_connected() -> None:
    def reset_at_once(connection: socket.socket) -> None:
        # After the client's hello: CPython 3.11 leaks a socket whose peer is gone before TLS begins.
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    session = open_session()
    with server(reset_at_once) as port, pytest.raises(requests.ConnectionError):
        post(session, f"https://127.0.0.1:{port}/")
    assert never_connected(session)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


def over_tls(certificate: Path, behave: Behaviour) -> Behaviour:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def wrapped(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as encrypted:
                encrypted.do_handshake()
                behave(encrypted)
        except OSError:
            # The client did not trust us, or was cut off.
            return

    return wrapped


def test_a_certificate_that_nobody_trusts_was_never_connected(certificate: Path) -> None:
    session = open_session()
    with server(over_tls(certificate, hang_up)) as port, pytest.raises(requests.exceptions.SSLError):
        post(session, f"https://127.0.0.1:{port}/")
    assert never_connected(session)


def tear_tls(connection: socket.socket) -> None:
    """Garbage where an encrypted answer should be: an error of TLS, but after the request was taken."""
    read_request(connection)
    raw = socket.socket(fileno=socket.dup(connection.fileno()))
    with raw:
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"garbage!" * 4)
        raw.recv(100)


def test_a_tls_error_after_the_request_was_taken_is_no_failed_connection(certificate: Path) -> None:
    session = open_session()
    with server(over_tls(certificate, tear_tls)) as port, pytest.raises(requests.RequestException):
        post(session, f"https://127.0.0.1:{port}/", verify=str(certificate))
    assert not never_connected(session)


def test_the_environment_does_not_change_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert open_session().trust_env is False
    assert open_public_session().trust_env is False


def test_a_session_of_another_make_tells_nothing() -> None:
    assert not never_connected(requests.Session())


# --- Public addresses only -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_public_session_sends_nothing_to_this_machine(host: str) -> None:
    received: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        received.append(connection.recv(10))

    with server(listen) as port, open_public_session() as session, pytest.raises(ForbiddenAddress):
        session.get(f"https://{host}:{port}/", timeout=1)
    assert received == [b""]


def test_a_public_session_knows_no_http() -> None:
    with open_public_session() as session, pytest.raises(requests.exceptions.InvalidSchema):
        session.get("http://127.0.0.1:1/", timeout=1)
