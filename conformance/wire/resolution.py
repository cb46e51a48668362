"""ARP (RFC 826) and neighbour discovery (RFC 4861) messages to frames and back, with Scapy."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from conformance.model.flow import GROUPS
from conformance.wire.datagram import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6
from conformance.wire.scapy_setup import (
    ARP,
    Ether,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    Packet,
)

_BROADCAST, _NOT_KNOWN = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"
_ALL_NODES = "ff02::1"
_UNSPECIFIED = ("0.0.0.0", "::")
_WHO_HAS, _IS_AT = 1, 2
_ICMPV6 = 58
_SOLICITATION, _ADVERTISEMENT = 135, 136
# A router would have lowered it, so the message is from this link (RFC 4861 7.1).
_UNROUTED = 255


@dataclass(frozen=True, slots=True)
class Resolution:
    """A question for the link-layer address of `about`, or an answer, from `sender` at `mac`.

    `sender` is empty for one who has no address yet and only makes sure that nobody uses
    `about` (RFC 5227, RFC 4862 5.4).
    """

    question: bool
    about: str
    sender: str
    mac: str


def is_resolution(frame: bytes) -> bool:
    """Tell cheaply whether a frame is ARP or a neighbour solicitation or advertisement."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == ETHERTYPE_ARP:
        return True
    icmpv6 = kind == ETHERTYPE_IPV6 and len(frame) > 54 and frame[20] == _ICMPV6
    return icmpv6 and frame[54] in (_SOLICITATION, _ADVERTISEMENT)


def solicited_node(address: str) -> str:
    """Return the multicast address at which `address` is asked for (RFC 4291 2.7.1)."""
    prefix = IPv6Address("ff02::1:ff00:0").packed[:13]
    return str(IPv6Address(prefix + IPv6Address(address).packed[13:]))


def multicast_mac(address: str) -> str:
    """Return the link-layer address of an IPv6 multicast group (RFC 2464 7)."""
    return "33:33:" + ":".join(f"{octet:02x}" for octet in IPv6Address(address).packed[12:])


GROUP_MACS = {
    GROUPS["broadcast"][4]: _BROADCAST,
    GROUPS["multicast"][4]: "01:00:5e:00:00:01",
    GROUPS["multicast"][6]: multicast_mac(GROUPS["multicast"][6]),
}
"""The link-layer addresses of the addresses of many; IPv4's group as RFC 1112 6.4 has it."""


def decode_resolution(frame: bytes) -> Resolution | None:
    """Return what a frame asks or answers; None if nothing valid.  Never raises."""
    try:
        packet = Ether(frame)
        if ARP in packet:
            return _decode_arp(packet[ARP])
        if IPv6 in packet and packet[IPv6].hlim == _UNROUTED:
            return _decode_discovery(packet)
    except Exception:  # Scapy promises nothing about what its dissectors raise
        return None
    return None


def _decode_arp(arp: ARP) -> Resolution | None:
    if (arp.ptype, arp.hwlen, arp.plen) != (ETHERTYPE_IPV4, 6, 4) or arp.op not in (_WHO_HAS, _IS_AT):
        return None
    question = arp.op == _WHO_HAS
    sender = "" if arp.psrc in _UNSPECIFIED else arp.psrc
    return Resolution(question, arp.pdst if question else arp.psrc, sender, arp.hwsrc)


def _decode_discovery(packet: Packet) -> Resolution | None:
    sender = "" if packet[IPv6].src in _UNSPECIFIED else packet[IPv6].src
    if ICMPv6ND_NS in packet:
        about, option = packet[ICMPv6ND_NS].tgt, ICMPv6NDOptSrcLLAddr
    elif ICMPv6ND_NA in packet:
        about = sender = packet[ICMPv6ND_NA].tgt
        option = ICMPv6NDOptDstLLAddr
    else:
        return None
    mac = packet[option].lladdr if option in packet else packet.src
    return Resolution(ICMPv6ND_NS in packet, about, sender, mac)


def encode_question(about: str, own: str, mac: str) -> bytes:
    """Return the frame with which `own` at `mac` asks who has `about`."""
    if ":" not in about:
        request = ARP(op=_WHO_HAS, hwsrc=mac, psrc=own, hwdst=_NOT_KNOWN, pdst=about)
        return bytes(Ether(src=mac, dst=_BROADCAST, type=ETHERTYPE_ARP) / request)
    group = solicited_node(about)
    return _discovery(
        mac, own, multicast_mac(group), group, ICMPv6ND_NS(tgt=about) / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    )


def encode_answer(question: Resolution, mac: str) -> bytes:
    """Return the frame that says that what was asked for is at `mac`."""
    own = question.about
    if ":" not in own:
        sender = question.sender or "0.0.0.0"
        reply = ARP(op=_IS_AT, hwsrc=mac, psrc=own, hwdst=question.mac, pdst=sender)
        return bytes(Ether(src=mac, dst=question.mac, type=ETHERTYPE_ARP) / reply)
    option = ICMPv6NDOptDstLLAddr(lladdr=mac)
    if not question.sender:
        advertisement = ICMPv6ND_NA(tgt=own, R=0, S=0, O=1) / option
        return _discovery(mac, own, multicast_mac(_ALL_NODES), _ALL_NODES, advertisement)
    advertisement = ICMPv6ND_NA(tgt=own, R=0, S=1, O=1) / option
    return _discovery(mac, own, question.mac, question.sender, advertisement)


def _discovery(mac: str, own: str, to_mac: str, to_address: str, message: Packet) -> bytes:
    network = IPv6(src=own, dst=to_address, hlim=_UNROUTED, nh=_ICMPV6)
    return bytes(Ether(src=mac, dst=to_mac, type=ETHERTYPE_IPV6) / network / message)
