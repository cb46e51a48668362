"""Recorded frames of any usual link type to TCP segments, by the octets: a capture has many.

Never raises: what carries no TCP is None, what cannot be read whole says so.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from conformance.model.recorded import Checksum, Recorded
from conformance.model.segment import NO_CONTROL, Control, Segment
from conformance.wire.datagram import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    FRAGMENT_HEADER,
    PROTOCOL_TCP,
    SKIPPED_HEADERS,
    TCP_LENGTH,
)

_VLAN = frozenset({0x8100, 0x88A8, 0x9100})
_PPPOE = 0x8864
_FAMILIES_OF_IPV6 = frozenset({10, 24, 28, 30})
"""AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS."""


@dataclass(frozen=True, slots=True)
class _Datagram:
    """An IP datagram's payload, as far as it was recorded; `length` is what it had on the wire."""

    source: bytes
    destination: bytes
    payload: bytes
    length: int
    size: int
    ttl: int
    tos: int
    ident: int | None = None
    fragment: bool = False


# -- link layers --------------------------------------------------------------------------
def _ethernet(frame: bytes) -> tuple[int, int]:
    return _tagged(frame, 12)


def _tagged(frame: bytes, at: int) -> tuple[int, int]:
    """Follow VLAN tags and PPPoE from the type field at `at`: the protocol, and where it begins."""
    kind = int.from_bytes(frame[at : at + 2], "big")
    while kind in _VLAN:
        at += 4
        kind = int.from_bytes(frame[at : at + 2], "big")
    if kind == _PPPOE:
        inner = int.from_bytes(frame[at + 8 : at + 10], "big")
        return {0x21: ETHERTYPE_IPV4, 0x57: ETHERTYPE_IPV6}.get(inner, 0), at + 10
    return kind, at + 2


def _cooked(frame: bytes) -> tuple[int, int]:
    return _tagged(frame, 14)


def _cooked_2(frame: bytes) -> tuple[int, int]:
    return int.from_bytes(frame[:2], "big"), 20


def _raw(frame: bytes) -> tuple[int, int]:
    version = frame[0] >> 4 if frame else 0
    return {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}.get(version, 0), 0


def _loopback(frame: bytes) -> tuple[int, int]:
    """BSD's loopback: the address family, in the byte order of whatever machine took it."""
    family = min(int.from_bytes(frame[:4], "big"), int.from_bytes(frame[:4], "little"))
    return ETHERTYPE_IPV4 if family == 2 else ETHERTYPE_IPV6 if family in _FAMILIES_OF_IPV6 else 0, 4


LINK_TYPES: dict[int, tuple[str, Callable[[bytes], tuple[int, int]]]] = {
    0: ("BSD loopback", _loopback),
    1: ("Ethernet", _ethernet),
    12: ("raw IP", _raw),
    14: ("raw IP", _raw),
    101: ("raw IP", _raw),
    108: ("OpenBSD loopback", _loopback),
    113: ("Linux cooked", _cooked),
    228: ("raw IPv4", _raw),
    229: ("raw IPv6", _raw),
    276: ("Linux cooked v2", _cooked_2),
}
"""Link types of captures (www.tcpdump.org/linktypes.html) that can be read."""


# -- IP -----------------------------------------------------------------------------------
def _ipv4(packet: bytes, wire: int) -> _Datagram | None:
    header = (packet[0] & 0x0F) * 4 if packet else 0
    if len(packet) < 20 or packet[0] >> 4 != 4 or header < 20 or packet[9] != PROTOCOL_TCP:
        return None
    # 0 stands for what the network card is to fill in, where it cuts the segment.
    size = int.from_bytes(packet[2:4], "big") or wire
    offset = int.from_bytes(packet[6:8], "big") & 0x3FFF
    return _Datagram(
        *(packet[12:16], packet[16:20], packet[header:size], size - header, size),
        *(packet[8], packet[1], int.from_bytes(packet[4:6], "big"), offset != 0),
    )


def _ipv6(packet: bytes, wire: int) -> _Datagram | None:
    if len(packet) < 40 or packet[0] >> 4 != 6:
        return None
    size = int.from_bytes(packet[4:6], "big")
    size = size + 40 if size else wire  # a jumbogram
    following, at, fragment = packet[6], 40, False
    while (following in SKIPPED_HEADERS or following == FRAGMENT_HEADER) and at + 8 <= len(packet):
        length = 8
        if following == FRAGMENT_HEADER:
            # An atomic fragment is the whole datagram (RFC 6946).
            fragment = int.from_bytes(packet[at + 2 : at + 4], "big") & 0xFFF9 != 0
        else:
            length = (packet[at + 1] + 1) * 8
        following, at = packet[at], at + length
    if following != PROTOCOL_TCP:
        return None
    tos = int.from_bytes(packet[:2], "big") >> 4 & 0xFF
    return _Datagram(
        packet[8:24], packet[24:40], packet[at:size], size - at, size, packet[7], tos, None, fragment
    )


# -- TCP ----------------------------------------------------------------------------------
def dissect(link_type: int, octets: bytes, wire: int, frame: int, time: float) -> Recorded | None:
    """Return the TCP segment in a recorded frame; None where there is none, or too little of it.

    `wire` is the frame's length before the recording cut it; `link_type` one of LINK_TYPES.
    """
    kind, at = LINK_TYPES[link_type][1](octets)
    packet = octets[at:]
    datagram = None
    if kind == ETHERTYPE_IPV4:
        datagram = _ipv4(packet, wire - at)
    elif kind == ETHERTYPE_IPV6:
        datagram = _ipv6(packet, wire - at)
    return None if datagram is None else _segment(datagram, frame, time)


def _segment(datagram: _Datagram, frame: int, time: float) -> Recorded | None:
    body = datagram.payload
    if len(body) < 4 or (len(body) < TCP_LENGTH and (datagram.fragment or datagram.length >= TCP_LENGTH)):
        return None
    family = socket.AF_INET if len(datagram.source) == 4 else socket.AF_INET6
    addresses = [socket.inet_ntop(family, octets) for octets in (datagram.source, datagram.destination)]
    ports = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
    doff = body[12] >> 4 if len(body) >= TCP_LENGTH else 0
    header = max(doff * 4, TCP_LENGTH)
    checksum = _checksum(datagram)
    return Recorded(
        frame,
        time,
        (addresses[0], ports[0]),
        (addresses[1], ports[1]),
        _values(body, doff, header, datagram, checksum),
        length=max(0, datagram.length - header),
        size=datagram.size,
        ident=datagram.ident,
        checksum=checksum,
        options_known=len(body) >= header,
        fragment=datagram.fragment,
    )


def _values(body: bytes, doff: int, header: int, datagram: _Datagram, checksum: Checksum) -> Segment:
    if len(body) < TCP_LENGTH:
        return Segment(0, 0, NO_CONTROL, defect=f"a TCP header of {len(body)} octets", ttl=datagram.ttl)
    defect = ""
    if doff < 5:
        defect = f"data offset {doff}, less than a TCP header"
    elif header > datagram.length:
        defect = f"data offset {doff}, beyond the segment's {datagram.length} octets"
    return Segment(
        seq=int.from_bytes(body[4:8], "big"),
        ack=int.from_bytes(body[8:12], "big"),
        ctl=Control(body[13]),
        wnd=int.from_bytes(body[14:16], "big"),
        urp=int.from_bytes(body[18:20], "big"),
        data=body[header:],
        options=body[TCP_LENGTH:header] if len(body) >= header else b"",
        checksum_ok=checksum is not Checksum.BAD,
        doff=doff,
        rsv=body[12] & 0x0F,
        ttl=datagram.ttl,
        tos=datagram.tos,
        defect=defect,
    )


def _checksum(datagram: _Datagram) -> Checksum:
    """Judge the checksum field; 2**16 is 1 modulo 65535, so that one division sums all 16-bit words."""
    body = datagram.payload
    if len(body) != datagram.length or datagram.fragment or len(body) < TCP_LENGTH:
        return Checksum.UNKNOWN
    addresses = int.from_bytes(datagram.source + datagram.destination, "big") + PROTOCOL_TCP
    pseudo = addresses + len(body)
    if (pseudo + int.from_bytes(body + bytes(len(body) % 2), "big")) % 0xFFFF == 0:
        return Checksum.GOOD
    field = int.from_bytes(body[16:18], "big")
    # What segments are cut from has a length of 0 in it, with some drivers.
    if field % 0xFFFF in (pseudo % 0xFFFF, addresses % 0xFFFF):
        return Checksum.PARTIAL
    return Checksum.BAD
