"""Where an HTTP response ends: RFC 9112 6.3, as far as a client needs it that asks with GET or HEAD."""

import re
from dataclasses import dataclass

_STATUS_LINE = re.compile(rb"HTTP/\d\.\d (\d{3})[ \r]")
_BODILESS = re.compile(r"1\d\d|204|304")
NOT_UNDERSTOOD = (400, 405, 501, 505)
"""Statuses by which a server says that what came is no request that it knows (RFC 9110 15.5, 15.6)."""


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
