"""ICMP errors arrive: RFC 9293 3.9.2.2, with the checks of RFC 5927."""

from conformance.model import seq
from conformance.model.icmp import ERRORS, Effect
from conformance.model.segment import Segment
from conformance.model.state import NO_CONNECTION, State
from conformance.oracle.arrives import Outcome, resets
from conformance.oracle.latitude import LIBERTIES, PROMPT
from conformance.oracle.prediction import Obligation, Prediction
from conformance.oracle.tcb import Tcb

_SECTION = "RFC 9293 3.9.2.2"
CITATIONS = {
    Effect.SOFT: f"{_SECTION} MUST-56",
    Effect.HARD: f"{_SECTION} SHLD-26",
    Effect.SIZE: f"{_SECTION}; RFC 1191 3; RFC 8201 4",
    Effect.QUENCH: f"{_SECTION} MUST-55",
}
_ENDING = frozenset({Effect.HARD, Effect.SIZE})


def in_flight(tcb: Tcb, number: int) -> bool:
    """RFC 5927 4.1: SND.UNA =< SEG.SEQ < SND.NXT, or the error is not about what we have sent."""
    return seq.leq(tcb.snd_una, number) and seq.lt(number, tcb.snd_nxt)


def icmp_arrives(tcb: Tcb, segment: Segment, now: float) -> list[Outcome]:
    """Process the ICMP error in which `segment` is returned; `tcb` itself is not changed.

    What is said of the size of datagrams changes no state: it shows in the segments that follow.
    """
    effect = ERRORS[segment.envelope.error].effect
    citation = CITATIONS[effect]
    after = tcb.copy()
    if not segment.checksum_ok:
        return [Outcome(after, why="RFC 1122 3.2.2: a bad checksum is dropped")]
    if tcb.state in NO_CONNECTION or tcb.iss is None:
        return [Outcome(after, why=citation)]
    if not in_flight(tcb, segment.seq):
        return [Outcome(after, why="RFC 5927 4.1: not in flight; ignored")]
    if effect not in _ENDING:
        return [Outcome(after, why=citation)]
    goes_on, aborted = Outcome(after, why=citation), _aborted(tcb, now)
    return [aborted, goes_on] if effect is Effect.HARD else [goes_on, aborted]


def _aborted(tcb: Tcb, now: float) -> Outcome:
    """SHLD-26; a reset may go with it, as with any ABORT (3.10.5)."""
    liberty = LIBERTIES["hard-icmp-error"]
    may = Prediction(resets(tcb), Obligation.MAY, liberty.citation, now + PROMPT)
    after = tcb.delete()
    if tcb.state is State.SYN_RECEIVED and tcb.passive:
        after.state = State.LISTEN
    return Outcome(after, (may,), liberty.citation)
