"""Where an HTTP response ends, and what a server answers."""

import pytest

from conformance.session.http import PAGE, Answer, Response, answer, response

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


GET = b"GET / HTTP/1.1\r\nHost: target\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "last", "content"),
    [
        (GET + b"\r\n", 200, False, PAGE),
        (GET + b"Connection: Close, x\r\n\r\n", 200, True, PAGE),
        (b"GET / HTTP/1.0\r\n\r\n", 200, True, PAGE),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, False, PAGE),
        (b"HEAD /?y HTTP/1.0\r\n\r\n", 200, True, b""),
        (GET.replace(b"/", b"HTTP://target:80", 1) + b"\r\n", 200, False, PAGE),
        (GET.replace(b"/", b"/elsewhere", 1) + b"\r\n", 404, False, b""),
        (b"\r\n" + GET + b"Content-Length: 3\r\n\r\nabc", 200, False, PAGE),
        (b"GET / HTTP/1.1\r\n\r\n", 400, True, b""),
        (b"GGET / HTTP/1.0\r\n\r\n", 501, True, b""),
        (GET + b"Transfer-Encoding: chunked\r\n\r\n", 501, True, b""),
        (b"GET / HTTP/2.0\r\n\r\n", 505, True, b""),
        (b"GET  / HTTP/1.0\r\n\r\n", 400, True, b""),
        (GET + b"Content-Length: x\r\n\r\n", 400, True, b""),
    ],
)
def test_what_a_server_answers(request_: bytes, status: int, last: bool, content: bytes) -> None:
    found = answer(request_ + b"GET")
    assert isinstance(found, Answer)
    assert (found.last, found.length, found.octets.endswith(b"\r\n\r\n" + content)) == (
        last,
        len(request_),
        True,
    )
    head = request_.startswith(b"HEAD")
    assert response(found.octets, ended=False, to_head=head) == Response(status, len(found.octets))
    for size in range(len(request_)):
        assert answer(request_[:size]) is None
