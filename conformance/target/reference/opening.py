"""How the reference's connection opens: its SYN, and TCP Fast Open on either side (RFC 7413)."""

from hashlib import blake2b

from conformance.model import seq
from conformance.model.segment import OPTION_FAST_OPEN, Control, Option, Segment
from conformance.model.state import State
from conformance.oracle.prediction import Form, Prediction
from conformance.oracle.tcb import DEFAULT_MSS, Tcb
from conformance.target.reference.core import ACK, FIN, SYN, Surroundings
from conformance.target.reference.timely import Timely

REOPENED_ISS = 1 << 17
"""How far the ISS of a connection reopened from TIME-WAIT lies beyond the old one (MAY-2)."""
Server = tuple[bytes | None, int]
"""What a client knows of a server: its cookie (empty if it gave none, None if that did not help), its MSS."""
UNKNOWN: Server = b"", 0


class Opening(Timely):
    """Sends SYNs, gives out cookies and takes them back, and has a SYN bring text."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.fast_open = 0
        """How many connections may wait in SYN-RECEIVED whose SYN brought text; 0: that is not offered."""
        self.pending = 0
        """How many of the listener's connections do, when a segment comes."""
        self.cookie_wanted = False
        self.again = False
        """Whether the SYN has been sent again."""
        self.fast_open_connect = 0
        self.server = UNKNOWN
        """What is known of the peer when an active OPEN begins."""
        self.learnt: Server | None = None
        """What the host is to know of it from now on."""

    # -- the server's side (RFC 7413 4.2.2) -----------------------------------------------
    def look_at_cookie(self, before: Tcb, segment: Segment) -> None:
        """Before a SYN is processed: what it asks for, and with what it may bring text."""
        if segment.has(SYN):
            self.cookie_wanted = segment.cookie is not None
            before.cookies = self.good_cookies()

    def good_cookies(self) -> frozenset[bytes] | None:
        """Return those with which a SYN may bring text; None where the user offers nothing of the kind."""
        if not self.fast_open:
            return None
        return frozenset({self.cookie()} if self.may_take_cookie() else ())

    def may_take_cookie(self) -> bool:
        """RFC 7413 4.2: beyond the limit there is no Fast Open until fewer are pending."""
        return self.pending < self.fast_open

    def is_pending(self) -> bool:
        """Whether it is one of PendingFastOpenRequests."""
        return self.tcb.fast_opened and self.tcb.state is State.SYN_RECEIVED

    def cookie(self) -> bytes:
        """RFC 7413 4.1.2: one that an address gets again, and nobody else could make."""
        return blake2b(self.around.flow.tester[0].encode(), digest_size=8, key=b"reference").digest()

    def cookie_given(self) -> list[Option]:
        return [Option(OPTION_FAST_OPEN, self.cookie())]

    def sends(self) -> bool:
        """RFC 7413 4.2.2: what answers the text of a SYN need not wait for the handshake."""
        return super().sends() or (self.tcb.fast_opened and self.tcb.state is State.SYN_RECEIVED)

    def may_send_short(self, idle: bool, whole: bool, room: int) -> bool:
        # The SYN is nothing that a short segment would have to wait for.
        alone = self.tcb.in_flight == 1 and not self.tcb.syn_acked
        return super().may_send_short(idle or alone, whole, room)

    def retransmit_at(self, start: int) -> None:
        if start == self.tcb.iss:
            self.send_syn_again()
        else:
            super().retransmit_at(start)

    def sent(self, segment: Segment) -> None:
        super().sent(segment)
        if segment.has(FIN) and self.tcb.state is State.SYN_RECEIVED:
            self.tcb.state = State.FIN_WAIT_1

    # -- the SYN --------------------------------------------------------------------------
    def syn_options(self, ctl: Control) -> list[Option]:
        found = super().syn_options(ctl)
        if ctl & ACK:
            gives = self.fast_open and self.cookie_wanted and self.may_take_cookie()
            return found + (self.cookie_given() if gives and self.may_have_cookie() else [])
        cookie = self.server[0]
        asks = self.fast_open_connect and cookie is not None and self.may_have_cookie()
        return [*found, Option(OPTION_FAST_OPEN, cookie or b"")] if asks else found

    def may_have_cookie(self) -> bool:
        """RFC 7413 4.2.1, 4.2.2: no SYN that is sent again, for the option may be what had it lost."""
        return not self.again

    def send_syn_again(self) -> None:
        self.again = True
        super().send_syn_again()

    def send_syn(self, form: Form) -> None:
        tcb = self.tcb
        if tcb.iss is None:
            self.again = False
            tcb.choose_iss(self.initial_sequence_number())
            self.timed = seq.add(tcb.iss or 0, 1), self.now
        self.transmit(form.ctl, tcb.iss or 0, self.ack_number(), self.text_of_syn(form))
        self.watch()

    def initial_sequence_number(self) -> int:
        """RFC 9293 3.4.1; MAY-2 (1): a reopened connection begins beyond the old one."""
        fresh = self.around.isn(self.around.flow, self.now)
        old = self.tcb.reopened
        return seq.add(old.snd_nxt, REOPENED_ISS) if old is not None else fresh

    # -- the client's side ----------------------------------------------------------------
    def defers_syn(self) -> bool:
        """Whether the SYN waits for text, which it may bring."""
        return bool(self.fast_open_connect and self.server[0])

    def text_of_syn(self, form: Form) -> bytes:
        """RFC 7413 4.2.2: as much as the server's MSS allows, as far as it is known."""
        if form.ctl & ACK or not self.defers_syn():
            return b""
        return self.tcb.stream[: self.room_on_syn() - len(self.options(SYN))]

    def room_on_syn(self) -> int:
        return min(self.server[1], self.link_mss()) or DEFAULT_MSS[self.tcb.family]

    def owe(self, before: Tcb, segment: Segment, prediction: Prediction) -> None:
        """RFC 7413 4.2.2: what of a SYN's text is not acknowledged goes with the ACK of the SYN,ACK."""
        left = self.text_left() if before.state is State.SYN_SENT else 0
        if not left:
            super().owe(before, segment, prediction)
        while left:
            size = min(self.send_mss, left)
            self.send_text(seq.add(self.tcb.snd_una, self.text_left() - left), size)
            left -= size

    def text_left(self) -> int:
        """Octets of the SYN that were not acknowledged, and for which there is a window."""
        return min(self.tcb.in_flight, self.tcb.snd_wnd)

    def learn(self, before: Tcb, segment: Segment) -> None:
        """RFC 7413 4.1.3, 4.1.3.1: what the SYN,ACK tells for connections to come."""
        if before.state is not State.SYN_SENT or self.tcb.state is not State.ESTABLISHED:
            return
        if segment.cookie:
            self.learnt = segment.cookie, segment.mss or 0
        elif self.tcb.in_flight and self.remembers_failure():
            self.learnt = None, 0

    def remembers_failure(self) -> bool:
        """RFC 7413 4.1.3.1: text that was not acknowledged is not tried again."""
        return True
