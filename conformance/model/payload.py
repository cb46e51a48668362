"""The pattern that stands for data given by its size alone.

An octet's value depends on its place in the stream, so that a segment delivered twice,
lost or out of place shows; 251 is prime, so no usual segment size is a multiple of it.
"""

PERIOD = 251
_ONCE = bytes(range(PERIOD))


def pattern(offset: int, count: int, key: int = 0) -> bytes:
    """Return `count` octets of the stream from octet `offset` on, for the seed's `key`."""
    start = (offset + key) % PERIOD
    return (_ONCE * ((start + count) // PERIOD + 1))[start : start + count]


_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz012345678"


def letters(offset: int, count: int, key: int = 0) -> bytes:
    """Return the same in letters and digits, of which there are 61, for who minds control characters."""
    start = (offset + key) % len(_LETTERS)
    return (_LETTERS * ((start + count) // len(_LETTERS) + 1))[start : start + count]
