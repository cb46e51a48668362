"""The options of a segment, decoded once for all rules that ask for them."""

from collections.abc import Mapping
from functools import lru_cache

from conformance.model.segment import OPTION_TS, Segment, decode_options


@lru_cache(maxsize=64)
def _decoded(raw: bytes) -> Mapping[int, bytes]:
    found: dict[int, bytes] = {}
    for option in decode_options(raw)[0]:
        found.setdefault(option.kind, option.value)
    return found


def option(segment: Segment, kind: int) -> bytes | None:
    """Return the value of the first option of that kind, or None."""
    return _decoded(segment.options).get(kind)


def timestamps(segment: Segment) -> tuple[int, int] | None:
    """Return (TSval, TSecr), or None."""
    value = option(segment, OPTION_TS)
    if value is None or len(value) != 8:
        return None
    return int.from_bytes(value[:4], "big"), int.from_bytes(value[4:], "big")
