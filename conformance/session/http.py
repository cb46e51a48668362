"""HTTP/1 at both ends, as far as it takes: where a response ends, and what a server of one page answers."""

import re
from dataclasses import dataclass
from http import HTTPStatus

_STATUS_LINE = re.compile(rb"HTTP/\d\.\d (\d{3})[ \r]")
_BODILESS = re.compile(r"1\d\d|204|304")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/(\d)\.(\d)")
_HERE = re.compile(rb"(?i:http://[^/?]*)?(/?(\?.*)?)")
"""The one page there is, in origin form or in absolute form (RFC 9112 3.2)."""
PAGE = b"This page is here to be carried by the TCP under test, in as many segments as it takes.\r\n" * 4
NOT_UNDERSTOOD = (400, 405, 501, 505)
"""Statuses by which a server says that what came is no request that it knows (RFC 9110 15.5, 15.6)."""


ANSWERED = frozenset({200, 400, 404, 501, 505})
"""The statuses that `answer` has."""


@dataclass(frozen=True, slots=True)
class Response:
    """One whole response: its status, and how many octets it takes."""

    status: int
    length: int


def response(octets: bytes, ended: bool, to_head: bool = False) -> Response | None:
    """Return the response with which `octets` begin; None while it is not whole.

    `ended`: no more will come.  `to_head`: it answers HEAD, so that it has no content.
    Raises ValueError for what is no response.
    """
    head, separator, _ = octets.partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0]
    if not b"HTTP/1.".startswith(line[:7]) or (separator and not _STATUS_LINE.match(head + b"\r")):
        raise ValueError("this is no HTTP response")
    if not separator:
        return None
    start = len(head) + 4
    status = int(line[9:12])
    fields = _fields(head)
    if to_head or _BODILESS.fullmatch(str(status)):
        return Response(status, start)
    if fields.get("transfer-encoding", "").lower().endswith("chunked"):
        end = _chunks(octets, start)
    elif "content-length" in fields:
        end = start + int(fields["content-length"])
    else:
        end = len(octets) if ended else None
    return Response(status, end) if end is not None and end <= len(octets) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says to one request: the octets of its response, and whether it closes after it.

    `length` is how many octets the request took.
    """

    octets: bytes
    last: bool
    length: int


def answer(octets: bytes) -> Answer | None:
    """Return the answer to the request with which `octets` begin; None while it is not whole."""
    start = len(octets) - len(octets.lstrip(b"\r\n"))  # empty lines before a request (RFC 9112 2.2)
    head, separator, _ = octets[start:].partition(b"\r\n\r\n")
    if not separator:
        return None
    end = start + len(head) + 4
    line = _REQUEST_LINE.fullmatch(head.partition(b"\r\n")[0])
    fields = _fields(head)
    length = fields.get("content-length", "0")
    if line is None or not length.isdecimal():
        return _said(HTTPStatus.BAD_REQUEST, end, keeps=False)
    end += int(length)
    if len(octets) < end:
        return None
    method, target, major, minor = line.groups()
    status = _status(method, target, major, minor, fields)
    wishes = [word.strip() for word in fields.get("connection", "").lower().split(",")]
    keeps = "close" not in wishes and (minor > b"0" or "keep-alive" in wishes)
    content = PAGE if status is HTTPStatus.OK and method == b"GET" else b""
    return _said(status, end, keeps=keeps and status not in NOT_UNDERSTOOD, content=content)


def _status(method: bytes, target: bytes, major: bytes, minor: bytes, fields: dict[str, str]) -> HTTPStatus:
    if major != b"1":
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    if minor > b"0" and "host" not in fields:
        return HTTPStatus.BAD_REQUEST  # RFC 9112 3.2
    if method not in (b"GET", b"HEAD") or "transfer-encoding" in fields:
        return HTTPStatus.NOT_IMPLEMENTED
    return HTTPStatus.OK if _HERE.fullmatch(target) else HTTPStatus.NOT_FOUND


def _said(status: HTTPStatus, length: int, *, keeps: bool, content: bytes = b"") -> Answer:
    size = len(PAGE) if status is HTTPStatus.OK else 0
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: text/plain",
        f"Content-Length: {size}",
        f"Connection: {'keep-alive' if keeps else 'close'}",
    )
    return Answer("".join(f"{line}\r\n" for line in (*lines, "")).encode() + content, not keeps, length)


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _chunks(octets: bytes, at: int) -> int | None:
    """Return where the chunks that begin at `at` end, with their trailer (RFC 9112 7.1)."""
    while True:
        end = octets.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(octets[at:end].partition(b";")[0], 16)
        at = end + 2
        if size == 0:
            break
        at += size + 2
    while (end := octets.find(b"\r\n", at)) > at:
        at = end + 2
    return at + 2 if end == at else None
