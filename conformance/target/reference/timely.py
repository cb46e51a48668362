"""Losses found by time in the reference's connection: tail loss probes, and a little of RACK (RFC 8985)."""

from conformance.model import seq
from conformance.model.segment import OPTION_SACK_PERMITTED, Segment
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import Alarm, Surroundings
from conformance.target.reference.notifying import Notifying
from conformance.target.reference.sending import SENDING

WITHOUT_SAMPLE = 1.0
LONGEST_ACK_DELAY = 0.2
"""Seconds: PTO where no round trip is known, and WCDelAckT (RFC 8985 7.2)."""


class Timely(Notifying):
    """Where SACK is permitted, asks after the last segment, and does not always wait for duplicates."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.left: dict[int, float] = {}
        """When each segment that is outstanding left, by its first sequence number."""
        self.asked_for: tuple[int, int] | None = None
        """SND.UNA and SND.NXT when the probe timer was started."""
        self.probed: int | None = None
        """SND.NXT at the last probe: there is no other until that is acknowledged."""

    def sent(self, segment: Segment) -> None:
        super().sent(segment)
        if segment.data:
            self.left[segment.seq] = self.now

    # -- tail loss probe ----------------------------------------------------------------
    def see_to_alarms(self) -> None:
        super().see_to_alarms()
        tcb = self.tcb
        if self.probed is not None and seq.geq(tcb.snd_una, self.probed):
            self.probed = None
        if not self.may_ask():
            self.disarm(Alarm.PROBE)
            self.asked_for = None
        elif self.asked_for != (tcb.snd_una, tcb.snd_nxt):
            self.asked_for = tcb.snd_una, tcb.snd_nxt
            self.arm(Alarm.PROBE, self.probe_timeout())

    def may_ask(self) -> bool:
        """RFC 8985 7.2: something is outstanding, no loss is known, and no probe on its way."""
        tcb = self.tcb
        calm = self.recover is None and self.probed is None and not self.retries
        return (
            calm
            and tcb.negotiated(OPTION_SACK_PERMITTED)
            and tcb.state in SENDING
            and tcb.in_flight > 0
            and tcb.snd_wnd > 0
        )

    def probe_timeout(self) -> float:
        """RFC 8985 7.2: PTO, in seconds."""
        if self.srtt is None:
            return WITHOUT_SAMPLE
        alone = self.tcb.in_flight <= self.send_mss
        return min(2 * self.srtt + (LONGEST_ACK_DELAY if alone else 0), self.rto)

    def ask(self) -> None:
        """RFC 8985 7.3: new data, or else the last segment again; the timer of the RTO starts anew."""
        tcb = self.tcb
        fresh = min(self.send_mss, tcb.unsent, tcb.usable_window)
        if fresh > 0:
            self.send_text(tcb.snd_nxt, fresh)
        else:
            end = tcb.stream_end if tcb.fin_sent else tcb.snd_nxt
            self.retransmit_at(seq.add(end, -min(self.send_mss, seq.diff(end, tcb.snd_una))))
        self.probed = tcb.snd_nxt
        self.disarm(Alarm.RETRANSMISSION)
        self.see_to_alarms()

    # -- RACK ---------------------------------------------------------------------------
    def collapse(self) -> None:
        super().collapse()
        self.recover = self.lost_up_to()

    def lost_up_to(self) -> int:
        """RFC 8985 6.3: a timeout takes for lost the first segment, and others that are late."""
        tcb = self.tcb
        if self.srtt is None or not tcb.negotiated(OPTION_SACK_PERMITTED):
            return tcb.snd_nxt
        late = self.now - self.srtt - self.reordering_window()
        young = [start for start, when in self.left.items() if when > late and seq.gt(start, tcb.snd_una)]
        return min(young, key=lambda start: seq.diff(start, tcb.snd_una), default=tcb.snd_nxt)

    def took_new(self, before: Tcb, gained: int) -> None:
        super().took_new(before, gained)
        self.disarm(Alarm.REORDERING)
        una = self.tcb.snd_una
        self.left = {start: when for start, when in self.left.items() if seq.geq(start, una)}

    def took_duplicate(self, before: Tcb, segment: Segment) -> None:
        super().took_duplicate(before, segment)
        if self.recover is None and self.srtt is not None and self.overtaken(segment):
            lost = self.left[self.tcb.snd_una] + self.srtt + self.reordering_window()
            self.arm(Alarm.REORDERING, max(0.0, lost - self.now))

    def overtaken(self, segment: Segment) -> bool:
        """Whether a block reports what left no earlier than the first segment that is outstanding."""
        first = self.left.get(self.tcb.snd_una)
        starts = (left for left, _ in segment.sack_blocks())
        return first is not None and any(self.left.get(start, -1.0) >= first for start in starts)

    def reordering_window(self) -> float:
        """RFC 8985 6.2 step 4: a quarter of the round trip."""
        return (self.srtt or 0.0) / 4

    def give_up_waiting(self) -> None:
        """RFC 8985 6.2 step 5: what was overtaken is lost by now."""
        if self.recover is None and self.tcb.in_flight:
            self.fast_retransmit()
            self.output()
