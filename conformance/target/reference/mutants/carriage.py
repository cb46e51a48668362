"""How IP carries a segment, taken wrongly; and what is to be in the IP header of one's own."""

from dataclasses import replace

from conformance.model.flow import RECORDS, Flow, other
from conformance.model.segment import USUAL, Control, Envelope, Segment
from conformance.model.state import State
from conformance.target.base import ADDRESSES
from conformance.target.reference.core import OPENING
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("source-not-checked", "RFC 9293 3.9.2.3 MUST-63")
class SourceNotChecked(Endpoint):
    """Answers whatever the source address is."""

    def may_send(self, source: str) -> bool:
        return True


@mutant("own-address-accepted", "RFC 9293 3.9.2.3 MUST-63")
class OwnAddressAccepted(Endpoint):
    """Believes that a SYN comes from itself, as in the LAND attack."""

    def may_send(self, source: str) -> bool:
        return source == "target" or super().may_send(source)


@mutant("multicast-source-accepted", "RFC 9293 3.9.2.3 MUST-63")
class MulticastSourceAccepted(Endpoint):
    """Checks the source address for broadcast, not for multicast."""

    def may_send(self, source: str) -> bool:
        return source == "multicast" or super().may_send(source)


@mutant("unspecified-source-accepted", "RFC 9293 3.9.2.3 MUST-63")
class UnspecifiedSourceAccepted(Endpoint):
    """Checks the source address for groups only."""

    def may_send(self, source: str) -> bool:
        return source in ("loopback", "unspecified") or super().may_send(source)


@mutant("destination-not-checked", "RFC 9293 3.9.2.3 MUST-57")
class DestinationNotChecked(Endpoint):
    """Takes what is addressed to everybody for its own."""

    def admits(self, envelope: Envelope) -> bool:
        return self.may_send(envelope.source)


@mutant("broadcast-destination-accepted", "RFC 9293 3.9.2.3 MUST-57")
class BroadcastDestinationAccepted(Endpoint):
    """Checks for multicast, not for broadcast."""

    def admits(self, envelope: Envelope) -> bool:
        return envelope.destination == "broadcast" or super().admits(envelope)


@mutant("address-not-compared", "RFC 9293 3.4.1")
class AddressNotCompared(Endpoint):
    """Tells its connections apart by the ports alone."""

    def claims(self, flow: Flow) -> bool:
        own = self.around.flow
        return (flow.tester[1], flow.target[1]) == (own.tester[1], own.target[1])


@mutant("ttl-one-dropped", "RFC 1122 3.2.1.7")
class TtlOneDropped(Endpoint):
    """Counts the TTL down before it looks for whom a segment is."""

    def parse(self, segment: Segment) -> Segment | None:
        return super().parse(segment) if segment.ttl > 1 else None


@mutant("ttl-security", "RFC 1122 3.2.1.7")
class TtlSecurity(Endpoint):
    """Takes only what has come from near, going by an initial TTL of 64."""

    def parse(self, segment: Segment) -> Segment | None:
        return super().parse(segment) if 32 < segment.ttl <= 64 or segment.ttl == 1 else None


@mutant("ip-options-refused", "RFC 9293 3.9.2 MUST-50")
class IpOptionsRefused(Endpoint):
    """Drops datagrams with IP options."""

    def admits(self, envelope: Envelope) -> bool:
        return super().admits(envelope) and not envelope.options


@mutant("fragments-refused", "RFC 1122 3.3.2")
class FragmentsRefused(Endpoint):
    """Does not reassemble."""

    def admits(self, envelope: Envelope) -> bool:
        return super().admits(envelope) and envelope.fragment is None


@mutant("tiny-fragments-refused", "RFC 1122 3.3.2")
class TinyFragmentsRefused(Endpoint):
    """Wants the whole TCP header in the first fragment."""

    def admits(self, envelope: Envelope) -> bool:
        return super().admits(envelope) and (envelope.fragment or 24) >= 24


@mutant("reassembled-checksum-not-checked", "RFC 9293 3.1 MUST-3")
class ReassembledChecksumNotChecked(Endpoint):
    """Takes what it has reassembled itself for sound."""

    def parse(self, segment: Segment) -> Segment | None:
        if segment.envelope.fragment is None:
            return super().parse(segment)
        return Segment(segment.seq, segment.ack, segment.ctl, segment.wnd, data=segment.data)


@mutant("ttl-fixed", "RFC 9293 3.9.2 MUST-49")
class TtlFixed(Endpoint):
    """Sends with a TTL of 64 whatever the user wants."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, ttl=64)


@mutant("diffserv-fixed", "RFC 9293 3.9.1.9 MUST-48")
class DiffservFixed(Endpoint):
    """Sends with the default codepoint whatever the user wants."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, tos=segment.ecn)


@mutant("diffserv-not-on-acks", "RFC 9293 3.9.1.9 SHLD-22")
class DiffservNotOnAcks(Endpoint):
    """Sends pure ACKs with the default codepoint."""

    def finished(self, segment: Segment) -> Segment:
        if segment.data or segment.ctl != Control.ACK:
            return super().finished(segment)
        return replace(segment, tos=segment.ecn)


@mutant("diffserv-cannot-change", "RFC 9293 3.9.1.9 SHLD-21")
class DiffservCannotChange(Endpoint):
    """Keeps the first codepoint that it is given."""

    first = 0

    def finished(self, segment: Segment) -> Segment:
        self.first = self.first or self.tos
        return replace(segment, tos=self.first | segment.ecn)


@mutant("diffserv-of-the-peer", "RFC 9293 3.9.1.9")
class DiffservOfThePeer(Endpoint):
    """Sends back the codepoint that it has received."""

    def parse(self, segment: Segment) -> Segment | None:
        self.tos = self.tos or segment.tos
        return super().parse(segment)


@mutant("source-route-not-returned", "RFC 9293 3.9.2.1 MUST-53")
class SourceRouteNotReturned(Endpoint):
    """Answers straight whatever way the SYN came."""

    def keep_route(self, route: str) -> None:
        pass


@mutant("first-source-route-kept", "RFC 9293 3.9.2.1 SHLD-24")
class FirstSourceRouteKept(Endpoint):
    """Keeps to the first source route that came."""

    def keep_route(self, route: str) -> None:
        self.return_route = self.return_route or route


@mutant("user-source-route-ignored", "RFC 9293 3.9.2.1 MUST-51")
class UserSourceRouteIgnored(Endpoint):
    """Takes no source route from its user."""

    def source_route(self) -> str:
        return self.return_route


@mutant("received-source-route-first", "RFC 9293 3.9.2.1 MUST-52")
class ReceivedSourceRouteFirst(Endpoint):
    """Lets a source route that came go before its user's."""

    def source_route(self) -> str:
        return self.return_route or self.user_route


@mutant("user-ip-options-refused", "RFC 9293 3.9.2 MAY-10, MAY-11")
class UserRecordRefused(Endpoint):
    """Takes source routes from its user, and no other IP option."""

    def source_route(self) -> str:
        return super().source_route() if self.user_route not in RECORDS else ""


@mutant("user-ip-options-on-syn-only", "RFC 9293 3.9.2 MAY-10, MAY-11")
class UserRecordOnSynOnly(Endpoint):
    """Has recorded what its user wants recorded of the way of the first segment alone."""

    def finished(self, segment: Segment) -> Segment:
        if segment.has(Control.SYN) or segment.envelope.route not in RECORDS:
            return super().finished(segment)
        return replace(segment, envelope=USUAL)


@mutant("local-address-ignored", "RFC 9293 3.9.1.1 MUST-43")
class LocalAddressIgnored(Endpoint):
    """Sends from its first address, whichever one its user names or its peer speaks to."""

    def sockets(self) -> Flow:
        first = ADDRESSES[self.around.flow.family][1]
        return replace(self.around.flow, target=(first, self.around.flow.target[1]))


@mutant("local-address-forgotten", "RFC 9293 3.9.1.1 MUST-45")
class LocalAddressForgotten(Endpoint):
    """Sends from its first address once the connection is open."""

    def sockets(self) -> Flow:
        flow = self.around.flow
        opening = self.tcb.state in OPENING or self.tcb.state is State.CLOSED
        return flow if opening else replace(flow, target=(ADDRESSES[flow.family][1], flow.target[1]))


@mutant("local-address-at-random", "RFC 9293 3.9.1.1 MUST-44, MUST-45")
class LocalAddressAtRandom(Endpoint):
    """Sends each segment from another of its addresses."""

    turn = False

    def sockets(self) -> Flow:
        self.turn = not self.turn
        flow = self.around.flow
        return flow if self.turn else replace(flow, target=(other(flow.target[0]), flow.target[1]))


@mutant("identification-always-new", "RFC 9293 3.8.1 MAY-4")
class IdentificationAlwaysNew(Endpoint):
    """Gives each datagram an Identification of its own, identical copies, too."""

    def identified(self, segment: Segment) -> Segment:
        return replace(segment, ident=self.next_ident())
