"""Timestamps and SACK blocks once negotiated: not looked at, not sent, taken from the wrong segment."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import (
    OPTION_TS,
    SACK_PERMITTED,
    Control,
    Option,
    Segment,
    timestamps_option,
)
from conformance.model.state import State
from conformance.oracle.arrives import Outcome
from conformance.oracle.prediction import Prediction
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, RST, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant
from conformance.target.reference.receiving import Range


def _lacks_timestamps(tcb: Tcb, segment: Segment) -> bool:
    return tcb.negotiated(OPTION_TS) and segment.timestamps is None and not segment.ctl & (RST | SYN)


@mutant("missing-timestamps-accepted", "RFC 7323 3.2")
class MissingTimestampsAccepted(Endpoint):
    """Takes a segment without the timestamps that were negotiated for one that has the latest."""

    def parse(self, segment: Segment) -> Segment | None:
        if not _lacks_timestamps(self.tcb, segment):
            return segment
        stamps = timestamps_option(self.tcb.ts_recent, 0).encode()
        return replace(segment, options=segment.options + stamps)


@mutant("missing-timestamps-abort", "RFC 7323 3.2")
class MissingTimestampsAbort(Endpoint):
    """Gives up the connection at a segment without the timestamps that were negotiated."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if _lacks_timestamps(before, segment):
            return Outcome(before.delete())
        return super().process(before, segment)


@mutant("timestamps-not-in-reset", "RFC 7323 3.2")
class TimestampsNotInReset(Endpoint):
    """Leaves the negotiated timestamps out of a RST."""

    def reset_options(self, ctl: Control) -> list[Option]:
        return []


@mutant("newest-timestamp-echoed", "RFC 7323 4.3")
class NewestTimestampEchoed(Endpoint):
    """Echoes the newest timestamp that came, in sequence or not."""

    newest = 0

    def parse(self, segment: Segment) -> Segment | None:
        if segment.timestamps is not None:
            self.newest = segment.timestamps[0]
        return segment

    def timestamp_echo(self) -> int:
        return self.newest


@mutant("paws-drops-resets", "RFC 7323 5.2")
class PawsDropsResets(Endpoint):
    """Drops a RST with an older timestamp, as it would any other segment."""

    def parse(self, segment: Segment) -> Segment | None:
        stamps = segment.timestamps
        old = stamps is not None and seq.lt(stamps[0], self.tcb.ts_recent)
        return None if old and segment.has(RST) else segment


@mutant("time-wait-ignores-timestamps", "RFC 9293 3.6.1 SHLD-4; RFC 6191 2")
class TimeWaitIgnoresTimestamps(Endpoint):
    """Reopens from TIME-WAIT by the sequence number alone."""

    def choose(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        if before.state is State.TIME_WAIT and seq.leq(segment.seq, before.rcv_nxt):
            return outcomes[0]
        return super().choose(before, segment, outcomes)


@mutant("time-wait-reopened-by-old-timestamp", "RFC 6191 2; RFC 7323 5.3")
class ReopenedByOldTimestamp(Endpoint):
    """Reopens from TIME-WAIT by the sequence number, although the timestamp is older."""

    def may_reopen(self, before: Tcb, segment: Segment) -> bool:
        return before.state is State.TIME_WAIT


@mutant("sack-permitted-in-every-segment", "RFC 2018 2")
class SackPermittedEverywhere(Endpoint):
    """Repeats SACK-permitted in segments that are no SYN."""

    def plain_options(self) -> list[Option]:
        return [SACK_PERMITTED, *super().plain_options()]


@mutant("duplicate-without-its-block", "RFC 2883 4")
class DuplicateWithoutItsBlock(Endpoint):
    """Reports a duplicate beyond a gap, and leaves out the block that it lies in."""

    def sack_blocks(self) -> list[Range]:
        told = self.duplicate
        blocks = super().sack_blocks()
        return blocks[:1] if told is not None and seq.gt(told[0], self.tcb.rcv_nxt) else blocks


@mutant("ack-before-the-queue", "RFC 9293 3.10.7.4 MUST-59")
class AckBeforeTheQueue(Endpoint):
    """Acknowledges the segment that fills a gap, and then what was waiting behind it."""

    def owe(self, before: Tcb, segment: Segment, prediction: Prediction) -> None:
        if before.held and seq.lt(before.rcv_nxt, segment.end) and seq.lt(segment.end, self.tcb.rcv_nxt):
            self.transmit(ACK, self.ack_sequence(), segment.end)
        super().owe(before, segment, prediction)


@mutant("late-window-scale-taken", "RFC 7323 2.2")
class LateWindowScaleTaken(Endpoint):
    """Takes a window scale for its own that stands in a segment without SYN."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        if not segment.has(SYN) and segment.window_scale is not None:
            outcome.tcb.snd_wnd = segment.wnd << segment.window_scale
        return outcome


@mutant("sack-two-blocks-only", "RFC 2018 4")
class SackTwoBlocks(Endpoint):
    """Reports no more than two blocks."""

    def sack_blocks(self) -> list[Range]:
        return super().sack_blocks()[:2]


@mutant("sack-forgets-old-blocks", "RFC 2018 4")
class SackForgetsBlocks(Endpoint):
    """Knows four blocks: what joins an older one is reported as a block of its own."""

    def order_blocks(self, segment: Segment) -> None:
        known = self.blocks[:4]
        super().order_blocks(segment)
        own = segment.seq, segment.end
        if self.blocks and segment.data and not any(seq.leq(right, own[1]) for _, right in known):
            self.blocks[0] = own


@mutant("time-wait-for-ever", "RFC 9293 3.10.8")
class TimeWaitForEver(Endpoint):
    """Never leaves TIME-WAIT."""

    def two_msl(self) -> float:
        return 1e6


@mutant("sacked-is-acknowledged", "RFC 2018 5, 8")
class SackedIsAcknowledged(Endpoint):
    """Takes what was reported by SACK for acknowledged, and does not send it again."""

    sacked: tuple[Range, ...] = ()

    def parse(self, segment: Segment) -> Segment | None:
        self.sacked += tuple(segment.sack_blocks())
        return segment

    def retransmit_at(self, start: int) -> None:
        if not any(seq.leq(left, start) and seq.lt(start, right) for left, right in self.sacked):
            super().retransmit_at(start)
