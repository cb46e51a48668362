"""The transmission control block of the target, as RFC 9293 3.3.1 names its variables."""

from dataclasses import dataclass, field, fields
from operator import attrgetter

from conformance.model import seq
from conformance.model.segment import (
    OPTION_SACK_PERMITTED,
    OPTION_TS,
    OPTION_WS,
    Control,
    Segment,
    decode_options,
)
from conformance.model.state import State
from conformance.oracle.latitude import FOLLOWING, Pointing

ASSUMED_WINDOW = 65535
"""The window of a target that has not advertised one yet."""
DEFAULT_MSS = {4: 536, 6: 1220}
"""What a SYN without the option means (RFC 9293 3.7.1, MUST-15)."""
MAX_SHIFT = 14
"""The largest window scale there is (RFC 7323 2.3)."""
MAX_TIMESTAMPS = 64
MAX_POINTER = 0xFFFF
"""What the urgent pointer can say at most, of urgent data that ends further on."""


@dataclass(slots=True)
class Tcb:
    """The target's connection as the wire and the calls show it.

    `iss` is None until the target's SYN has been seen.  `stream` is all that the user has
    sent, octet 0 of it at ISS+1.  Unless `user_known`, nobody tells what the user calls: it
    may SEND and CLOSE at will, and what is sent shows that it did.
    `rcv_edge` is the right edge last advertised.
    `offered_edge` is the furthest right edge that the tester ever offered.
    `held` are the (start, end) of out-of-order octets, `held_fin` a FIN that waits there.
    """

    state: State
    passive: bool
    listening: bool = False
    family: int = 4
    iss: int | None = None
    snd_una: int = 0
    snd_nxt: int = 0
    snd_wnd: int = 0
    snd_wl1: int = 0
    snd_wl2: int = 0
    max_snd_wnd: int = 0
    offered_edge: int | None = None
    snd_mss: int = 536
    stream: bytes = b""
    user_known: bool = True
    pointing: Pointing = FOLLOWING
    urgent: tuple[int, ...] = ()
    """How many octets of `stream` there were after each urgent SEND: SND.UP-ISS-1."""
    fin_queued: bool = False
    fin_sent: bool = False
    irs: int = 0
    rcv_nxt: int = 0
    rcv_up: int | None = None
    """RCV.UP, the octet after the urgent data, whatever the pointer points to; None before the first one."""
    oob_inline: bool = True
    """Whether the user has all urgent data in the stream, or the last octet of it out of band."""
    urgent_taken: int | None = None
    """RCV.UP when the user took the octet before it out of band."""
    rcv_edge: int | None = None
    last_ack: int | None = None
    last_window: int | None = None
    held: tuple[tuple[int, int], ...] = ()
    held_fin: int | None = None
    joined: tuple[int, int] | None = None
    """From where to where the last segment let RCV.NXT move, if it joined what was held."""
    brought: int | None = None
    """Where the last segment ended, if RCV.NXT moved further over what was held."""
    fin_received: bool = False
    unread: int = 0
    user_gone: bool = False
    keepalive: bool = False
    keepalive_octet: bool = False
    """Whether the user wants a garbage octet in keep-alives (RFC 9293 3.8.4 MAY-6)."""
    offered: frozenset[int] = field(default_factory=frozenset)
    """Option kinds in the tester's SYN."""
    answered: frozenset[int] = field(default_factory=frozenset)
    """Option kinds in the target's SYN."""
    ts_recent: int = 0
    """TS.Recent of RFC 7323 4.3."""
    ts_seen: tuple[int, ...] = ()
    """TSvals that the target has accepted, the last few: what TSecr may echo."""
    snd_scale: int | None = None
    """The shift the tester offered; in force when `rcv_scale` is set too."""
    rcv_scale: int | None = None
    ecn_heard: frozenset[bool] = field(default_factory=frozenset)
    """Of the tester's SYNs, whether they were ECN-setup ones (RFC 3168 6.1.1)."""
    ecn_told: frozenset[bool] = field(default_factory=frozenset)
    """Of the target's SYNs, likewise."""
    cookies: frozenset[bytes] | None = None
    """The cookies with which a SYN may bring text; None where the user offers no Fast Open (RFC 7413 4.2)."""
    fast_opened: bool = False
    """Whether the SYN was taken as Fast Open has it: its text is the user's at once (RFC 7413 4.2.2)."""
    defers_syn: bool = False
    """Whether the SYN of an OPEN may wait for the first SEND, to have its text (RFC 7413 4.2.2)."""
    reopened: "Tcb | None" = None
    """The connection in TIME-WAIT that this one, in SYN-RECEIVED, would take the place of."""

    def copy(self) -> "Tcb":
        return Tcb(*_values(self))

    def negotiated(self, kind: int) -> bool:
        """Whether both SYNs had the option."""
        return kind in self.offered and kind in self.answered

    # -- sending ----------------------------------------------------------------------
    def choose_iss(self, iss: int) -> None:
        """The target's SYN has shown ISS: RFC 9293 3.10.1, 3.10.7.2."""
        self.iss = iss
        self.snd_una = iss
        self.snd_nxt = seq.add(iss, 1)
        if self.fast_opened:
            self.offered_edge = seq.add(self.snd_nxt, self.snd_wnd)

    @property
    def stream_end(self) -> int:
        """The sequence number after the last octet that the user has sent."""
        return seq.add((self.iss or 0) + 1, len(self.stream))

    def urgent_pointers(self, sequence: int) -> list[int]:
        """What may be the urgent pointer of a segment with this SEQ, the right one first.

        That is the way to the newest urgent data, or to urgent data before it (RFC 9293 3.10.2,
        3.8.5); there is none where all of it is behind.
        """
        sent = seq.diff(sequence, seq.add(self.iss or 0, 1))
        ways = [end - 1 - sent for end in reversed(self.urgent) if end > sent]
        return [min(way + past, MAX_POINTER) for way in ways for past in self.pointing.past]

    @property
    def unsent(self) -> int:
        """Octets that the user has sent and the target has not."""
        if self.iss is None:
            return len(self.stream)
        return max(0, seq.diff(self.stream_end, self.snd_nxt))

    @property
    def in_flight(self) -> int:
        """FlightSize (RFC 5681 2): octets sent and not acknowledged, a SYN and a FIN among them."""
        return seq.diff(self.snd_nxt, self.snd_una)

    @property
    def usable_window(self) -> int:
        """SND.UNA+SND.WND-SND.NXT, negative after the window has shrunk (RFC 9293 3.8.6)."""
        return seq.diff(seq.add(self.snd_una, self.snd_wnd), self.snd_nxt)

    @property
    def syn_acked(self) -> bool:
        return self.iss is not None and self.snd_una != self.iss

    @property
    def fin_acked(self) -> bool:
        return self.fin_sent and self.snd_una == self.snd_nxt

    def octets(self, start: int, count: int) -> bytes:
        """Return the user's octets from sequence number `start` on (fewer past the end)."""
        offset = seq.diff(start, seq.add(self.iss or 0, 1))
        return self.stream[max(offset, 0) : max(offset + count, 0)]

    def take_ack(self, segment: Segment) -> None:
        """SND.UNA and the send window (RFC 9293 3.10.7.4 fifth, ESTABLISHED)."""
        if seq.gt(segment.ack, self.snd_nxt):
            return
        if seq.gt(segment.ack, self.snd_una):
            self.snd_una = segment.ack
        if seq.leq(self.snd_una, segment.ack) and (
            seq.lt(self.snd_wl1, segment.seq)
            or (self.snd_wl1 == segment.seq and seq.leq(self.snd_wl2, segment.ack))
            or self.offered_edge is None
        ):
            self.update_window(segment)

    def update_window(self, segment: Segment) -> None:
        """RFC 9293 3.10.7.4 fifth: SND.WND, SND.WL1 and SND.WL2, and the edge offered."""
        shift = (self.snd_scale or 0) if self.rcv_scale is not None else 0
        self.snd_wnd = segment.wnd << (0 if segment.has(segment.ctl.SYN) else shift)
        self.snd_wl1, self.snd_wl2 = segment.seq, segment.ack
        self.max_snd_wnd = max(self.max_snd_wnd, self.snd_wnd)
        edge = seq.add(self.snd_una, self.snd_wnd)
        self.offered_edge = edge if self.offered_edge is None else seq.latest(self.offered_edge, edge)

    # -- receiving --------------------------------------------------------------------
    @property
    def rcv_wnd(self) -> int:
        if self.rcv_edge is None:
            return ASSUMED_WINDOW
        return max(0, seq.diff(self.rcv_edge, self.rcv_nxt))

    @property
    def urgent_mode(self) -> bool:
        """Whether RCV.UP is in advance of the data consumed (RFC 9293 3.8.5, 3.10.7.4 sixth)."""
        return self._urgent_ahead > 0

    @property
    def _urgent_ahead(self) -> int:
        """Octets that the user is still to receive up to RCV.UP; none if it took the last one out of band."""
        if self.rcv_up is None or (not self.oob_inline and self.rcv_up == self.urgent_taken):
            return 0
        return max(0, seq.diff(self.rcv_up, seq.add(self.rcv_nxt, -self.unread - self.fin_received)))

    @property
    def mark(self) -> int | None:
        """Octets that the user is still to receive before the one that is out of band; None where none is."""
        return self._urgent_ahead - 1 if self._urgent_ahead and not self.oob_inline else None

    def receive(self, count: int) -> None:
        """The user receives so many octets of the stream, and passes over one that is out of band."""
        passed = self.mark is not None and self.mark < min(count, self.unread)
        self.unread = max(0, self.unread - count - passed)

    def receive_urgent(self) -> None:
        """The user takes the octet that is out of band, which nobody receives in the stream any more."""
        if self.mark is not None and self.mark < self.unread:
            self.urgent_taken, self.unread = self.rcv_up, self.unread - 1

    def take_urgent_pointer(self, segment: Segment) -> None:
        """RFC 9293 3.10.7.4 sixth: RCV.UP <- max(RCV.UP,SEG.UP)."""
        pointer = seq.add(segment.seq, segment.urp + 1 - self.pointing.past[0])
        self.rcv_up = pointer if self.rcv_up is None else seq.latest(self.rcv_up, pointer)

    def acceptable(self, segment: Segment) -> bool:
        """The four cases of RFC 9293 3.10.7.4, Table 6."""
        window = self.rcv_wnd
        if segment.length == 0:
            if window == 0:
                return segment.seq == self.rcv_nxt
            return seq.in_window(segment.seq, self.rcv_nxt, window)
        if window == 0:
            return False
        last = seq.add(segment.seq, segment.length - 1)
        return seq.in_window(segment.seq, self.rcv_nxt, window) or seq.in_window(last, self.rcv_nxt, window)

    def take_syn(self, segment: Segment) -> None:
        """RCV.NXT, IRS, the send window and the options of the tester's SYN."""
        self.irs = segment.seq
        self.rcv_nxt = seq.add(segment.seq, 1)
        self.snd_wnd = self.max_snd_wnd = segment.wnd
        self.snd_wl1, self.snd_wl2 = segment.seq, segment.ack
        self.snd_mss = segment.mss or DEFAULT_MSS[self.family]
        if segment.window_scale is not None:
            self.snd_scale = min(segment.window_scale, MAX_SHIFT)
        if segment.timestamps is not None:
            self.ts_recent = segment.timestamps[0]
            self.ts_seen = (self.ts_recent,)
        self.ecn_heard |= {segment.ecn_setup}
        kinds = (option.kind for option in decode_options(segment.options)[0])
        self.offered = frozenset(kinds) & {OPTION_WS, OPTION_SACK_PERMITTED, OPTION_TS}

    def take_timestamp(self, segment: Segment) -> None:
        """TS.Recent, from a segment that spans Last.ACK.sent (RFC 7323 4.3 (2))."""
        stamps = segment.timestamps
        if stamps is None or segment.has(Control.RST):
            return
        self.ts_seen = (*self.ts_seen, stamps[0])[-MAX_TIMESTAMPS:]
        if self.last_ack is None or seq.leq(segment.seq, self.last_ack):
            self.ts_recent = stamps[0]

    def hold(self, segment: Segment) -> None:
        """Queue a segment's text, cut to the window, and its FIN (RFC 9293 3.10.7.4 first, SHLD-31)."""
        start = seq.add(segment.seq, segment.has(Control.SYN))
        end = seq.add(start, len(segment.data))
        if self.rcv_edge is not None and seq.gt(end, self.rcv_edge):
            end = self.rcv_edge
        elif segment.has(Control.FIN):
            self.held_fin = end
        if seq.lt(start, end):
            self.held = (*self.held, (start, end))

    def take_in_order(self) -> int:
        """Advance RCV.NXT over what is now in sequence; return the octets gained."""
        before, pieces = self.rcv_nxt, 0
        moved = True
        while moved:
            moved = False
            for start, end in self.held:
                if seq.leq(start, self.rcv_nxt) and seq.gt(end, self.rcv_nxt):
                    self.rcv_nxt = end
                    pieces += 1
                    moved = True
        self.held = tuple(item for item in self.held if seq.gt(item[1], self.rcv_nxt))
        gained = seq.diff(self.rcv_nxt, before)
        self.joined = (before, self.rcv_nxt) if pieces > 1 else None
        self.unread += gained
        return gained

    def delete(self) -> "Tcb":
        """Return what is left when the TCB is deleted: CLOSED, or the listener behind it."""
        return self.opened(State.CLOSED, self.passive)

    def opened(self, state: State, passive: bool) -> "Tcb":
        """Return a new connection's TCB on the same sockets."""
        return Tcb(
            state,
            passive,
            listening=self.listening,
            family=self.family,
            user_known=self.user_known,
            pointing=self.pointing,
            oob_inline=self.oob_inline,
            cookies=self.cookies,
            defers_syn=self.defers_syn,
        )


_values = attrgetter(*(item.name for item in fields(Tcb)))
