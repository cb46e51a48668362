"""The evidence: what went over the link in both directions, as the kernel saw it."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance.model.flow import answered
from conformance.wire import filter as bpf
from conformance.wire.codec import ETHER_LENGTH
from conformance.wire.datagram import ETHERTYPE_IPV4, FRAGMENT_HEADER, PROTOCOL_TCP, SKIPPED_HEADERS
from conformance.wire.packet_socket import Frame, PacketSocket
from conformance.wire.returned import PROTOCOL
from conformance.wire.scapy_setup import PcapNgWriter, Raw

DEFAULT_LIMIT = 64 << 20
_OVERHEAD = 200
"""What a frame costs in memory beside its octets, about."""
_ICMP_HEADER = 8
_INBOUND, _OUTBOUND = 1, 2
_ETHERNET = 1


def port_of_tester(octets: bytes, sent: bool) -> int:
    """Return the tester's TCP port in a frame, or in an ICMP error; 0 where there is none to be seen.

    A later fragment of what we have sent has it in its identification.
    """
    at = ETHER_LENGTH
    if int.from_bytes(octets[12:14], "big") == ETHERTYPE_IPV4:
        if len(octets) < at + 20:
            return 0
        if octets[at + 6] & 0x1F or octets[at + 7]:
            return int.from_bytes(octets[at + 4 : at + 6], "big") if sent else 0
        protocol = octets[at + 9]
        at += (octets[at] & 0x0F) * 4
    else:
        if len(octets) < at + 40:
            return 0
        protocol, at = octets[at + 6], at + 40
        while protocol in SKIPPED_HEADERS and at + 2 <= len(octets):
            protocol, at = octets[at], at + (octets[at + 1] + 1) * 8
        if protocol == FRAGMENT_HEADER:
            return int.from_bytes(octets[at + 4 : at + 8], "big") & 0xFFFF if sent else 0
    if protocol in PROTOCOL.values():
        # The segment in an ICMP error goes the other way.
        inner = at + _ICMP_HEADER
        return _port(octets, inner + (40 if protocol == PROTOCOL[6] else 20), not sent)
    return _port(octets, at, sent) if protocol == PROTOCOL_TCP else 0


def _port(octets: bytes, at: int, sent: bool) -> int:
    """Return the tester's port in the TCP header at `at`, of a segment that the tester has sent or not."""
    at += 0 if sent else 2
    return int.from_bytes(octets[at : at + 2], "big")


class Capture:
    """Records the TCP traffic, and the ICMP errors, of the tester's `addresses` on one interface.

    The oldest frames go where more than `limit` octets of memory would be needed.
    """

    def __init__(self, interface: str, addresses: Sequence[str], limit: int = DEFAULT_LIMIT) -> None:
        self._socket = PacketSocket(interface, bpf.tcp(answered(addresses)), outgoing=True)
        self._limit = limit
        self._size = 0
        self._order: deque[int] = deque()
        self._frames: dict[int, deque[Frame]] = defaultdict(deque)
        self.forgotten = 0
        """How many frames have gone for want of memory."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self) -> None:
        """Take in what has been recorded since."""
        for frame in self._socket.receive():
            port = port_of_tester(frame.octets, frame.sent)
            self._order.append(port)
            self._frames[port].append(frame)
            self._size += len(frame.octets) + _OVERHEAD
        while self._size > self._limit:
            port = self._order.popleft()
            self._size -= len(self._frames[port].popleft().octets) + _OVERHEAD
            self.forgotten += 1
            if not self._frames[port]:
                del self._frames[port]

    def frames(self, ports: Iterable[int]) -> list[Frame]:
        """Return the frames of these ports of the tester, in order of time."""
        self.drain()
        found = [frame for port in set(ports) if port in self._frames for frame in self._frames[port]]
        return sorted(found, key=lambda frame: frame.wall)

    def dropped(self) -> int:
        """Return how many frames the kernel could not record."""
        return self._socket.dropped()

    def close(self) -> None:
        self._socket.close()


def write_pcapng(
    path: Path | str, frames: Iterable[tuple[float, bytes, bool]], comments: Sequence[str] = ()
) -> None:
    """Write (wall time in seconds, octets, sent by us) as a capture file with comments.

    `comments` belong to the frames by position; an empty one, or none, leaves a frame bare.
    """
    writer = PcapNgWriter(str(path))
    writer.linktype = _ETHERNET
    with writer:
        for at, (wall, octets, sent) in enumerate(frames):
            packet = Raw(octets)
            packet.time = wall
            packet.direction = _OUTBOUND if sent else _INBOUND
            if at < len(comments) and comments[at]:
                packet.comments = [comments[at].encode()]
            writer.write(packet)
