"""docs/tcp.md says what the oracle says: its ladders and its diagram are made anew and compared."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.cli_cases import meant
from conformance.model.case import CallName, UserCall
from conformance.model.segment import Control, Segment
from conformance.model.state import State
from conformance.oracle.arrives import segment_arrives
from conformance.oracle.calls import user_call
from conformance.oracle.latitude import DEFAULT_PROFILE
from conformance.oracle.tables import CALLS, FIN_ACKED, FIN_ARRIVES, TIMEOUTS, Timeout
from conformance.oracle.tcb import Tcb
from conformance.report.prediction import predicted

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tcp.md"
BLOCK = re.compile(r"^```(text|mermaid) (.*)\n(?:.*\n)*?```$", re.MULTILINE)
ACK, SYN = Control.ACK, Control.SYN
X, Y = 1000, 5000
LINK = re.compile(r"\[[^]]*\]\(([^)]+)\)")


def ladder(name: str) -> str:
    """Return the ladder of one variant, as `conformance show` prints it."""
    (case,) = meant((name,), rehearsed=True)
    lines = predicted(case)
    return "\n".join(lines[lines.index("") + 1 : lines.index("after") - 1])


def transitions() -> Iterator[tuple[State, State, str]]:
    """Yield what leads from one state to the next, from the oracle's tables."""
    yield State.CLOSED, State.LISTEN, "passive OPEN"
    for call in (CallName.OPEN, CallName.CLOSE):
        for state, cell in CALLS[call].items():
            if cell.next is not None:
                yield state, cell.next, "active OPEN" if call is CallName.OPEN else "CLOSE"
    yield from handshake()
    for table, event in ((FIN_ACKED, "ACK of FIN"), (FIN_ARRIVES, "FIN")):
        for state, cell in table.items():
            if cell.next is not None:
                yield state, cell.next, event
    for state, cell in TIMEOUTS[Timeout.TIME_WAIT].items():
        if cell.next is not None:
            yield state, cell.next, "2MSL"


def handshake() -> Iterator[tuple[State, State, str]]:
    """Yield what the segments that open a connection do, which no table has."""
    listening = Tcb(State.LISTEN, True, listening=True)
    opening = user_call(Tcb(State.CLOSED, False), UserCall(CallName.OPEN), 0.0).outcome.tcb
    opening.choose_iss(Y)
    syn, syn_ack = Segment(X, 0, SYN), Segment(X, Y + 1, SYN | ACK)
    answering = arrived(listening, syn)
    answering.choose_iss(Y)
    for before, segment, event in (
        (listening, syn, "SYN"),
        (opening, syn, "SYN"),
        (opening, syn_ack, "SYN,ACK"),
        (answering, Segment(X + 1, Y + 1, ACK), "ACK of SYN"),
    ):
        yield before.state, arrived(before, segment).state, event


def arrived(tcb: Tcb, segment: Segment) -> Tcb:
    return segment_arrives(tcb, segment, 0.0, DEFAULT_PROFILE)[0].tcb


def diagram() -> str:
    """Return the diagram for Mermaid, to which a hyphen is no letter."""
    named = [f'    state "{state.value}" as {state.name}' for state in State]
    arrows = [f"    {before.name} --> {behind.name}: {event}" for before, behind, event in transitions()]
    return "\n".join(["stateDiagram-v2", *named, *arrows])


def renewed(text: str) -> str:
    """Return the page with each block as the oracle has it now."""

    def block(found: re.Match[str]) -> str:
        kind, what = found[1], found[2]
        shown = diagram() if kind == "mermaid" else ladder(what.split("'")[1])
        return f"```{kind} {what}\n{shown}\n```"

    return BLOCK.sub(block, text)


def test_the_ladders_and_the_diagram_are_the_oracles(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    now = renewed(text)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(now, encoding="utf-8")
        text = now
    assert text == now
    assert len(BLOCK.findall(text)) >= 11


def test_each_linked_case_is_there() -> None:
    links = LINK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(links) > 30
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
