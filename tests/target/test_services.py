"""The first exchange with a service: what is there, and what only looks like it."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from conformance.model.service import ServiceKind
from conformance.target import services
from conformance.target.base import TargetError
from conformance.target.services import find_service

RESPONSE = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_PATIENCE", 0.2)
    monkeypatch.setattr(services, "_SILENCE", 0.1)


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yield the port of a server that deals with each connection by `serve`, then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    serve(connection)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def closing(connection: socket.socket) -> None:
    if connection.recv(1024):
        connection.sendall(RESPONSE)


def keeping(connection: socket.socket) -> None:
    while connection.recv(1024):
        connection.sendall(RESPONSE)


def resetting(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_http_that_closes_after_its_response() -> None:
    with serving(closing) as port:
        service, note = find_service("127.0.0.1", port, "http")
    assert (service.kind, service.closes_on_eof, note) == (ServiceKind.HTTP, True, "")


def test_a_reset_is_no_orderly_close() -> None:
    with serving(resetting) as port:
        service, _ = find_service("127.0.0.1", port, "bare")
    assert not service.closes_on_eof


@pytest.mark.parametrize(
    ("serve", "wanted", "why"),
    [
        (keeping, "http", "offers no http: it does not close after its response to HTTP/1.0"),
        (resetting, "http", "offers no http: no HTTP response"),
        (resetting, "discard", "offers no discard: it closed"),
        (closing, "echo", "offers no echo: it did not return what was sent"),
        (closing, "chargen", "offers no chargen: it is silent"),
    ],
)
def test_what_only_looks_like_a_service(
    serve: Callable[[socket.socket], None], wanted: str, why: str
) -> None:
    with serving(serve) as port, pytest.raises(TargetError, match=why):
        find_service("127.0.0.1", port, wanted)
