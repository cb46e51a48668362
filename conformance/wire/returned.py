"""ICMP errors as octets: the header, and the beginning of the datagram that is returned in it."""

from conformance.model.flow import Flow
from conformance.model.icmp import ERRORS, Effect
from conformance.model.segment import Segment

PROTOCOL = {4: 1, 6: 58}
QUOTED = 20
"""Octets of the TCP header that come back; RFC 792 has at least 8, later ones as many as fit."""


def icmp_error(flow: Flow, segment: Segment, offending: bytes) -> bytes:
    """Return the ICMP message, its checksum zero, in which the IP datagram `offending` is returned.

    ValueError where the IP version has no such error.
    """
    envelope = segment.envelope
    error = ERRORS[envelope.error]
    code = error.code(flow.family)
    if code is None:
        raise ValueError(f"IPv{flow.family} has no {envelope.error}")
    header = 40 if flow.family == 6 else (offending[0] & 0x0F) * 4
    rest = envelope.mtu if error.effect is Effect.SIZE else 0
    return bytes([*code, 0, 0]) + rest.to_bytes(4, "big") + offending[: header + QUOTED]
