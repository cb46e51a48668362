"""A TCP may keep to each MUST and be quite another than the reference, or Linux: no case may fail it."""

import math
from dataclasses import replace

import pytest

from conformance.model import seq
from conformance.model.segment import Control, Segment
from conformance.model.state import State
from conformance.model.verdict import Level
from conformance.oracle.arrives import Outcome
from conformance.oracle.tables import TEXT_STATES
from conformance.oracle.tcb import Tcb
from conformance.run import mutants
from conformance.run.options import RunOptions
from conformance.run.plan import plan
from conformance.target.reference.core import FIXED_HEADERS, Alarm
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.lab import ReferenceLab

RST, SYN = Control.RST, Control.SYN


class KeepsNothing(Endpoint):
    """Drops what is beyond a gap (SHLD-31), and says nothing of it (RFC 5681 4.2 is a SHOULD)."""

    def parse(self, segment: Segment) -> Segment | None:
        tcb = self.tcb
        beyond = segment.length and not segment.ctl & (RST | SYN) and seq.gt(segment.seq, tcb.rcv_nxt)
        windowed = tcb.state in TEXT_STATES or tcb.state is State.SYN_RECEIVED
        return None if windowed and beyond and tcb.acceptable(segment) else super().parse(segment)


class SendsLittle(Endpoint):
    """Begins with one segment, and waits for the timeout (RFC 5681 3.1: at most; 3.2: SHOULD)."""

    def initial_window(self) -> int:
        return self.send_mss

    def took_duplicate(self, before: Tcb, segment: Segment) -> None:
        pass


class TimesOutSoon(Endpoint):
    """RFC 6298 2.4: the timeout SHOULD be a second at least."""

    def minimum_timeout(self) -> float:
        return 0.2


class TimesOutAtTicks(Endpoint):
    """Has one timer for all, which ticks twice a second (RFC 6298 4: no granularity is required)."""

    def arm(self, alarm: Alarm, after: float) -> None:
        ticks = alarm in (Alarm.RETRANSMISSION, Alarm.OVERRIDE, Alarm.KEEP_ALIVE)
        super().arm(alarm, math.ceil((self.now + after) * 2) / 2 - self.now if ticks else after)


class AcknowledgesLate(Endpoint):
    """MUST-40: within half a second; that it be every second segment is a SHOULD."""

    def ack_delay(self) -> float:
        return 0.49

    def urgent(self, before: Tcb, segment: Segment) -> bool:
        return False


class AcknowledgesAll(Endpoint):
    """SHLD-18: an ACK should be delayed."""

    def urgent(self, before: Tcb, segment: Segment) -> bool:
        return True


class TakesLiberties(Endpoint):
    """Takes a segment as RFC 9293 allows it last, not as it prefers to."""

    def choose(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        return outcomes[-1]


class Embedded(KeepsNothing, SendsLittle):
    """Has datagrams of 576 octets, a buffer of four of them, and no options but the MSS."""

    def link_mss(self) -> int:
        return {4: 576, 6: 1280}[self.tcb.family] - FIXED_HEADERS[self.tcb.family]

    @property
    def receive_mss(self) -> int:
        return self.link_mss()

    def ack_delay(self) -> float:
        return 0.25

    def answers(self, kind: int) -> bool:
        return False


NO_OPTIONS = {"sack": "", "timestamps": "", "window-scale": "", "path-mtu-discovery": ""}
FOUR_SEGMENTS = {"net.ipv4.tcp_rmem": "2144 2144 2144"}


@pytest.mark.parametrize(
    ("endpoint", "lacks", "sysctl"),
    [
        (KeepsNothing, {}, {}),
        (SendsLittle, {}, {}),
        (TimesOutSoon, {}, {}),
        (TimesOutAtTicks, {}, {}),
        (AcknowledgesLate, {}, {}),
        (AcknowledgesAll, {}, {}),
        (TakesLiberties, {"path-mtu-discovery": ""}, {}),
        (Embedded, NO_OPTIONS, FOUR_SEGMENTS),
    ],
)
def test_who_keeps_to_each_must_fails_no_case(
    endpoint: type[Endpoint], lacks: dict[str, str], sysctl: dict[str, str]
) -> None:
    facts = replace(ReferenceLab().facts, lacks=lacks, addresses={4: ReferenceLab().facts.addresses[4]})
    cases = [case for case in mutants.loaded(()) if case.level is Level.MUST]
    planned, _ = plan(cases, facts, RunOptions(target="reference", slow=True, disruptive=True))
    assert len(planned) > 600
    results = [mutants.play(replace(item, sysctl={**sysctl, **item.sysctl}), endpoint) for item in planned]
    assert [f"{result.id}: {result.reason}" for result in results if str(result.verdict) != "PASS"] == []
