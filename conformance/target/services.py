"""What service a host offers: guessed or said, and shown by a first exchange with it.

The exchange is this machine's kernel's, on an ordinary socket.
"""

import contextlib
import socket
import time
from collections.abc import Callable

from conformance.model.service import USUAL_PORTS, Service, ServiceKind
from conformance.session.service import REQUEST
from conformance.target.base import TargetError

_PATIENCE = 3.0
_SILENCE = 0.5
"""Seconds without a word after which a service is taken to have none to say."""
_WORDS = b"conformance\r\n"


def find_service(address: str, port: int, wanted: str) -> tuple[Service, str]:
    """Return what is on the port, and a note where it is not what was guessed.

    `wanted` is the name of a service, empty for the usual one of the port.  TargetError if
    the service that is wanted is not there, or the port does not take a connection.
    """
    kind = ServiceKind(wanted) if wanted else USUAL_PORTS.get(port, ServiceKind.BARE)
    speaks = _speaks(address, port)
    try:
        wrong = _CHECKS[kind](address, port, speaks)
    except OSError as error:
        wrong = error.strerror or str(error)
    note = ""
    if wrong and wanted:
        raise TargetError(
            f"port {port} of {address} offers no {kind}: {wrong}", "choose another --service (bare fits all)"
        )
    if wrong:
        note = f"port {port} offers no {kind} ({wrong}): taken for a bare port"
        kind = ServiceKind.BARE
    closes = kind is not ServiceKind.CHARGEN and not speaks and _closes_on_eof(address, port)
    return Service(kind, port, speaks=speaks and kind is not ServiceKind.CHARGEN, closes_on_eof=closes), note


def _speaks(address: str, port: int) -> bool:
    with _connected(address, port) as connection:
        return bool(_hear(connection, 1, _SILENCE))


def _closes_on_eof(address: str, port: int) -> bool:
    with _connected(address, port) as connection, contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        return _closes(connection)
    return False


def _no_http(address: str, port: int, speaks: bool) -> str:
    with _connected(address, port) as connection:
        connection.sendall(REQUEST)
        heard = _hear(connection, 1 << 16, _PATIENCE)
        if not heard.startswith(b"HTTP/"):
            return "no HTTP response to a HEAD request"
        return "" if _closes(connection) else "it does not close after its response to HTTP/1.0"


def _no_echo(address: str, port: int, speaks: bool) -> str:
    with _connected(address, port) as connection:
        connection.sendall(_WORDS)
        heard = _hear(connection, len(_WORDS), _PATIENCE)
        return "" if heard == _WORDS else "it did not return what was sent"


def _no_discard(address: str, port: int, speaks: bool) -> str:
    with _connected(address, port) as connection:
        connection.sendall(_WORDS)
        return "it answered" if _hear(connection, 1, _SILENCE) else _gone(connection)


def _no_chargen(address: str, port: int, speaks: bool) -> str:
    return "" if speaks else "it is silent"


def _no_bare(address: str, port: int, speaks: bool) -> str:
    return ""


_CHECKS: dict[ServiceKind, Callable[[str, int, bool], str]] = {
    ServiceKind.HTTP: _no_http,
    ServiceKind.ECHO: _no_echo,
    ServiceKind.DISCARD: _no_discard,
    ServiceKind.CHARGEN: _no_chargen,
    ServiceKind.BARE: _no_bare,
}


def _connected(address: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((address, port), timeout=_PATIENCE)
    except OSError as error:
        raise TargetError(
            f"this machine's kernel cannot connect to port {port} of {address}: {error}",
            "is something on the way that minds the options in its SYN?",
        ) from error


def _closes(connection: socket.socket) -> bool:
    """Tell whether the peer closes before long, and says nothing more."""
    connection.settimeout(_SILENCE)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


def _gone(connection: socket.socket) -> str:
    connection.settimeout(0.0)
    with contextlib.suppress(BlockingIOError):
        return "it closed" if connection.recv(1) == b"" else "it answered"
    return ""


def _hear(connection: socket.socket, most: int, patience: float) -> bytes:
    """Return what comes until `most` octets are there, the peer closes, or the time is over."""
    heard, until = b"", time.monotonic() + patience
    with contextlib.suppress(OSError):
        while len(heard) < most and (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            octets = connection.recv(most - len(heard))
            if not octets:
                break
            heard += octets
    return heard
