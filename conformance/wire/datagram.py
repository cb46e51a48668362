"""The IP header, IP options and fragments, and the frame around them, with Scapy.

Layers are linked, not divided with `/`: that copies each of them several times, which is
half of what a frame costs.
"""

import itertools

from conformance.model.flow import Flow
from conformance.wire.scapy_setup import IP, Ether, IPv6, Packet, Raw

ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_ARP = 0x0800, 0x86DD, 0x0806
PROTOCOL_TCP = 6
TCP_LENGTH = 20
FRAGMENT_HEADER = 44
SKIPPED_HEADERS = (0, 43, 60)
"""Hop-by-hop options, routing, destination options: (length octet + 1) * 8 octets (RFC 8200 4)."""
USUAL_TTL = 64
_MORE_FRAGMENTS = 1


def linked(*layers: Packet) -> Packet:
    """Put each layer into the one before, as it is; return the outermost."""
    for outer, inner in itertools.pairwise(layers):
        outer.add_payload(inner)
    for layer in layers:
        layer.explicit = 1  # all fields are given: no copy to fill them in
    return layers[0]


def ip_header(
    flow: Flow,
    ttl: int = USUAL_TTL,
    tos: int = 0,
    protocol: int = PROTOCOL_TCP,
    options: bytes = b"",
    **fields: object,
) -> Packet:
    """Return the IP header of what goes from the tester to the target; `fields` are Scapy's."""
    source, destination = flow.tester[0], flow.target[0]
    if flow.family == 6:
        if options:
            raise ValueError("IPv6 has no IP options")
        return IPv6(src=source, dst=destination, nh=protocol, hlim=ttl, tc=tos)
    # An atomic datagram needs no identification (RFC 6864 4.1).
    fields = {"id": 0, "flags": "DF", **fields}
    if options:
        fields["options"] = [Raw(options + bytes(-len(options) % 4))]
    return IP(src=source, dst=destination, proto=protocol, ttl=ttl, tos=tos, **fields)


def framed(ends: tuple[str, str], *layers: Packet) -> bytes:
    """Return the frame with these layers; `ends` are the link-layer source and destination."""
    kind = ETHERTYPE_IPV6 if isinstance(layers[0], IPv6) else ETHERTYPE_IPV4
    built: bytes = linked(Ether(src=ends[0], dst=ends[1], type=kind), *layers).build()
    return built


def fragments(
    flow: Flow, octets: bytes, size: int, ttl: int, tos: int, options: bytes, ends: tuple[str, str]
) -> list[bytes]:
    """Return the frames that carry `octets` of TCP in fragments of `size` octets, in order.

    The tester's port identifies the datagram.
    """
    frames = []
    for at in range(0, len(octets), size):
        more = _MORE_FRAGMENTS if at + size < len(octets) else 0
        piece = Raw(octets[at : at + size])
        if flow.family == 6:
            # RFC 8200 4.5: next header, reserved, offset and M flag, identification.
            field = (at | more).to_bytes(2, "big") + flow.tester[1].to_bytes(4, "big")
            layers = [
                ip_header(flow, ttl, tos, FRAGMENT_HEADER),
                Raw(bytes([PROTOCOL_TCP, 0]) + field),
                piece,
            ]
        else:
            fields = {"id": flow.tester[1], "flags": more, "frag": at // 8}
            layers = [ip_header(flow, ttl, tos, options=options, **fields), piece]
        frames.append(framed(ends, *layers))
    return frames
