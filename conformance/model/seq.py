"""Sequence number arithmetic, modulo 2**32 (RFC 9293 3.4).

All functions take and return plain integers.  Comparisons are meaningful for two numbers
less than 2**31 apart, which the protocol's windows guarantee.
"""

MODULUS = 1 << 32
HALF = 1 << 31


def wrap(value: int) -> int:
    """Return `value` modulo 2**32."""
    return value % MODULUS


def add(a: int, n: int) -> int:
    """Return the sequence number `n` octets after `a` (before it, where `n` is negative)."""
    return (a + n) % MODULUS


def diff(a: int, b: int) -> int:
    """Return the signed distance from `b` to `a`, in -2**31 .. 2**31-1."""
    return (a - b + HALF) % MODULUS - HALF


def lt(a: int, b: int) -> bool:
    return diff(a, b) < 0


def leq(a: int, b: int) -> bool:
    return diff(a, b) <= 0


def gt(a: int, b: int) -> bool:
    return diff(a, b) > 0


def geq(a: int, b: int) -> bool:
    return diff(a, b) >= 0


def latest(a: int, b: int) -> int:
    """Return the later of two sequence numbers."""
    return a if geq(a, b) else b


def in_window(value: int, left: int, size: int) -> bool:
    """Tell whether left =< value < left+size."""
    return (value - left) % MODULUS < size
