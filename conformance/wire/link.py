"""The tester's end of one Ethernet link: segments out, segments in."""

import select
import socket
import time
from collections.abc import Iterable, Mapping, Sequence

from conformance.model.flow import Arrival, Flow, answered, carried, other
from conformance.model.segment import Segment
from conformance.wire import filter as bpf
from conformance.wire.codec import decode, encode_all, encode_raw
from conformance.wire.neighbour import Neighbour
from conformance.wire.packet_socket import Clock, PacketSocket
from conformance.wire.resolution import GROUP_MACS, is_resolution

_ASK_AGAIN = 0.05
"""Seconds after which an unanswered question for a link-layer address is repeated."""
_NO_MAC = "00:00:00:00:00:00"


class LinkError(Exception):
    """A frame could not be sent, or the target's link-layer address not found."""


class Link:
    """One interface, on which the tester has `addresses` that no kernel owns, and one more beside each.

    With a `mac` of its own, which no kernel has either, the tester is a station apart on a link
    that others use: their kernels let pass what is for it.  Where others are on the link, too,
    `hops` says of each target by whom it is reached: nothing is taken in from anybody else.
    `owned`: the tester's kernel has the addresses, and answers for them.  Times are seconds of
    time.monotonic().
    """

    def __init__(
        self,
        interface: str,
        addresses: Sequence[str],
        mac: str = "",
        *,
        hops: Mapping[str, str] | None = None,
        owned: bool = False,
    ) -> None:
        self.interface = interface
        self._hops = dict(hops or {})
        # A host's neighbours are other machines: there the tester has no address beside its own.
        heard = list(addresses) if self._hops else answered(addresses)
        own = list(addresses) if self._hops else [*addresses, *map(other, addresses)]
        self._addresses = frozenset(heard)
        program = bpf.incoming_from(addresses, list(self._hops)) if self._hops else bpf.incoming(heard)
        self._socket = PacketSocket(interface, program)
        self._clock = Clock()
        self._neighbour = Neighbour(mac or self._socket.mac, own, silent=owned)
        if mac:
            self._socket.take_all()
        self._early: list[Arrival] = []

    def fileno(self) -> int:
        return self._socket.fileno()

    def resolve(self, targets: Iterable[str], timeout: float, news: socket.socket) -> None:
        """Find the link-layer addresses of `targets`; LinkError after `timeout` seconds.

        Whatever comes on `news` is a reason to ask again at once: a link that comes up has
        lost what was sent before.
        """
        if self._socket.layer == 3:
            return  # there is nobody to ask, and nothing to know
        targets = [self._hops.get(target, target) for target in targets]
        deadline = time.monotonic() + timeout
        asked = -_ASK_AGAIN
        while missing := [target for target in targets if self._neighbour.lookup(target) is None]:
            now = time.monotonic()
            if now >= deadline:
                raise LinkError(f"no answer for {' or '.join(missing)} on {self.interface}")
            if now >= asked + _ASK_AGAIN:
                asked = now
                for target in missing:
                    self._send(self._neighbour.ask(target))
            wait = max(0.0, asked + _ASK_AGAIN - time.monotonic())
            ready, _, _ = select.select([self.fileno(), news.fileno()], [], [], wait)
            if news.fileno() in ready:
                news.recv(65536)
                asked = -_ASK_AGAIN
            self._early += self._drain()

    def send(self, flow: Flow, segment: Segment) -> float:
        """Send a segment from the tester; return when (just before the kernel took the last of it).

        ValueError for options too long, LinkError for a frame longer than the link carries.
        """
        to = GROUP_MACS.get(carried(flow, segment.envelope).target[0])
        source, destination = self._ends(flow)
        frames = encode_all(flow, segment, source, to or destination)
        return [self._send(frame) for frame in frames][-1]

    def send_raw(self, flow: Flow, octets: bytes) -> float:
        """Send `octets` as the IP payload; return when."""
        return self._send(encode_raw(flow, octets, *self._ends(flow)))

    def _ends(self, flow: Flow) -> tuple[str, str]:
        if self._socket.layer == 3:
            return _NO_MAC, _NO_MAC
        mac = self._neighbour.lookup(self._hops.get(flow.target[0], flow.target[0]))
        if mac is None:
            raise LinkError(f"the link-layer address of {flow.target[0]} is not known")
        return self._neighbour.mac, mac

    def _send(self, frame: bytes) -> float:
        # A veth delivers within the call: the answer may be there before send() returns.
        left = time.monotonic()
        try:
            self._socket.send(frame)
        except BlockingIOError:
            select.select([], [self.fileno()], [], 1.0)
            left = time.monotonic()
            self._socket.send(frame)
        except OSError as error:
            what = f"a frame of {len(frame)} octets on {self.interface}"
            raise LinkError(f"{what}: {error.strerror}") from error
        return left

    def receive(self) -> list[Arrival]:
        """Return the segments that have come for the tester, and answer who asks for it."""
        arrivals, self._early = self._early, []
        return arrivals + self._drain()

    def _drain(self) -> list[Arrival]:
        arrivals: list[Arrival] = []
        self._clock.check()
        for frame in self._socket.receive():
            if is_resolution(frame.octets):
                answer = self._neighbour.receive(frame.octets)
                if answer is not None:
                    self._send(answer)
                continue
            decoded = decode(frame.octets)
            if decoded is not None and (decoded[0].tester[0] in self._addresses or not decoded[0].tester[0]):
                arrivals.append(Arrival(*decoded, self._clock.monotonic(frame.wall)))
        return arrivals

    def dropped(self) -> int:
        """Return how many frames were lost for want of buffer: the tester's own failure."""
        return self._socket.dropped()

    def close(self) -> None:
        self._socket.close()
