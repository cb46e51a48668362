"""Segments of the target to an address that the tester has forged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.flow import other
from conformance.model.segment import Segment
from conformance.model.trace import Diagnosis, Kind, show_segment
from conformance.oracle.oracle import STRAY
from conformance.oracle.prediction import Violation
from conformance.session import diagnose
from conformance.session.actions import Connection

if TYPE_CHECKING:
    from conformance.session.session import Session


def judge(
    session: Session, connection: Connection, segment: Segment, time: float, to: str
) -> Diagnosis | None:
    """Record an answer to the address `to`: right at the tester's other one, wrong at one that is invalid."""
    wrong = to != other(session.endpoints.tester)
    judged = Violation(f"the target answers {to}, from where nobody can send", STRAY["source"])
    session.record(
        Kind.RECEIVED,
        show_segment(segment, session.names),
        connection=connection.index,
        segment=segment,
        why=judged.message if wrong else f"to {to}",
        clause=judged.citation if wrong else "",
        wrong=wrong,
        time=time,
    )
    if not wrong:
        return None
    correct = connection.oracle.correct(segment.ctl, len(segment.data))
    return diagnose.violation(session, connection, segment, judged, correct)
