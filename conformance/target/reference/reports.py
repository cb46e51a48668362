"""What the network reports of the segments that the reference has sent: ICMP, and the path's MTU."""

from conformance.model import seq
from conformance.model.icmp import ERRORS, Effect
from conformance.model.segment import Segment
from conformance.oracle.arrives import Outcome
from conformance.oracle.icmp import icmp_arrives
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import FIXED_HEADERS, MTU, NO_CONNECTION, Surroundings
from conformance.target.reference.sending import SENDING, Sending

LEAST_MTU = {4: 68, 6: 1280}
"""RFC 1191 3, RFC 8201 4: no path carries less."""
PLATEAUS = (32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)
"""RFC 1191 7.1: what to try when a router does not say its MTU."""
_ERRNO = {
    "net-unreachable": "ENETUNREACH",
    "protocol-unreachable": "ENOPROTOOPT",
    "port-unreachable": "ECONNREFUSED",
}


class Reports(Sending):
    """Believes what is in flight, aborts on hard errors, sends smaller segments where it must."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.error = ""
        """The errno of the failure that the user has not been told of yet."""
        self.report_errors = 0
        """Whether the user wants to be told of soft errors, too."""
        self.path_mtu = MTU
        self.sizes: dict[int, int] = {}
        """How large the datagram was of each segment that is outstanding, by its first sequence number."""
        self.got_through = 0
        """The largest datagram of which all data was acknowledged."""
        self.doubted: tuple[int, int] | None = None
        """A sequence number that was said to be in a datagram too large, and the path MTU that was told."""

    def told(self, segment: Segment, now: float) -> None:
        """Process the ICMP error in which `segment`, one of ours, is returned."""
        self.now = now
        before, name = self.tcb, segment.envelope.error
        believed = self.believes(segment)
        outcome = self.consequence(before, segment, icmp_arrives(before, believed, now))
        self.tcb = outcome.tcb
        if self.tcb.state in NO_CONNECTION:
            if before.state not in NO_CONNECTION:
                self.alarms.clear()
                self.error = self.reported(name)
        elif ERRORS[name].effect is Effect.SOFT and self.acts_on(before, believed):
            self.report_soft(name)
        elif ERRORS[name].effect is Effect.SIZE and self.acts_on(before, believed):
            self.too_large(believed)

    def report_soft(self, name: str) -> None:
        """RFC 9293 3.9.1.8, 3.9.2.2 SHLD-25."""
        if self.report_errors:
            self.error = self.reported(name)

    def believes(self, segment: Segment) -> Segment:
        """Return the error as it is understood."""
        return segment

    def acts_on(self, before: Tcb, segment: Segment) -> bool:
        """RFC 5927 4.1: only an error about what is in flight."""
        known = before.iss is not None and segment.checksum_ok
        return known and seq.leq(before.snd_una, segment.seq) and seq.lt(segment.seq, before.snd_nxt)

    def consequence(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        """Of what the RFCs allow take what RFC 9293 prefers."""
        return outcomes[0]

    def reported(self, name: str) -> str:
        """Return what the user is told of an error that has ended the connection."""
        return _ERRNO.get(name, "EHOSTUNREACH")

    # -- Path MTU Discovery (RFC 1191, RFC 8201) ----------------------------------------
    def too_large(self, segment: Segment) -> None:
        """Believe it, unless larger datagrams have got through: then the timeout has to bear it out."""
        size = len(segment.data) + FIXED_HEADERS[self.tcb.family]
        wanted = self.next_mtu(segment.envelope.mtu, size)
        if not self.smaller(wanted):
            return
        if self.doubts(wanted):
            self.doubted = segment.seq, wanted
        else:
            self.shrink(wanted)

    def doubts(self, mtu: int) -> bool:
        """RFC 5927 7.2: who forges the error knows that data is in flight, not that it does not arrive."""
        return mtu < self.got_through

    def shrink(self, mtu: int) -> None:
        """Send at once again what did not fit, in segments that do (RFC 1191 6.5)."""
        self.path_mtu = mtu
        tcb = self.tcb
        if tcb.state in SENDING and tcb.snd_una != tcb.snd_nxt:
            self.recover = tcb.snd_nxt
            self.retransmit()

    def next_mtu(self, told: int, size: int) -> int:
        """Return what to use when a datagram of `size` octets was too large: what we are told, if that."""
        if not told and self.tcb.family == 4:
            return next((plateau for plateau in PLATEAUS if plateau < size), LEAST_MTU[4])
        return max(told, LEAST_MTU[4]) if self.tcb.family == 4 else told

    def smaller(self, mtu: int) -> bool:
        """An error only ever lowers the estimate; over IPv6 not below what every link carries."""
        return self.least_mtu() <= mtu < self.path_mtu

    def least_mtu(self) -> int:
        return LEAST_MTU[self.tcb.family]

    def link_mss(self) -> int:
        return super().link_mss() - (MTU - self.path_mtu)

    def sent(self, segment: Segment) -> None:
        super().sent(segment)
        if segment.data:
            headers = FIXED_HEADERS[self.tcb.family] + len(segment.options)
            self.sizes[segment.seq] = headers + len(segment.data)

    def took_new(self, before: Tcb, gained: int) -> None:
        una = self.tcb.snd_una
        passed = [size for start, size in self.sizes.items() if seq.lt(start, una)]
        self.got_through = max(self.got_through, *passed, 0)
        self.sizes = {start: size for start, size in self.sizes.items() if seq.geq(start, una)}
        if self.doubted is not None and seq.gt(una, self.doubted[0]):
            self.doubted = None
        super().took_new(before, gained)

    def retransmission_timeout(self) -> None:
        """RFC 5927 7.2: the data makes no progress, and so the path MTU is believed that was told of it."""
        if self.doubted is not None:
            self.path_mtu, self.doubted = self.doubted[1], None
        super().retransmission_timeout()
