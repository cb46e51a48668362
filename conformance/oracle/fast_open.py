"""TCP Fast Open (RFC 7413): whose SYN may bring text that counts at once, and how much of it did."""

from dataclasses import dataclass, field, replace

from conformance.model import seq
from conformance.model.segment import Control, Segment
from conformance.model.state import State
from conformance.oracle.prediction import Violation
from conformance.oracle.tables import FIN_ARRIVES
from conformance.oracle.tcb import Tcb

ACK, SYN = Control.ACK, Control.SYN


@dataclass(slots=True)
class Cookies:
    """What was seen of Fast Open at a listener; all connections of a case that it has share this.

    A cookie is for an address, not for a port (RFC 7413 4.1.2), and only the target knows what it
    is worth.  So it may take any that it has given to the tester's address, and must take no other.
    """

    offered: bool = False
    """Whether the user has asked for Fast Open."""
    given: set[bytes] = field(default_factory=set)

    def known(self, tcb: Tcb) -> frozenset[bytes] | None:
        """Return what a SYN to this listener may have; None where its user does not offer Fast Open."""
        return frozenset(self.given) if self.offered or not tcb.user_known else None

    def note(self, segment: Segment) -> None:
        """Take in a segment of the target."""
        if segment.has(SYN) and segment.has(ACK) and segment.cookie:
            self.given.add(segment.cookie)


def opened(tcb: Tcb, segment: Segment) -> Tcb | None:
    """Return the connection, new in SYN-RECEIVED, if the SYN's cookie is valid: its text is the user's."""
    if segment.cookie not in (tcb.cookies or ()):
        return None
    taken = tcb.copy()
    taken.fast_opened = True
    taken.hold(segment)
    taken.take_in_order()
    return taken


def take_up_to(tcb: Tcb, ack: int) -> None:
    """The first SYN,ACK tells how much of the SYN's text there was room for, and of a FIN behind it."""
    if seq.lt(seq.add(tcb.irs, 1), ack) and seq.lt(ack, tcb.rcv_nxt):
        tcb.unread -= seq.diff(tcb.rcv_nxt, ack)
        tcb.rcv_nxt, tcb.held_fin = ack, None
    elif tcb.held_fin == tcb.rcv_nxt and seq.diff(ack, tcb.rcv_nxt) == 1:
        tcb.rcv_nxt, tcb.held_fin, tcb.fin_received = ack, None, True
        tcb.state = FIN_ARRIVES[State.SYN_RECEIVED].next or tcb.state


def may_show(tcb: Tcb) -> frozenset[State]:
    """Return states that it may be in as well, as long as its SYN is not acknowledged.

    A CLOSE after a SEND may wait for that or not (RFC 9293 3.10.4), and so may a FIN that came with the SYN.
    """
    if not tcb.fast_opened or tcb.syn_acked:
        return frozenset()
    if tcb.state is State.SYN_RECEIVED and tcb.fin_queued:
        return frozenset({State.FIN_WAIT_1})
    return frozenset({State.SYN_RECEIVED}) if tcb.state is State.CLOSE_WAIT else frozenset()


def text_of(segment: Segment) -> Segment:
    """Return what a SYN carries, as the segment that it would be without the SYN."""
    return replace(segment, seq=seq.add(segment.seq, 1), ctl=segment.ctl & ~SYN)


def unasked(tcb: Tcb, segment: Segment) -> Violation | None:
    """A server gives cookies only where its user has turned Fast Open on (RFC 7413 4.2)."""
    if not (tcb.passive and segment.cookie) or tcb.cookies is not None:
        return None
    return Violation("a Fast Open cookie, but the user does not offer Fast Open", "RFC 7413 4.2", "OPT")


def too_early(tcb: Tcb) -> Violation | None:
    """Until its SYN is acknowledged a server has sent nothing else, but for Fast Open (RFC 7413 4.2.2)."""
    if tcb.state is not State.SYN_RECEIVED or not tcb.passive or tcb.fast_opened:
        return None
    return Violation("data before the connection is established", "RFC 9293 3.10.2", "DATA")
