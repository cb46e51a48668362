"""Where an HTTP response ends."""

import pytest

from conformance.session.http import Response, response

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 404 -\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
UNTIL_END = b"HTTP/1.0 200 OK\r\n\r\nhello"


@pytest.mark.parametrize(("octets", "status"), [(LENGTH, 200), (CHUNKED, 404)])
def test_what_tells_its_length(octets: bytes, status: int) -> None:
    whole = Response(status, len(octets))
    assert response(octets, ended=False) == response(octets + b"HTTP/1.1 2", ended=True) == whole
    for size in range(len(octets)):
        assert response(octets[:size], ended=True) is None


def test_what_lasts_until_the_end() -> None:
    assert response(UNTIL_END, ended=False) is None
    assert response(UNTIL_END, ended=True) == Response(200, len(UNTIL_END))


def test_what_has_no_content() -> None:
    head = len(LENGTH) - len(b"hello")
    assert response(LENGTH, ended=False, to_head=True) == Response(200, head)
    assert response(LENGTH.replace(b"200 OK", b"304 ..", 1), ended=False) == Response(304, head)


@pytest.mark.parametrize("octets", [b"SSH-2.0-x\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 ok\r\n\r\n"])
def test_what_is_none(octets: bytes) -> None:
    with pytest.raises(ValueError, match="no HTTP response"):
        response(octets, ended=True)
