"""What every part of the reference's connection stands on: its TCB, its alarms, and how a segment is made.

The oracle's Tcb and its tables say what arriving segments and calls do (RFC 9293 3.10);
the classes here add what an implementation has to decide by itself: what to send and when.
They are one line of inheritance, Core, Receiving, Sending, Reports, Notifying, Timely, Opening,
Endpoint, cut by topic.  Each decision is a method of its own, so that a mutant is a subclass that decides
one thing wrongly.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from conformance.model import seq
from conformance.model.flow import Flow
from conformance.model.segment import (
    OPTION_NOP,
    OPTION_SACK_PERMITTED,
    OPTION_TS,
    OPTION_WS,
    SACK_PERMITTED,
    Control,
    Envelope,
    Option,
    Segment,
    decode_options,
    mss_option,
    timestamps_option,
    window_scale_option,
)
from conformance.model.state import State
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.oracle.tcb import Tcb

ACK, FIN, PSH, RST, SYN = Control.ACK, Control.FIN, Control.PSH, Control.RST, Control.SYN
URG = Control.URG
NO_CONNECTION = frozenset({State.CLOSED, State.LISTEN})
OPENING = frozenset({State.SYN_SENT, State.SYN_RECEIVED})
MTU = 1500
FIXED_HEADERS = {4: 40, 6: 60}
WINDOW_SHIFT = 2
WINDOW_FIELD = 65535


class Alarm(Enum):
    """What a connection waits for."""

    RETRANSMISSION = "RFC 6298 5; RFC 9293 3.8.6.1 while the window is closed"
    OVERRIDE = "RFC 9293 3.8.6.2.1 (4)"
    DELAYED_ACK = "RFC 9293 3.8.6.3"
    TIME_WAIT = "RFC 9293 3.4.2, 3.10.8"
    ORPHAN = "RFC 9293 3.10.8: FIN-WAIT-2 without a user"
    KEEP_ALIVE = "RFC 9293 3.8.4"
    PROBE = "RFC 8985 7.2"
    REORDERING = "RFC 8985 6.2 step 5"


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set for the whole host.

    `buffer` is the size of a receive buffer in octets; `ecn` has every active OPEN offer ECN, `rfc1337` has
    a RST in TIME-WAIT ignored (RFC 1337 3, F1).  `orphan` is for how many seconds a connection whose user is
    gone waits for the peer's FIN, `challenge_pause` the least time between two challenge ACKs.
    `profile` is which RFC it follows where they contradict each other.
    """

    buffer: int = 131072
    ecn: bool = False
    rfc1337: bool = False
    orphan: float = 60.0
    challenge_pause: float = 0.0
    profile: Profile = DEFAULT_PROFILE


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connection needs of the host: its sockets, its wire, its user, its settings.

    `isn` draws an initial sequence number (RFC 9293 3.4.1).
    """

    flow: Flow
    emit: Callable[[Flow, Segment], None]
    isn: Callable[[Flow, float], int]
    settings: Settings


class Core:
    """The TCB, the alarms, and the making of segments."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        self.tcb = tcb
        self.around = around
        self.resets = tcb
        """The connection that a RST is for, as it was: by then the TCB is deleted."""
        self.now = 0.0
        self.alarms: dict[Alarm, float] = {}
        self.promised: int | None = None
        """The right edge of the window as last decided; a scaled window field may tell a bit less."""
        self.ttl, self.tos = 64, 0
        """What the user wants in the IP header (RFC 9293 3.9.1.9, 3.9.2)."""
        self.user_route = self.return_route = ""
        """Words for source routes, or what the user has recorded on the way (model.flow)."""
        self.ident = 0
        self.copies: dict[int, Segment] = {}
        """What was last sent from each sequence number on."""
        self.user_mss = 0
        """The largest segment that the user wants to get; 0 for whatever the link carries."""

    # -- alarms -------------------------------------------------------------------------
    def arm(self, alarm: Alarm, after: float) -> None:
        self.alarms[alarm] = self.now + after

    def disarm(self, alarm: Alarm) -> None:
        self.alarms.pop(alarm, None)

    @property
    def deadline(self) -> float | None:
        """When the first alarm goes off."""
        return min(self.alarms.values(), default=None)

    # -- segments -----------------------------------------------------------------------
    def transmit(self, ctl: Control, sequence: int, acknowledged: int, data: bytes = b"") -> None:
        """Send one segment, with the options and the window that it is to have."""
        urgent = None if ctl & (SYN | RST) else self.urgent_pointer(seq.wrap(sequence))
        plain = Segment(
            seq.wrap(sequence),
            seq.wrap(acknowledged) if ctl & ACK else 0,
            ctl if urgent is None else ctl | URG,
            self.window_field(ctl),
            urp=urgent or 0,
            data=data,
            options=self.options(ctl),
            ttl=self.ttl,
            tos=self.tos,
            envelope=Envelope(route=self.source_route()),
        )
        segment = self.identified(self.marked(plain))
        self.sent(segment)
        self.around.emit(self.sockets(), self.finished(segment))

    def identified(self, segment: Segment) -> Segment:
        """RFC 9293 3.8.1 MAY-4: an identical copy has the Identification of the first."""
        copy = self.copies.get(segment.seq)
        if copy is None or replace(copy, ident=0) != segment:
            copy = self.copies[segment.seq] = replace(segment, ident=self.next_ident())
        return copy

    def next_ident(self) -> int:
        self.ident = self.ident % 0xFFFF + 1
        return self.ident

    def sockets(self) -> Flow:
        """RFC 9293 3.9.1.1 MUST-45: the local address is the same in all segments."""
        return self.around.flow

    def marked(self, segment: Segment) -> Segment:
        """Return the segment with what ECN has to say in it (RFC 3168)."""
        return segment

    def urgent_pointer(self, sequence: int) -> int | None:
        """RFC 9293 3.8.5: how far it is to the end of the urgent data; None where there is none to come."""
        return next(iter(self.tcb.urgent_pointers(sequence)), None)

    def source_route(self) -> str:
        """RFC 9293 3.9.2.1: the user's, or else the one that came."""
        return self.user_route or self.return_route

    def finished(self, segment: Segment) -> Segment:
        """Return the segment as it goes on the wire."""
        return segment

    def sent(self, segment: Segment) -> None:
        """Note what a segment that has been sent tells the peer."""
        tcb = self.tcb
        if segment.has(RST):
            return
        if segment.has(SYN):
            self.note_syn(segment)
        if segment.length and seq.gt(segment.end, tcb.snd_nxt):
            tcb.snd_nxt = segment.end
        tcb.fin_sent = tcb.fin_sent or segment.has(FIN)
        if segment.has(ACK):
            scaled = self.scaled and not segment.has(SYN)
            field = segment.wnd << (tcb.rcv_scale or 0 if scaled else 0)
            tcb.rcv_edge = seq.add(segment.ack, field)
            tcb.last_ack, tcb.last_window = segment.ack, segment.wnd
            self.acknowledged_all()

    def note_syn(self, segment: Segment) -> None:
        """The options of our SYN are in force if the peer's SYN has them, too."""
        self.tcb.rcv_scale = segment.window_scale
        self.tcb.ecn_told |= {segment.ecn_setup}
        self.tcb.answered = frozenset(option.kind for option in decode_options(segment.options)[0])

    def acknowledged_all(self) -> None:
        """A segment with the newest ACK has left."""
        self.disarm(Alarm.DELAYED_ACK)

    # -- the window ---------------------------------------------------------------------
    @property
    def scaled(self) -> bool:
        """Whether both SYNs had a window scale option (RFC 7323 2.2)."""
        return self.tcb.snd_scale is not None and self.tcb.rcv_scale is not None

    def free(self) -> int:
        """Octets that the receive buffer has room for."""
        return self.around.settings.buffer

    def window(self) -> int:
        """Return RCV.WND: never less than was promised, and more only when it is worth it."""
        nxt = self.tcb.rcv_nxt
        limit = WINDOW_FIELD << (self.tcb.rcv_scale or 0 if self.scaled else 0)
        edge = seq.add(nxt, min(self.free(), limit))
        if self.promised is None or self.worth_telling(seq.diff(edge, self.promised)):
            self.promised = edge
        return max(0, min(seq.diff(self.promised, nxt), limit))

    def worth_telling(self, gain: int) -> bool:
        """RFC 9293 3.8.6.2.2: against silly windows the edge moves by a segment or half the buffer."""
        return gain >= min(self.around.settings.buffer // 2, self.receive_mss)

    def window_field(self, ctl: Control) -> int:
        if ctl & RST:
            return 0
        if ctl & SYN:
            return self.syn_window()
        return self.window() >> self.window_shift()

    def syn_window(self) -> int:
        """RFC 7323 2.2: the window in a SYN is not scaled."""
        field = min(self.around.settings.buffer, WINDOW_FIELD)
        if self.tcb.state is not State.SYN_SENT:
            self.promised = seq.add(self.tcb.rcv_nxt, field)
        return field

    def window_shift(self) -> int:
        return (self.tcb.rcv_scale or 0) if self.scaled else 0

    # -- options ------------------------------------------------------------------------
    @property
    def receive_mss(self) -> int:
        """The MSS that we announce: the MTU less the fixed headers (RFC 9293 3.7.1), or less."""
        usual = MTU - FIXED_HEADERS[self.tcb.family]
        return min(self.user_mss or usual, usual)

    def options(self, ctl: Control) -> bytes:
        """Return the options of a segment, padded in front to whole words."""
        if ctl & RST:
            found = self.reset_options(ctl)
        else:
            found = self.syn_options(ctl) if ctl & SYN else self.plain_options()
        octets = b"".join(option.encode() for option in found)
        return bytes([OPTION_NOP]) * (-len(octets) % 4) + octets

    def syn_options(self, ctl: Control) -> list[Option]:
        """An own SYN offers all; one that answers a SYN has what that offered."""
        found = [mss_option(self.receive_mss)]
        if self.answers(OPTION_SACK_PERMITTED):
            found.append(SACK_PERMITTED)
        if self.answers(OPTION_TS):
            found.append(self.timestamps_now(ctl))
        if self.answers(OPTION_WS):
            found.append(window_scale_option(WINDOW_SHIFT))
        return found

    def answers(self, kind: int) -> bool:
        """Tell whether our SYN has an option of this kind (RFC 9293 3.2; RFC 7323 2.2, 3.2)."""
        return self.tcb.state is State.SYN_SENT or kind in self.tcb.offered

    def reset_options(self, ctl: Control) -> list[Option]:
        """RFC 7323 3.2: a RST should have timestamps, and TSecr only where it has an ACK."""
        if not self.resets.negotiated(OPTION_TS):
            return []
        return [timestamps_option(self.timestamp_clock(), self.resets.ts_recent if ctl & ACK else 0)]

    def plain_options(self) -> list[Option]:
        return [self.timestamps_now(ACK)] if self.tcb.negotiated(OPTION_TS) else []

    def timestamps_now(self, ctl: Control) -> Option:
        """RFC 7323 3.2: our clock in milliseconds, and TS.Recent where there is an ACK."""
        return timestamps_option(self.timestamp_clock(), self.timestamp_echo() if ctl & ACK else 0)

    def timestamp_clock(self) -> int:
        return (int(self.now * 1000) + 1) % seq.MODULUS

    def timestamp_echo(self) -> int:
        return self.tcb.ts_recent
