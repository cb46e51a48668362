"""One end of a recorded connection: what it has been seen to send, and so to offer and acknowledge.

All numbers are offsets from the ISN of the end that they belong to, not modulo 2**32: octet 0 of a
stream has offset 1.  Where the SYN is not in the capture the offsets begin at what was seen first.
"""

from dataclasses import dataclass, field
from enum import Enum

from conformance.model import seq
from conformance.model.recorded import Address, Recorded
from conformance.model.segment import OPTION_TS, Control
from conformance.oracle.offline.ranges import Octets, Ranges
from conformance.oracle.tcb import MAX_SHIFT

REMEMBERED = 1 << 20
"""Octets of each direction that are kept to compare retransmissions with."""
_STRAYS = 64


class Order(Enum):
    """Whether an end sent a segment before or after another one of its own."""

    BEFORE = "before"
    AFTER = "after"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells when its sender sent a segment: its timestamp and IP identification."""

    tsval: int | None
    ident: int | None

    @classmethod
    def of(cls, recorded: Recorded) -> "Mark":
        stamps = recorded.segment.timestamps
        return cls(stamps[0] if stamps else None, recorded.ident or None)

    def order(self, earlier: "Mark") -> Order:
        """Tell whether this was sent after `earlier`, which the capture has first."""
        if self.tsval is not None and earlier.tsval is not None and self.tsval != earlier.tsval:
            return Order.AFTER if seq.gt(self.tsval, earlier.tsval) else Order.BEFORE
        if self.ident and earlier.ident and 0 < (earlier.ident - self.ident) % 65536 < 4096:
            return Order.BEFORE
        return Order.UNKNOWN


@dataclass(slots=True)
class End:
    """One end.  `isn` is None until it is known, or assumed (`isn_known` False)."""

    name: str
    address: Address
    isn: int | None = None
    isn_known: bool = False
    syns: int = 0
    """Copies of its SYN, or SYN,ACK, that were seen."""
    isns: set[int] = field(default_factory=set)
    syn_time: float = 0.0
    fast_open: bool = False
    """Whether a SYN had a cookie or data, so that what answers it may come before the handshake is over."""
    seen: int = 0
    """Segments seen, without those that cannot be judged."""
    whole: bool = True
    """Whether the capture has all that was sent: from the SYN on, or since all was acknowledged once."""
    top: int = 0
    """The highest SEQ+SEG.LEN sent."""
    shown: int = 0
    """The highest SEQ+SEG.LEN of which the capture has the segment."""
    data_top: int = 1
    fin: int | None = None
    covered: Ranges = field(default_factory=Ranges)
    octets: Octets = field(default_factory=lambda: Octets(REMEMBERED))
    ack: int | None = None
    """The highest ACK sent: an offset of the other end's."""
    ack_mark: Mark = field(default_factory=lambda: Mark(None, None))
    edge: int | None = None
    """The furthest right edge of the window that was ever offered: an offset of the other end's."""
    firm: int | None = None
    """The furthest that came with an ACK of what was sent: the others are as far off as their ACK."""
    guessed: bool = False
    """Whether an edge was learned before the window's scale was known: it is then too far, never too near."""
    edge_mark: Mark = field(default_factory=lambda: Mark(None, None))
    offered: set[int] = field(default_factory=set)
    """Kinds of the options that any of its SYNs had."""
    always: set[int] | None = None
    """Kinds of the options that all of its SYNs had; None before the first."""
    shift: int | None = None
    mss: int | None = None
    tsval: int | None = None
    """The latest TSval sent, as the end's clock goes."""
    ts_first: tuple[float, int] | None = None
    ts_last: tuple[float, int] | None = None
    reset: bool = False
    strays: set[int] = field(default_factory=set)
    """ACKs of segments that belong to no connection that the capture shows: a reset answers them."""
    stray_isns: set[int] = field(default_factory=set)
    """ISNs of connections that it began on an old copy of the other end's SYN, and that were reset."""
    ttls: set[int] = field(default_factory=set)
    super_segments: int = 0

    @property
    def syn_only(self) -> bool:
        return self.seen == self.syns

    @property
    def synchronized(self) -> bool:
        return self.isn_known and self.always is not None

    def show(self, offset: int) -> str:
        """Return a sequence number as the RFC writes it: x is the client's ISN, y the server's."""
        name = "x" if self.name == "client" else "y"
        return f"{name}{offset:+d}" if offset else name

    def offset(self, number: int) -> int:
        """Return a sequence number's offset from the ISN: the one nearest to what was sent last."""
        assert self.isn is not None
        return self.top + seq.diff(number, seq.wrap(self.isn + self.top))

    def forget_isn(self) -> None:
        """The SYN that was seen is not the one that counts: what it told is void."""
        self.isn_known, self.covered, self.top = False, Ranges(), 0

    def assume(self, number: int) -> None:
        """Take `number` for the first octet's, where no SYN tells."""
        self.isn = seq.add(number, -1)
        self.top = self.data_top = 1
        self.whole = False

    def stray(self, recorded: Recorded) -> None:
        if len(self.strays) < _STRAYS:
            self.strays.add(recorded.segment.ack)
            if recorded.segment.has(Control.SYN):
                self.stray_isns.add(recorded.segment.seq)

    def learn_syn(self, recorded: Recorded) -> None:
        """Take in a SYN or SYN,ACK: the ISN, and what it offers."""
        segment = recorded.segment
        if not self.isn_known:
            self.isn, self.isn_known = segment.seq, True
            self.top, self.data_top = max(self.top, 1), 1
            self.covered.add(0, 1)
        self.isns.add(segment.seq)
        self.syns += 1
        self.syn_time = recorded.time
        self.fast_open = self.fast_open or bool(segment.cookie or recorded.length)
        if not recorded.options_known:
            self.always = None
            return
        kinds = {kind for kind in range(2, 9) if segment.option(kind) is not None}
        self.always = kinds if self.always is None else self.always & kinds
        self.offered |= kinds
        if segment.window_scale is not None:
            self.shift = min(segment.window_scale, MAX_SHIFT)
        if segment.mss is not None:
            self.mss = segment.mss

    def learn_sent(self, start: int, recorded: Recorded) -> None:
        """Take in the sequence numbers and octets of a segment that begins at offset `start`."""
        end = start + recorded.occupies
        self.covered.add(start, end)
        self.top = max(self.top, end)
        self.shown = max(self.shown, end)
        if recorded.length:
            self.data_top = max(self.data_top, start + recorded.length)
            self.octets.add(start + recorded.segment.has(Control.SYN), recorded.segment.data)
        if recorded.segment.has(Control.FIN) and self.fin is None:
            self.fin = end - 1

    def learn_ack(self, at: int, edge: int, mark: Mark) -> None:
        """Take in an acknowledgment of the other end's octets up to `at`, and the edge it offers."""
        if self.ack is None or at > self.ack:
            self.ack, self.ack_mark = at, mark
        if self.firm is None or edge > self.firm:
            self.firm, self.edge_mark = edge, mark
        self.edge = edge if self.edge is None else max(edge, self.edge)

    def learn_time(self, recorded: Recorded) -> None:
        stamps = recorded.segment.timestamps
        if not stamps:
            return
        if self.tsval is None or seq.gt(stamps[0], self.tsval):
            self.tsval = stamps[0]
            self.ts_last = (recorded.time, stamps[0])
        self.ts_first = self.ts_first or (recorded.time, stamps[0])

    def has_timestamps(self) -> bool:
        return OPTION_TS in self.offered


def scale(sender: End, receiver: End) -> int | None:
    """Return the shift of the windows that `sender` offers; None where the capture does not show it."""
    if not (sender.synchronized and receiver.synchronized):
        return None
    return sender.shift if sender.shift is not None and receiver.shift is not None else 0
