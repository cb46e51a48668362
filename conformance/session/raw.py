"""Octets that no notation reaches: made sendable, and read as the target will read them."""

import ipaddress

from conformance.model.flow import Flow
from conformance.model.segment import Control, Segment

HEADER = 20
_PORTS, _CHECKSUM = slice(0, 4), slice(16, 18)
_TCP = 6


def complete(octets: bytes, flow: Flow) -> bytes:
    """Fill in the ports and the checksum, each where it is written as zero."""
    out = bytearray(octets)
    if len(out) >= 4 and not any(out[_PORTS]):
        out[_PORTS] = flow.tester[1].to_bytes(2, "big") + flow.target[1].to_bytes(2, "big")
    if len(out) >= HEADER and not any(out[_CHECKSUM]):
        out[_CHECKSUM] = _checksum(bytes(out), flow).to_bytes(2, "big")
    return bytes(out)


def parse(octets: bytes, flow: Flow) -> Segment:
    """Return the segment that the octets are; `defect` says why they are none."""
    if len(octets) < HEADER:
        return Segment(0, 0, Control(0), defect="shorter than a TCP header")
    doff = octets[12] >> 4
    defect = "" if HEADER <= doff * 4 <= len(octets) else "the data offset cannot be"
    header = min(doff * 4, len(octets)) if not defect else HEADER
    return Segment(
        seq=int.from_bytes(octets[4:8], "big"),
        ack=int.from_bytes(octets[8:12], "big"),
        ctl=Control(octets[13]),
        wnd=int.from_bytes(octets[14:16], "big"),
        urp=int.from_bytes(octets[18:20], "big"),
        data=octets[header:],
        options=octets[HEADER:header],
        checksum_ok=_checksum(octets, flow) == 0,
        rsv=octets[12] & 15,
        defect=defect,
    )


def _checksum(octets: bytes, flow: Flow) -> int:
    """RFC 9293 3.1: the ones' complement sum over pseudo-header and segment."""
    addresses = [ipaddress.ip_address(end[0]).packed for end in (flow.tester, flow.target)]
    pseudo = b"".join(addresses) + len(octets).to_bytes(4, "big") + _TCP.to_bytes(4, "big")
    whole = pseudo + octets + b"\0" * (len(octets) % 2)
    total = sum(int.from_bytes(whole[at : at + 2], "big") for at in range(0, len(whole), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
