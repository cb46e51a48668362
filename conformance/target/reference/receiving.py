"""The receiving half of the reference's connection: octets in order, acknowledgments, SACK blocks."""

from conformance.model import seq
from conformance.model.segment import OPTION_SACK, OPTION_SACK_PERMITTED, Option, Segment
from conformance.oracle.latitude import DELAYED_ACK as LATEST_ACK
from conformance.oracle.prediction import Obligation, Prediction
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, FIN, NO_CONNECTION, SYN, Alarm, Core, Surroundings

DELAYED_ACK = 0.2
"""Seconds; RFC 9293 3.8.6.3 has less than 0.5."""
Range = tuple[int, int]


class Receiving(Core):
    """Keeps what came for the user, and acknowledges it."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.unread = bytearray()
        self.taken: int | None = None
        """The sequence number after the last octet handed to `unread`."""
        self.pieces: list[tuple[int, bytes]] = []
        self.blocks: list[Range] = []
        self.duplicate: Range | None = None
        self.unacknowledged = 0

    # -- octets -------------------------------------------------------------------------
    def take_text(self, before: Tcb, segment: Segment) -> None:
        """Move into the user's buffer what `segment` brought into sequence."""
        tcb = self.tcb
        if tcb.state in NO_CONNECTION or (self.taken is None and not tcb.rcv_nxt and not tcb.irs):
            return
        if self.taken is None:
            self.taken = seq.add(tcb.irs, 1)
        if segment.data:
            self.note_duplicate(before, segment)
            self.pieces.append((seq.add(segment.seq, segment.has(SYN)), segment.data))
        end = seq.add(tcb.rcv_nxt, -1 if tcb.fin_received else 0)
        gained = self.assemble(self.taken, end)
        self.taken = end
        self.deliver(gained)
        self.unacknowledged += len(gained)
        self.pieces = [piece for piece in self.pieces if self._waits(piece)]
        self.order_blocks(segment)

    def deliver(self, octets: bytes) -> None:
        self.unread += octets
        self.tcb.unread = len(self.unread)

    def assemble(self, start: int, end: int) -> bytes:
        """Return the octets from `start` to `end`, which may be in several pieces that overlap."""
        out = bytearray()
        at = start
        while seq.lt(at, end):
            taken = self.octets_from(at)
            if not taken:
                break
            taken = taken[: seq.diff(end, at)]
            out += taken
            at = seq.add(at, len(taken))
        return bytes(out)

    def octets_from(self, at: int) -> bytes:
        """Return what is there from `at` on; where pieces overlap what came first counts (RFC 9293 3.10)."""
        earlier: list[int] = []
        for first, data in self.pieces:
            if 0 <= seq.diff(at, first) < len(data):
                ahead = (seq.diff(start, at) for start in earlier if seq.lt(at, start))
                return data[seq.diff(at, first) :][: min(ahead, default=len(data))]
            earlier.append(first)
        return b""

    def _waits(self, piece: tuple[int, bytes]) -> bool:
        first, data = piece
        end = seq.add(first, len(data))
        return any(seq.lt(first, right) and seq.gt(end, left) for left, right in self.tcb.held)

    def free(self) -> int:
        return max(0, self.around.settings.buffer - len(self.unread))

    def read(self, count: int) -> bytes:
        """Give the user up to `count` octets; tell the peer if the window opens by that."""
        data, size = self.next_octets(count)
        del self.unread[:size]
        self.tcb.unread = len(self.unread)
        if data:
            self.opened()
        return data

    def next_octets(self, count: int) -> tuple[bytes, int]:
        """Return what the user receives next, and how much of the buffer that is.

        An urgent octet out of band is passed over when what is behind it is received.
        """
        mark = self.tcb.mark
        behind = b"" if mark is None else bytes(self.unread[mark + 1 : count + 1])
        if mark is None or not behind:
            data = bytes(self.unread[: count if mark is None else min(count, mark)])
            return data, len(data)
        return bytes(self.unread[:mark]) + behind, mark + 1 + len(behind)

    def read_urgent(self) -> bytes:
        """Give the user the urgent octet that is out of band, if it has come and nobody has taken it."""
        mark = self.tcb.mark
        octet = b"" if mark is None else bytes(self.unread[mark : mark + 1])
        if mark is not None and octet:
            del self.unread[mark]
            self.tcb.receive_urgent()
            self.opened()
        return octet

    def opened(self) -> None:
        """Say that the window is open again, if it was too small for a segment."""
        tcb = self.tcb
        if tcb.state in NO_CONNECTION or tcb.iss is None or tcb.rcv_edge is None or tcb.fin_received:
            return
        small = tcb.rcv_wnd < self.receive_mss
        if small and self.window() >> self.window_shift() > tcb.rcv_wnd >> self.window_shift():
            self.acknowledge()

    # -- acknowledgments ----------------------------------------------------------------
    def acknowledge(self) -> None:
        """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>"""
        self.transmit(ACK, self.ack_sequence(), self.ack_number())

    def ack_number(self) -> int:
        return self.tcb.rcv_nxt

    def ack_sequence(self) -> int:
        return self.tcb.snd_nxt

    def acknowledged_all(self) -> None:
        super().acknowledged_all()
        self.unacknowledged = 0

    def owe(self, before: Tcb, segment: Segment, prediction: Prediction) -> None:
        """Acknowledge now or a little later (RFC 9293 3.8.6.3, RFC 5681 4.2).

        Who acknowledged an empty segment beyond RCV.NXT (MAY-13) would be acknowledged for that, and so on.
        """
        if prediction.obligation is Obligation.MAY and not segment.length and segment.seq != before.rcv_nxt:
            return
        delayable = prediction.obligation is Obligation.MUST and prediction.due <= self.now + LATEST_ACK
        if delayable and not self.urgent(before, segment):
            if Alarm.DELAYED_ACK not in self.alarms:
                self.arm(Alarm.DELAYED_ACK, self.ack_delay())
            return
        self.acknowledge()

    def ack_delay(self) -> float:
        return DELAYED_ACK

    def urgent(self, before: Tcb, segment: Segment) -> bool:
        """Whether the acknowledgment of new text may not wait."""
        second = self.unacknowledged >= 2 * self.receive_mss
        gap = bool(before.held or self.tcb.held)
        return second or gap or segment.has(FIN) or self.tcb.fin_received

    # -- SACK ---------------------------------------------------------------------------
    def plain_options(self) -> list[Option]:
        found = super().plain_options()
        if self.tcb.negotiated(OPTION_SACK_PERMITTED):
            blocks = self.sack_blocks()[: 3 if found else 4]
            if blocks:
                found.append(Option(OPTION_SACK, b"".join(map(_octets, blocks))))
        return found

    def sack_blocks(self) -> list[Range]:
        """RFC 2883: the duplicate first, once; RFC 2018 4: then the newest block first."""
        duplicate, self.duplicate = self.duplicate, None
        return ([duplicate] if duplicate else []) + self.blocks

    def note_duplicate(self, before: Tcb, segment: Segment) -> None:
        """RFC 2883 4: report what of a segment had been received before."""
        start = seq.add(segment.seq, segment.has(SYN))
        end = seq.add(start, len(segment.data))
        if before.irs != self.tcb.irs:
            return
        if seq.lt(start, before.rcv_nxt):
            self.duplicate = start, end if seq.lt(end, before.rcv_nxt) else before.rcv_nxt
        elif any(seq.leq(left, start) and seq.leq(end, right) for left, right in before.held):
            self.duplicate = start, end

    def order_blocks(self, segment: Segment) -> None:
        """Put the block that holds this segment first, the others in their order (RFC 2018 4)."""
        merged = self._merged()
        known = [block for old in self.blocks for block in merged if _overlap(old, block)]
        newest = [block for block in merged if segment.data and _overlap(block, (segment.seq, segment.end))]
        self.blocks = list(dict.fromkeys([*newest, *known, *merged]))

    def _merged(self) -> list[Range]:
        out: list[Range] = []
        nxt = self.tcb.rcv_nxt
        for start, end in sorted(self.tcb.held, key=lambda held: seq.diff(held[0], nxt)):
            if out and seq.leq(start, out[-1][1]):
                out[-1] = out[-1][0], seq.latest(end, out[-1][1])
            else:
                out.append((start, end))
        return out


def _overlap(a: Range, b: Range) -> bool:
    return seq.lt(a[0], b[1]) and seq.lt(b[0], a[1])


def _octets(block: Range) -> bytes:
    return b"".join(edge.to_bytes(4, "big") for edge in block)
