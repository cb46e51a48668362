"""Every event in every state has its one cell, and each cell cites its clause."""

import pytest

from conformance.model import seq
from conformance.model.case import CallName
from conformance.model.segment import Control, Segment
from conformance.model.state import State
from conformance.oracle.arrives import segment_arrives
from conformance.oracle.grid import Cell, Kind, Where, cell_of, cells
from conformance.oracle.latitude import DEFAULT_PROFILE
from conformance.oracle.tables import CALLS, TIMEOUTS, Timeout
from conformance.oracle.tcb import Tcb

ACK, FIN, RST, SYN = Control.ACK, Control.FIN, Control.RST, Control.SYN
BITS = {
    Kind.RST: RST,
    Kind.SYN: SYN,
    Kind.SYN_ACK: SYN | ACK,
    Kind.NO_ACK: FIN,
    Kind.FIN: FIN | ACK,
    Kind.DATA: ACK,
    Kind.ACK: ACK,
}
OFFSET = {Where.BELOW: -100, Where.INSIDE: 0, Where.ABOVE: 100000}


def tcb(state: State) -> Tcb:
    """A target in `state`: ISS 300, IRS 100, a window of 60000."""
    made = Tcb(state, passive=state is not State.SYN_SENT, listening=state is State.LISTEN, iss=300, irs=100)
    made.snd_una, made.snd_nxt = (300 if state in (State.SYN_SENT, State.SYN_RECEIVED) else 301), 301
    made.rcv_nxt, made.rcv_edge = 101, 60101
    made.snd_wnd = made.max_snd_wnd = 60000
    if state in (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK):
        made.fin_queued = made.fin_sent = True
        made.snd_nxt = 302
    return made


def arriving(cell: Cell, target: Tcb) -> Segment:
    """A segment that falls into `cell`."""
    ctl = BITS[cell.kind]
    ack = target.snd_nxt
    if cell.where in (Where.GOOD, Where.BAD):
        ctl |= ACK
        ack = 301 if cell.where is Where.GOOD else 300
    place = seq.add(target.rcv_nxt, OFFSET.get(cell.where, 0))
    return Segment(place, ack, ctl, data=b"x" if cell.kind is Kind.DATA else b"")


@pytest.mark.parametrize("cell", list(cells()), ids=str)
def test_each_cell_is_reached_decided_and_cited(cell: Cell) -> None:
    target = tcb(cell.state)
    segment = arriving(cell, target)
    assert cell_of(target, segment) == cell
    outcomes = segment_arrives(target, segment, 0.0, DEFAULT_PROFILE)
    assert outcomes
    for outcome in outcomes:
        said = [outcome.why, *(prediction.citation for prediction in outcome.predictions)]
        assert any("RFC" in clause for clause in said), cell
        assert len({form.ctl for item in outcome.predictions for form in item.forms[:1]}) <= 1


def test_no_cell_twice() -> None:
    found = list(cells())
    assert len(found) == len(set(found)) == len({str(cell) for cell in found})


@pytest.mark.parametrize("state", list(State), ids=str)
def test_each_call_and_timeout_has_a_cell(state: State) -> None:
    rows = [CALLS[name][state] for name in CallName if name is not CallName.OPTION]
    rows += [TIMEOUTS[timeout][state] for timeout in Timeout]
    assert all(cell.citation.startswith("RFC 9293 3.10.") for cell in rows)
