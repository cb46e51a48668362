"""Segments to frames and back, with Scapy.

Sending, the octets that Scapy's fields cannot hold (malformed options, a data offset that
lies) go in as raw octets behind a header whose fields are all given, so that Scapy corrects
nothing.  Receiving, Scapy dissects the headers; options and data are cut from the frame
itself, so that nothing malformed is lost.
"""

import socket
from dataclasses import replace

from conformance.model.flow import RECORDS, Flow, carried, route_ahead, route_behind, route_taken
from conformance.model.segment import NO_CONTROL, USUAL, Control, Envelope, Segment
from conformance.wire.datagram import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    FRAGMENT_HEADER,
    PROTOCOL_TCP,
    SKIPPED_HEADERS,
    TCP_LENGTH,
    fragments,
    framed,
    ip_header,
    linked,
)
from conformance.wire.returned import PROTOCOL, icmp_error
from conformance.wire.scapy_setup import IP, TCP, IPv6, Raw, checksum

ETHER_LENGTH = 14
_CHECKSUM_AT = 16
# What would be the fourth reserved bit is the last of Scapy's nine flags ("NS").
_LAST_RESERVED = 0x100


def encode(flow: Flow, segment: Segment, source: str, destination: str) -> bytes:
    """Return the frame that carries `segment`, whole, from the tester to the target.

    `source`, `destination` are link-layer addresses.  Raises ValueError for options that no
    data offset can cover, where the segment leaves the data offset open, and for what the IP
    version cannot carry.
    """
    envelope, ends = segment.envelope, (source, destination)
    if envelope.error:
        return _returned(flow, segment, ends)
    tester, flow = flow.tester[0], carried(flow, envelope)
    network = ip_header(flow, segment.ttl, segment.tos, options=_options(tester, envelope))
    return framed(ends, network, Raw(_tcp(flow, segment)))


def encode_all(flow: Flow, segment: Segment, source: str, destination: str) -> list[bytes]:
    """Return what `encode` does, in the fragments that the segment is to go out in."""
    envelope, ends = segment.envelope, (source, destination)
    if envelope.fragment is None:
        return [encode(flow, segment, source, destination)]
    options = _options(flow.tester[0], envelope)
    flow = carried(flow, envelope)
    octets = _tcp(flow, segment)
    return fragments(flow, octets, envelope.fragment, segment.ttl, segment.tos, options, ends)


def _options(tester: str, envelope: Envelope) -> bytes:
    if envelope.route in RECORDS:
        return route_ahead(envelope.route, tester)
    return route_behind(envelope.route, tester) if envelope.route else envelope.options


def _tcp(flow: Flow, segment: Segment) -> bytes:
    """Return the header and the data, from the tester to the target."""
    options, doff = segment.options, segment.doff
    if doff is None:
        options += bytes(-len(options) % 4)
        doff = TCP_LENGTH // 4 + len(options) // 4
        if doff > 15:
            raise ValueError(f"{len(segment.options)} octets of options do not fit a TCP header (at most 40)")
    fields = TCP(
        sport=flow.tester[1],
        dport=flow.target[1],
        seq=segment.seq,
        ack=segment.ack,
        dataofs=doff,
        reserved=segment.rsv >> 1,
        flags=int(segment.ctl) | (_LAST_RESERVED if segment.rsv & 1 else 0),
        window=segment.wnd,
        chksum=segment.checksum or 0,
        urgptr=segment.urp,
        options=[],
    )
    octets = linked(fields, Raw(options + segment.data)).build()
    if segment.checksum is not None:
        return bytes(octets)
    return _with_checksum(octets, _CHECKSUM_AT, _checksum(flow.tester[0], flow.target[0], octets), segment)


def _with_checksum(octets: bytes, at: int, field: int, segment: Segment) -> bytes:
    # One bit: neighbours are never the same number in ones' complement, unlike 0 and 0xFFFF.
    field ^= not segment.checksum_ok
    return octets[:at] + field.to_bytes(2, "big") + octets[at + 2 :]


def _returned(flow: Flow, segment: Segment, ends: tuple[str, str]) -> bytes:
    """Return the frame of an ICMP error, from the tester, with a segment of the target in it."""
    back = Flow(flow.target, flow.tester)
    sound = replace(segment, checksum_ok=True, envelope=USUAL)
    message = icmp_error(flow, segment, linked(ip_header(back), Raw(_tcp(back, sound))).build())
    flow, protocol = carried(flow, segment.envelope), PROTOCOL[flow.family]
    if flow.family == 6:
        field = _checksum(flow.tester[0], flow.target[0], message, protocol)
    else:
        field = checksum(message)
    message = _with_checksum(message, 2, field, segment)
    return framed(ends, ip_header(flow, segment.ttl, segment.tos, protocol), Raw(message))


def encode_raw(flow: Flow, octets: bytes, source: str, destination: str) -> bytes:
    """Return the frame whose IP payload is `octets`, sent as TCP whatever they are."""
    return framed((source, destination), ip_header(flow), Raw(octets))


def _checksum(source: str, destination: str, octets: bytes, protocol: int = PROTOCOL_TCP) -> int:
    """Return the checksum field for a segment whose own is 0; 0 for one whose own is right."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    addresses = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    pseudo = len(octets).to_bytes(4, "big") + protocol.to_bytes(4, "big")
    return int(checksum(addresses + pseudo + octets))


def decode(frame: bytes) -> tuple[Flow, Segment] | None:
    """Return the TCP segment in a frame that came in, and its flow seen from the receiver.

    None if the frame carries no TCP.  What cannot be read whole is a segment whose `defect`
    says why; a port that is not there is 0.  Never raises.
    """
    try:
        kind, packet = int.from_bytes(frame[12:14], "big"), frame[ETHER_LENGTH:]
        # The headers alone: Scapy then need not take apart what is cut from the frame anyway.
        if kind == ETHERTYPE_IPV4 and len(packet) >= 20:
            return _decode_ipv4(IP(packet[: max(packet[0] & 0x0F, 5) * 4]), packet)
        if kind == ETHERTYPE_IPV6 and len(packet) >= 40:
            return _decode_ipv6(IPv6(packet[:40]), packet)
    except Exception as error:  # Scapy promises nothing about what its dissectors raise
        if _is_ip(frame):
            return _hopeless(f"frame that cannot be dissected ({type(error).__name__})")
        return None
    return _hopeless("truncated IP header") if _is_ip(frame) else None


def _is_ip(frame: bytes) -> bool:
    return int.from_bytes(frame[12:14], "big") in (ETHERTYPE_IPV4, ETHERTYPE_IPV6)


def _hopeless(defect: str) -> tuple[Flow, Segment]:
    return Flow(("", 0), ("", 0)), Segment(0, 0, NO_CONTROL, wnd=0, defect=defect)


def _decode_ipv4(network: IP, packet: bytes) -> tuple[Flow, Segment] | None:
    if network.proto != PROTOCOL_TCP:
        return None
    header = network.ihl * 4
    body = packet[header : network.len]
    defect = ""
    if network.version != 4 or header < 20:
        defect = f"IP version {network.version}, header length {network.ihl}"
    elif network.frag or int(network.flags) & 1:
        defect = f"IPv4 fragment (offset {network.frag * 8})"
    elif network.len > len(packet):
        defect = f"truncated: {len(packet)} of {network.len} octets"
    elif checksum(packet[:header]):
        defect = "IPv4 header checksum"
    if network.frag:
        body = b""
    # The checksum is over the last destination (RFC 9293 3.1), to which a source route has yet to lead.
    route, destination = route_taken(packet[20:header], network.dst)
    good = not defect and _checksum(network.src, destination, body) == 0
    flow, segment = _decode_tcp(network.src, destination, body, network.ttl, network.tos, good, defect)
    envelope = Envelope(route=route) if route else segment.envelope
    return flow, replace(segment, ident=network.id, envelope=envelope)


def _decode_ipv6(network: IPv6, packet: bytes) -> tuple[Flow, Segment] | None:
    following, at, end = network.nh, 40, 40 + network.plen
    while following in SKIPPED_HEADERS and at + 2 <= len(packet):
        following, at = packet[at], at + (packet[at + 1] + 1) * 8
    defect = ""
    body = packet[at:end]
    if following == FRAGMENT_HEADER and packet[at : at + 1] == bytes([PROTOCOL_TCP]):
        defect, body = "IPv6 fragment", b""
    elif following != PROTOCOL_TCP:
        return None
    elif end > len(packet):
        defect = f"truncated: {len(packet)} of {end} octets"
    good = not defect and _checksum(network.src, network.dst, body) == 0
    return _decode_tcp(network.src, network.dst, body, network.hlim, network.tc, good, defect)


def _decode_tcp(
    source: str, destination: str, body: bytes, ttl: int, tos: int, good: bool, defect: str
) -> tuple[Flow, Segment]:
    ports = int.from_bytes(body[2:4], "big"), int.from_bytes(body[:2], "big")
    flow = Flow((destination, ports[0]), (source, ports[1] if len(body) >= 4 else 0))
    if len(body) < TCP_LENGTH:
        defect = defect or f"truncated TCP header: {len(body)} octets"
        return flow, Segment(0, 0, NO_CONTROL, wnd=0, checksum_ok=False, ttl=ttl, tos=tos, defect=defect)
    # With a data offset of 5: the options are kept raw.
    tcp = TCP(body[:12] + bytes([0x50 | body[12] & 0x0F]) + body[13:TCP_LENGTH])
    doff = body[12] >> 4
    if doff < 5:
        defect = defect or f"data offset {doff}, less than a TCP header"
    elif doff * 4 > len(body):
        defect = defect or f"data offset {doff}, beyond the segment's {len(body)} octets"
    header = max(doff * 4, TCP_LENGTH)
    segment = Segment(
        seq=tcp.seq,
        ack=tcp.ack,
        ctl=Control(int(tcp.flags) & 0xFF),
        wnd=tcp.window,
        urp=tcp.urgptr,
        data=body[header:],
        options=body[TCP_LENGTH:header],
        checksum_ok=good,
        doff=doff,
        rsv=body[12] & 0x0F,
        ttl=ttl,
        tos=tos,
        defect=defect,
    )
    return flow, segment
