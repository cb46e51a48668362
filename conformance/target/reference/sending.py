"""The sending half of the reference's connection: windows, Nagle, retransmission, congestion control."""

from conformance.model import seq
from conformance.model.segment import OPTION_SACK_PERMITTED, Control, Segment
from conformance.model.state import State
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import (
    ACK,
    FIN,
    FIXED_HEADERS,
    MTU,
    OPENING,
    PSH,
    SYN,
    Alarm,
    Surroundings,
)
from conformance.target.reference.receiving import Receiving

INITIAL_RTO = 1.0
MINIMUM_RTO = 1.0
MAXIMUM_RTO = 60.0
AFTER_LOST_SYN = 3.0
"""RFC 6298 5.7: seconds, if the SYN had to be sent again."""
GRANULARITY = 0.001
OVERRIDE = 0.5
"""Seconds; RFC 9293 3.8.6.2.1 has 0.1 to 1."""
INITIAL_SEGMENTS = 10
DUPLICATES = 3
SENDING = frozenset({State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})


class Sending(Receiving):
    """Sends what the user has sent, and sends it again."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.nodelay = False
        self.srtt: float | None = None
        self.rttvar = 0.0
        self.rto = INITIAL_RTO
        self.timed: tuple[int, float] | None = None
        """The sequence number whose ACK measures a round trip, and when it was sent."""
        self.retries = 0
        self.trouble: float | None = None
        """Since when nothing has been acknowledged of what is outstanding."""
        self.cwnd = 0
        self.ssthresh = 1 << 30
        self.syn_lost = False
        self.last_text: float | None = None
        """When data was last sent."""
        self.duplicates = 0
        self.extra = 0
        """Octets beyond the congestion window that duplicate ACKs let us send (RFC 3042)."""
        self.recover: int | None = None
        """SND.NXT when a loss was found: until it is acknowledged, holes are filled one by one."""
        self.inflated = False
        """Fast recovery: duplicate ACKs, not acknowledged octets, make the congestion window larger."""

    # -- what may be sent ---------------------------------------------------------------
    @property
    def send_mss(self) -> int:
        """Eff.snd.MSS: the peer's MSS, no more than our own MTU gives, less the options (3.7.1)."""
        return max(1, min(self.peer_mss(), self.link_mss()) - len(self.options(ACK)))

    def link_mss(self) -> int:
        """Octets after the fixed headers that the link, or the path, carries."""
        return MTU - FIXED_HEADERS[self.tcb.family]

    def peer_mss(self) -> int:
        return self.tcb.snd_mss

    def usable(self) -> int:
        """Octets that the window, and the congestion window, let us send."""
        tcb = self.tcb
        return min(tcb.usable_window, self.congestion_window() + self.extra - tcb.in_flight)

    def congestion_window(self) -> int:
        if not self.cwnd:
            self.cwnd = self.initial_window()
        return self.cwnd

    def initial_window(self) -> int:
        """RFC 6928 2; one segment if the SYN or the SYN,ACK was lost (RFC 5681 3.1)."""
        return self.send_mss if self.syn_lost else INITIAL_SEGMENTS * self.send_mss

    def restart(self) -> None:
        """RFC 5681 4.1: who has not sent for longer than the RTO begins anew with the restart window."""
        if self.last_text is not None and self.now - self.last_text > self.rto:
            self.cwnd = min(self.congestion_window(), self.initial_window())

    def sendable(self) -> int:
        """RFC 9293 3.8.6.2.1: how many octets to send now; 0 to wait."""
        tcb = self.tcb
        room = min(tcb.unsent, self.usable())
        if room <= 0:
            return 0
        if room >= self.send_mss:
            return self.send_mss
        idle = tcb.snd_nxt == tcb.snd_una or self.nodelay
        whole = tcb.unsent <= self.usable()
        if self.may_send_short(idle, whole, room):
            return room
        return 0

    def may_send_short(self, idle: bool, whole: bool, room: int) -> bool:
        """Nagle's rule and the two rules against silly windows; a SEND always pushes."""
        closing = whole and self.tcb.fin_queued
        return (idle and (whole or room >= self.tcb.max_snd_wnd // 2)) or (closing and idle)

    def output(self) -> None:
        """Send what may be sent, then see to the alarms."""
        tcb = self.tcb
        if not self.sends() or tcb.iss is None:
            return
        if tcb.snd_nxt == tcb.snd_una:
            self.restart()
        while (size := self.sendable()) > 0:
            self.send_text(tcb.snd_nxt, size)
        if self.fin_is_next() and self.window_lets_fin():
            self.transmit(FIN | ACK, tcb.snd_nxt, self.ack_number())
        self.see_to_alarms()

    def sends(self) -> bool:
        return self.tcb.state in SENDING

    def fin_is_next(self) -> bool:
        tcb = self.tcb
        return tcb.fin_queued and not tcb.fin_sent and not tcb.unsent

    def window_lets_fin(self) -> bool:
        return self.tcb.usable_window > 0

    def send_text(self, start: int, size: int) -> None:
        """Send `size` octets from sequence number `start` on, with the FIN if it follows them."""
        tcb = self.tcb
        data = self.text(start, size)
        end = seq.add(start, len(data))
        last = end == tcb.stream_end
        ctl = ACK | (PSH if last else Control(0))
        if last and tcb.fin_queued and (tcb.fin_sent or tcb.usable_window > len(data)):
            ctl |= FIN
        fresh = seq.gt(end, tcb.snd_nxt)
        if fresh and self.timed is None and start == tcb.snd_nxt:
            self.timed = end, self.now
        self.last_text = self.now
        self.transmit(ctl, start, self.ack_number(), data)

    def text(self, start: int, size: int) -> bytes:
        return self.tcb.octets(start, size)

    # -- alarms -------------------------------------------------------------------------
    def see_to_alarms(self) -> None:
        """Retransmission while something is outstanding, a probe of a closed window, the override."""
        tcb = self.tcb
        outstanding = tcb.snd_nxt != tcb.snd_una
        closed = tcb.usable_window <= 0 and (tcb.unsent > 0 or self.fin_is_next())
        if outstanding or (closed and self.probes()):
            self.watch()
        else:
            self.disarm(Alarm.RETRANSMISSION)
            self.trouble = None
        waits = tcb.unsent > 0 and not outstanding and not closed
        if not waits:
            self.disarm(Alarm.OVERRIDE)
        elif Alarm.OVERRIDE not in self.alarms:
            self.arm(Alarm.OVERRIDE, OVERRIDE)

    def probes(self) -> bool:
        """RFC 9293 3.8.6.1 MUST-36: a closed window is probed."""
        return True

    def watch(self) -> None:
        if Alarm.RETRANSMISSION not in self.alarms:
            self.arm(Alarm.RETRANSMISSION, self.rto)
        if self.trouble is None:
            self.trouble = self.now

    def retransmission_timeout(self) -> None:
        """RFC 6298 5.4-5.6: the earliest segment again, the timeout doubled."""
        tcb = self.tcb
        self.timed = None
        if tcb.state in OPENING:
            self.send_syn_again()
        elif tcb.snd_wnd == 0:
            self.probe()
        elif tcb.snd_nxt != tcb.snd_una:
            self.collapse()
            self.retransmit()
        self.retries += 1
        self.rto = self.backed_off()
        self.disarm(Alarm.RETRANSMISSION)
        if tcb.state in OPENING:
            self.watch()
        else:
            self.see_to_alarms()

    def backed_off(self) -> float:
        return min(self.rto * 2, MAXIMUM_RTO)

    def send_syn_again(self) -> None:
        tcb = self.tcb
        if tcb.iss is None:
            return
        ctl = SYN if tcb.state is State.SYN_SENT else SYN | ACK
        self.transmit(ctl, tcb.iss, self.ack_number())

    def probe(self) -> None:
        """At least one octet of new data into the closed window (RFC 9293 3.8.6.1)."""
        tcb = self.tcb
        if seq.diff(tcb.stream_end, tcb.snd_una) > 0:
            data = self.text(tcb.snd_una, 1)
            self.transmit(ACK, tcb.snd_una, self.ack_number(), data)
        elif tcb.fin_queued:
            self.transmit(FIN | ACK, tcb.snd_una, self.ack_number())

    def retransmit(self) -> None:
        """Send the earliest unacknowledged segment again."""
        self.retransmit_at(self.tcb.snd_una)

    def retransmit_at(self, start: int) -> None:
        tcb = self.tcb
        self.timed = None
        end = tcb.snd_nxt if not tcb.fin_sent else seq.add(tcb.snd_nxt, -1)
        size = min(self.send_mss, seq.diff(end, start), self.room_again())
        if size > 0:
            self.send_text(start, size)
        elif tcb.fin_sent:
            self.transmit(FIN | ACK, start, self.ack_number())

    def room_again(self) -> int:
        """Octets that may be sent again at once: as many as before, if the window has shrunk (MAY-7)."""
        return self.send_mss if self.tcb.snd_wnd else 1

    def override_timeout(self) -> None:
        """RFC 9293 3.8.6.2.1 (4): send what the window takes, however little."""
        room = min(self.tcb.unsent, self.usable(), self.send_mss)
        if room > 0:
            self.send_text(self.tcb.snd_nxt, room)
        self.output()

    # -- what an acknowledgment does ----------------------------------------------------
    def take_acknowledgment(self, before: Tcb, segment: Segment) -> None:
        """Round trip, congestion window, retransmission: RFC 6298, RFC 5681."""
        tcb = self.tcb
        if before.iss is None or before.iss != tcb.iss or not segment.has(ACK):
            return
        gained = seq.diff(tcb.snd_una, before.snd_una)
        if before.snd_wnd == 0 and tcb.snd_wnd > 0 and before.state not in OPENING:
            self.window_opened()
        if gained > 0:
            self.took_new(before, gained)
        elif segment.ack == tcb.snd_una:
            if tcb.snd_wnd == 0:
                self.trouble = self.now
            self.took_duplicate(before, segment)

    def window_opened(self) -> None:
        """The closed window has opened: go on at SND.UNA, probes or not (RFC 9293 3.8.6.1)."""
        tcb = self.tcb
        self.retries = 0
        self.rto = self.timeout()
        self.disarm(Alarm.RETRANSMISSION)
        if tcb.snd_nxt != tcb.snd_una and tcb.state in SENDING:
            size = min(self.send_mss, seq.diff(tcb.stream_end, tcb.snd_una), tcb.snd_wnd)
            if size > 0:
                self.send_text(tcb.snd_una, size)

    def took_new(self, before: Tcb, gained: int) -> None:
        tcb = self.tcb
        if self.timed is not None and seq.geq(tcb.snd_una, self.timed[0]):
            self.measured(self.now - self.timed[1])
            self.timed = None
        elif before.state in OPENING and self.retries:
            self.rto = AFTER_LOST_SYN
            self.syn_lost = True
        self.retries = self.duplicates = self.extra = 0
        self.trouble = None
        self.disarm(Alarm.RETRANSMISSION)
        if self.recover is not None:
            self.recovers(self.recover, gained)
        elif self.counts(before):
            self.grow(gained)

    def measured(self, trip: float) -> None:
        """RFC 6298 2.2, 2.3."""
        if self.srtt is None:
            self.srtt, self.rttvar = trip, trip / 2
        else:
            self.rttvar = 0.75 * self.rttvar + 0.25 * abs(self.srtt - trip)
            self.srtt = 0.875 * self.srtt + 0.125 * trip
        self.rto = self.timeout()

    def timeout(self) -> float:
        """RTO as measured, without backoff (RFC 6298 2)."""
        if self.srtt is None:
            return INITIAL_RTO
        return max(self.minimum_timeout(), self.srtt + max(GRANULARITY, 4 * self.rttvar))

    def minimum_timeout(self) -> float:
        return MINIMUM_RTO

    # -- congestion control -------------------------------------------------------------
    def counts(self, before: Tcb) -> bool:
        """RFC 5681 3.1: the acknowledgment of a SYN does not make the window larger."""
        return before.state not in OPENING

    def grow(self, gained: int) -> None:
        """RFC 5681 3.1: slow start, then congestion avoidance."""
        if self.congestion_window() < self.ssthresh:
            self.cwnd += self.slow_start(gained)
        else:
            self.cwnd += self.congestion_avoidance()

    def slow_start(self, gained: int) -> int:
        """RFC 5681 3.1 (2)."""
        return min(gained, self.send_mss)

    def congestion_avoidance(self) -> int:
        """RFC 5681 3.1 (3): about a segment in a round trip."""
        return max(1, self.send_mss * self.send_mss // self.cwnd)

    def halved(self) -> int:
        """RFC 5681 3.1 (4); what limited transmit has sent does not count (3.2 (2))."""
        return max(min(self.tcb.in_flight, self.congestion_window()) // 2, 2 * self.send_mss)

    def collapse(self) -> None:
        """RFC 5681 3.1: a timeout; another one of the same segment leaves ssthresh as it is."""
        if not self.retries:
            self.ssthresh = self.halved()
        self.cwnd = self.loss_window()
        self.recover, self.inflated = self.tcb.snd_nxt, False
        self.extra = 0

    def loss_window(self) -> int:
        return self.send_mss

    def took_duplicate(self, before: Tcb, segment: Segment) -> None:
        """RFC 5681 3.2; RFC 6675: three duplicates, or as much reported by SACK, mean a loss."""
        if not self.duplicate_ack(before, segment):
            return
        self.duplicates += 1
        if self.inflated:
            self.inflate()
        elif self.recover is None:
            sacked = sum(seq.diff(right, left) for left, right in segment.sack_blocks())
            if self.duplicates >= DUPLICATES or sacked > (DUPLICATES - 1) * self.send_mss:
                self.fast_retransmit()
            elif segment.sack_blocks() or not self.tcb.negotiated(OPTION_SACK_PERMITTED):
                self.limited_transmit()

    def duplicate_ack(self, before: Tcb, segment: Segment) -> bool:
        """RFC 5681 2: data is outstanding, or a FIN; no data, no SYN or FIN, the same window."""
        tcb = self.tcb
        if before.state in OPENING:
            return False
        return not segment.length and tcb.snd_nxt != tcb.snd_una and tcb.snd_wnd == before.snd_wnd

    def limited_transmit(self) -> None:
        """RFC 5681 3.2 (1), RFC 3042: a new segment for each of the first two duplicates."""
        self.extra = self.duplicates * self.send_mss

    def fast_retransmit(self) -> None:
        """RFC 5681 3.2 (2), (3)."""
        self.ssthresh = self.halved()
        self.cwnd = self.ssthresh + DUPLICATES * self.send_mss
        self.extra = 0
        self.recover, self.inflated = self.tcb.snd_nxt, True
        self.retransmit()

    def inflate(self) -> None:
        """RFC 5681 3.2 (4): a segment has left the network."""
        self.cwnd += self.send_mss

    def recovers(self, recover: int, gained: int) -> None:
        """Something new is acknowledged after a loss: all of it, or up to the next hole."""
        whole = seq.geq(self.tcb.snd_una, recover) or self.tcb.snd_una == self.tcb.snd_nxt
        if not self.inflated:
            self.grow(gained)
        elif whole:
            self.deflate()
        else:
            self.deflate_partly(gained)
        if whole:
            self.recover, self.inflated = None, False
        else:
            self.retransmit()

    def deflate(self) -> None:
        """RFC 5681 3.2 (6)."""
        self.cwnd = self.ssthresh

    def deflate_partly(self, gained: int) -> None:
        """RFC 6582 3.2 (5): less what was acknowledged, and the segment that is sent again."""
        again = self.send_mss if gained >= self.send_mss else 0
        self.cwnd = max(self.cwnd - gained + again, self.send_mss)
