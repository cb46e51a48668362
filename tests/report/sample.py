"""Hand-made results: what the reports are made from, without an engine or a wire."""

from conformance.model.case import Case
from conformance.model.run import RunInfo
from conformance.model.segment import Control, Segment
from conformance.model.source import Span
from conformance.model.state import Role, State
from conformance.model.trace import Diagnosis, Kind, Names, Record, Result
from conformance.model.verdict import Evidence, Verdict

PATH = "cases/close/half-close-data.yaml"
SOURCE = """\
title:  Four-way close; data still flows toward the closed side
rfc:    9293 3.6.1, Figure 12
target: client
from:   ESTABLISHED

steps:
  - call:   CLOSE
  - expect: <SEQ=y+1><ACK=x+2><CTL=FIN,ACK>
    despite: shows a failure
    state:  FIN-WAIT-1
  - send:   <SEQ=x+1><ACK=y+2><CTL=ACK>
    state:  FIN-WAIT-2
"""
X, Y = 0xFFFFFFFE, 5000
ACK, FIN, SYN, RST = Control.ACK, Control.FIN, Control.SYN, Control.RST

RUN = RunInfo(
    target="netns",
    seed=42,
    started="2026-01-02T03:04:05+00:00",
    wall_s=12.5,
    version="0.1.0",
    planned=9,
    system={"system": "Linux 6.18", "congestion control": "cubic"},
    argv=("run", "close/*"),
    cases_root="cases",
    directory="reports/20260102-030405",
)


def case(case_id: str, title: str = "A title", path: str = PATH, **changes: object) -> Case:
    values: dict[str, object] = {"rfc": "9293 3.6", "covers": ("MUST-13",)}
    return Case(
        id=case_id, title=title, steps=(), span=Span(path, 1, 1, 6), source=SOURCE, **(values | changes)
    )  # type: ignore[arg-type]


HALF_CLOSE = case(
    "close/half-close-data",
    "Four-way close; data still flows toward the closed side",
    role=Role.CLIENT,
    start=State.ESTABLISHED,
    rfc="9293 3.6.1, Figure 12",
)


def names() -> Names:
    known = Names()
    known.bind_base("x", X)
    known.bind_base("y", Y)
    known["t1"] = 0.0015
    return known


TRACE = (
    Record(0.0, Kind.CALL, -1, "OPEN", inferred="SYN-SENT"),
    Record(
        0.00021,
        Kind.RECEIVED,
        -1,
        "<SEQ=y><CTL=SYN>",
        Segment(Y, 0, SYN),
        inferred="SYN-SENT",
        why="transmission",
    ),
    Record(
        0.00034,
        Kind.SENT,
        -1,
        "<SEQ=x><ACK=y+1><CTL=SYN,ACK>",
        Segment(X, Y + 1, SYN | ACK),
        inferred="ESTABLISHED",
    ),
    Record(
        0.0007,
        Kind.RECEIVED,
        -1,
        "<SEQ=y+1><ACK=x+1><CTL=ACK>",
        Segment(Y + 1, X + 1, ACK),
        inferred="ESTABLISHED",
        why="reply",
    ),
    Record(0.0009, Kind.STATE, -1, "ESTABLISHED", inferred="ESTABLISHED"),
    Record(0.0010, Kind.CALL, 0, "CLOSE", inferred="FIN-WAIT-1"),
    Record(0.0012, Kind.RETURN, 0, "ok", inferred="FIN-WAIT-1"),
    Record(
        0.0015,
        Kind.RECEIVED,
        1,
        "<SEQ=y+1><ACK=x+1><CTL=FIN,ACK>",
        Segment(Y + 1, X + 1, FIN | ACK),
        why="ACK is x+1, the case expects x+2",
        clause="RFC 9293 3.10.4",
        inferred="FIN-WAIT-1",
        wrong=True,
    ),
    Record(0.0016, Kind.STATE, 1, "FIN-WAIT-1", inferred="FIN-WAIT-1"),
    Record(0.0017, Kind.STATE, 1, "FIN-WAIT-1", inferred="FIN-WAIT-1"),
    Record(
        0.2140,
        Kind.RECEIVED,
        None,
        "<SEQ=y+1><ACK=x+1><CTL=FIN,ACK>",
        Segment(Y + 1, X + 1, FIN | ACK),
        why="retransmission",
        inferred="FIN-WAIT-1",
    ),
    Record(0.2150, Kind.NOTE, None, "the tester resets the connection"),
    Record(0.2151, Kind.SENT, None, "<SEQ=x+1><CTL=RST>", Segment(X + 1, 0, RST), inferred="CLOSED"),
)

DIAGNOSIS = Diagnosis(
    "wrong-field",
    "ACK is x+1, not x+2",
    Span(PATH, 8, 22, 31),
    "x+1 came",
    (("came", "<SEQ=y+1><ACK=x+1><CTL=FIN,ACK>"),),
    "RFC 9293 3.10.4",
)

FAILED = Result(
    HALF_CLOSE,
    4,
    Verdict.FAIL,
    "ACK is x+1, not x+2",
    Evidence.OBSERVED,
    0.01,
    0.2151,
    TRACE,
    names(),
    DIAGNOSIS,
    ports=(51000, 40001),
    capture="close/half-close-data.ipv4.pcapng",
)


def result(case_id: str, verdict: Verdict, reason: str = "", ip: int = 4, duration: float = 0.1) -> Result:
    return Result(case(case_id), ip, verdict, reason, Evidence.INFERRED, 0.0, duration)


ALL = (
    result("close/four-way", Verdict.PASS),
    FAILED,
    result("close/rst-in-window[FIN-WAIT-1]", Verdict.XFAIL, "challenge ACK is limited (kernel >= 6.1)"),
    result("data/urgent", Verdict.XPASS, "the deviation no longer occurs: points behind the octet", 6),
    result("data/delayed-ack", Verdict.WARN, "acknowledged after 0.6 s (SHOULD-18)", 6, 1.2),
    result("data/zero-window", Verdict.INCONCLUSIVE, "the tester was 0.30 s late"),
    result("flags/all", Verdict.ERROR, "the agent died: \x1b[31mboom\x00 \ufffe"),
    result("flags/none", Verdict.SKIP, "needs: http, which this target does not offer", duration=0.0),
    result("handshake/three-way", Verdict.PASS, ip=6),
)
