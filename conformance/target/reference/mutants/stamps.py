"""Timestamps: not looked at, not sent, taken from the wrong segment."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import (
    OPTION_TS,
    Control,
    Option,
    Segment,
    timestamps_option,
)
from conformance.model.state import SYNCHRONIZED, State
from conformance.oracle.arrives import Outcome
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import FIN, RST, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


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


@mutant("timestamp-echo-zero", "RFC 7323 3.2")
class EchoZero(Endpoint):
    """Echoes no timestamp."""

    def timestamp_echo(self) -> int:
        return 0


@mutant("timestamp-echo-of-syn", "RFC 7323 4.3")
class EchoOfSyn(Endpoint):
    """Echoes the timestamp of the SYN for ever."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        if not segment.has(SYN):
            outcome.tcb.ts_recent = before.ts_recent
        return outcome


@mutant("timestamp-missing-in-data", "RFC 7323 3.2")
class TimestampMissing(Endpoint):
    """Leaves the timestamps out of segments that carry data."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, options=b"") if segment.data and self.tcb.negotiated(OPTION_TS) else segment


@mutant("timestamps-missing-in-fin", "RFC 7323 3.2")
class TimestampMissingInFin(Endpoint):
    """Leaves the timestamps out of its FIN."""

    def options(self, ctl: Control) -> bytes:
        return b"" if ctl & FIN else super().options(ctl)


@mutant("timestamps-not-negotiated-answered", "RFC 7323 3.2")
class TimestampsUnasked(Endpoint):
    """Answers a timestamp on a connection that negotiated none."""

    stray = 0

    def parse(self, segment: Segment) -> Segment | None:
        self.stray = segment.timestamps[0] if segment.timestamps else 0
        return segment

    def plain_options(self) -> list[Option]:
        found = super().plain_options()
        return found or ([timestamps_option(1, self.stray)] if self.stray else [])


@mutant("timestamps-not-negotiated-dropped", "RFC 7323 3.2")
class StrayTimestampDropped(Endpoint):
    """Drops segments with a timestamp on a connection that negotiated none."""

    def parse(self, segment: Segment) -> Segment | None:
        stray = self.tcb.state in SYNCHRONIZED and segment.timestamps and not self.tcb.negotiated(OPTION_TS)
        return None if stray else segment


@mutant("paws-missing", "RFC 7323 5.3")
class PawsMissing(Endpoint):
    """Takes segments with old timestamps, which may come from before the numbers wrapped."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        stamps = segment.timestamps
        if before.negotiated(OPTION_TS) and stamps is not None and seq.lt(stamps[0], before.ts_recent):
            old = timestamps_option(*stamps).encode()
            now = timestamps_option(before.ts_recent, stamps[1]).encode()
            segment = replace(segment, options=segment.options.replace(old, now))
        return super().process(before, segment)


@mutant("paws-silent", "RFC 7323 5.3 R1")
class PawsSilent(Endpoint):
    """Drops a segment with an old timestamp without an ACK."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        stamps = segment.timestamps
        old = before.negotiated(OPTION_TS) and stamps is not None and seq.lt(stamps[0], before.ts_recent)
        return replace(outcome, predictions=()) if old else outcome
