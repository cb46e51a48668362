"""Segments of the target to an address that the tester has forged, or from another than the connection's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.flow import other
from conformance.model.segment import Segment
from conformance.model.trace import Diagnosis, Kind
from conformance.oracle.oracle import STRAY
from conformance.oracle.prediction import Violation
from conformance.session import diagnose
from conformance.session.actions import Connection

LOCAL_ADDRESS = "RFC 9293 3.9.1.1 MUST-43, MUST-45"

if TYPE_CHECKING:
    from conformance.session.session import Session


def judge(
    session: Session, connection: Connection, segment: Segment, time: float, to: str
) -> Diagnosis | None:
    """Record an answer to the address `to`: right at the tester's other one, wrong at one that is invalid."""
    if to == other(session.endpoints.tester):
        session.record(Kind.RECEIVED, segment, connection=connection.index, why=f"to {to}", time=time)
        return None
    judged = Violation(f"the target answers {to}, from where nobody can send", STRAY["source"])
    return _blame(session, connection, segment, time, judged)


def judge_source(
    session: Session, connection: Connection, segment: Segment, time: float, source: str
) -> Diagnosis:
    """Record a segment from an address that is the target's, but not the one of the connection."""
    judged = Violation(f"the segment comes from {source}, not from {connection.local}", LOCAL_ADDRESS)
    return _blame(session, connection, segment, time, judged)


def _blame(
    session: Session, connection: Connection, segment: Segment, time: float, judged: Violation
) -> Diagnosis:
    session.record(
        Kind.RECEIVED,
        segment,
        connection=connection.index,
        why=judged.message,
        clause=judged.citation,
        wrong=True,
        time=time,
    )
    correct = connection.oracle.correct(segment.ctl, len(segment.data))
    return diagnose.violation(session, connection, segment, judged, correct)
