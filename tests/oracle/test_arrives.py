"""RFC 9293 3.10.7, state by state: what each kind of segment draws and leads to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.model import seq
from conformance.model.case import CallName
from conformance.model.segment import Control, Segment
from conformance.model.state import SYNCHRONIZED, Role, State
from conformance.oracle.arrives import segment_arrives
from conformance.oracle.latitude import DEFAULT_PROFILE
from conformance.oracle.prediction import Violation
from conformance.oracle.tables import CALLS, FIN_ARRIVES, RST_CHECK, SYN_CHECK
from conformance.oracle.tcb import Tcb
from tests.oracle.exchange import Exchange, established

S = State
NONE = (S.CLOSED, S.LISTEN)


def closing(state: State) -> Exchange:
    """An exchange that has come to one of the synchronized states; RCV.NXT is 101 or, after a FIN, 102."""
    exchange = established()
    fin = "<SEQ=301><ACK=101><CTL=FIN,ACK>"
    match state:
        case S.FIN_WAIT_1:
            exchange.call(CallName.CLOSE).comes(fin)
        case S.FIN_WAIT_2:
            closing_from = exchange.call(CallName.CLOSE).comes(fin)
            closing_from.send("<SEQ=101><ACK=302><CTL=ACK>")
        case S.CLOSE_WAIT | S.LAST_ACK:
            exchange.send("<SEQ=101><ACK=301><CTL=FIN,ACK>").comes("<SEQ=301><ACK=102><CTL=ACK>")
            if state is S.LAST_ACK:
                exchange.call(CallName.CLOSE).comes("<SEQ=301><ACK=102><CTL=FIN,ACK>")
        case S.CLOSING:
            exchange.call(CallName.CLOSE).comes(fin)
            exchange.send("<SEQ=101><ACK=301><CTL=FIN,ACK>").comes("<SEQ=302><ACK=102><CTL=ACK>")
        case S.TIME_WAIT:
            exchange.call(CallName.CLOSE).comes(fin).send("<SEQ=101><ACK=302><CTL=FIN,ACK>")
            exchange.comes("<SEQ=302><ACK=102><CTL=ACK>")
    return exchange.state(state)


synchronized = pytest.mark.parametrize("state", sorted(SYNCHRONIZED, key=str), ids=str)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("<SEQ=100><CTL=SYN>", "<SEQ=0><ACK=101><CTL=RST,ACK>"),
        ('<SEQ=100><CTL=SYN><DATA="abc">', "<SEQ=0><ACK=104><CTL=RST,ACK>"),
        ("<SEQ=100><CTL=FIN>", "<SEQ=0><ACK=101><CTL=RST,ACK>"),
        ("<SEQ=100><ACK=7><CTL=ACK>", "<SEQ=7><CTL=RST>"),
        ("<SEQ=100><ACK=7><CTL=SYN,ACK>", "<SEQ=7><CTL=RST>"),
        ("<SEQ=100><CTL=RST>", None),
        ("<SEQ=100><ACK=7><CTL=RST,ACK>", None),
    ],
)
def test_closed(text: str, reply: str | None) -> None:
    exchange = Exchange(listening=False).send(text)
    if reply is None:
        assert exchange.oracle.due() == []
    else:
        exchange.comes(reply)
    exchange.state(S.CLOSED)


def test_closed_wants_that_very_reset() -> None:
    Exchange(listening=False).send("<SEQ=100><CTL=SYN>").wrong("<SEQ=1><ACK=101><CTL=RST,ACK>", "SEQ")
    Exchange(listening=False).send("<SEQ=100><CTL=SYN>").wrong("<SEQ=0><ACK=100><CTL=RST,ACK>", "ACK")
    Exchange(listening=False).send("<SEQ=100><CTL=RST>").wrong("<SEQ=0><ACK=100><CTL=RST,ACK>", "CTL")


@pytest.mark.parametrize(
    "text", ["<SEQ=100><CTL=RST>", "<SEQ=1><CTL=FIN>", "<SEQ=1><CTL=none>", "<SEQ=1><CTL=URG>"]
)
def test_listen_ignores(text: str) -> None:
    exchange = Exchange().send(text).state(*NONE)
    assert exchange.oracle.expected() is None


def test_listen_resets_an_ack() -> None:
    Exchange().send("<SEQ=100><ACK=7><CTL=ACK>").comes("<SEQ=7><CTL=RST>").state(*NONE)


def test_listen_owes_a_reset_for_each_of_two_acks() -> None:
    exchange = Exchange().send("<SEQ=100><ACK=7><CTL=ACK>").send("<SEQ=100><ACK=8><CTL=ACK>")
    exchange.comes("<SEQ=7><CTL=RST>").comes("<SEQ=8><CTL=RST>")


def syn_sent() -> Exchange:
    return Exchange(Role.CLIENT, listening=False).call(CallName.OPEN).comes("<SEQ=300><CTL=SYN>")


@pytest.mark.parametrize("number", [300, 302, 299])
def test_syn_sent_resets_a_bad_ack(number: int) -> None:
    exchange = syn_sent().send(f"<SEQ=100><ACK={number}><CTL=SYN,ACK>")
    exchange.comes(f"<SEQ={number}><CTL=RST>").state(S.SYN_SENT)


def test_syn_sent_and_resets() -> None:
    syn_sent().send("<SEQ=0><ACK=301><CTL=RST,ACK>").state(S.CLOSED)
    syn_sent().send("<SEQ=0><ACK=300><CTL=RST,ACK>").state(S.SYN_SENT)
    syn_sent().send("<SEQ=0><CTL=RST>").state(S.SYN_SENT)


def test_syn_received_resets_a_bad_ack() -> None:
    exchange = Exchange().send("<SEQ=100><CTL=SYN>").comes("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    exchange.send("<SEQ=101><ACK=302><CTL=ACK>").comes("<SEQ=302><CTL=RST>").state(S.SYN_RECEIVED)


def test_syn_received_from_an_active_open_is_refused() -> None:
    exchange = syn_sent().send("<SEQ=100><CTL=SYN>").comes("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    exchange.send("<SEQ=101><CTL=RST>").state(S.CLOSED)


@synchronized
def test_rst_exact_in_window_and_outside(state: State) -> None:
    expected = closing(state).oracle.tcb.rcv_nxt
    exact = closing(state).send(f"<SEQ={expected}><CTL=RST>")
    assert S.CLOSED in exact.oracle.states()
    inside = closing(state).send(f"<SEQ={expected + 1}><CTL=RST>").state(state)
    inside.comes(f"<SEQ={inside.oracle.tcb.snd_nxt}><ACK={expected}><CTL=ACK>")
    outside = closing(state).send(f"<SEQ={expected - 1}><CTL=RST>").state(state)
    assert outside.oracle.due() == []


@synchronized
@pytest.mark.parametrize("where", [-50, 0, 1000, 70000])
def test_syn_anywhere_draws_a_challenge_ack(state: State, where: int) -> None:
    exchange = closing(state)
    tcb = exchange.oracle.tcb
    exchange.send(f"<SEQ={tcb.rcv_nxt + where}><CTL=SYN>")
    assert exchange.oracle.state is state
    exchange.comes(f"<SEQ={tcb.snd_nxt}><ACK={tcb.rcv_nxt}><CTL=ACK>").state(state)


@synchronized
def test_data_outside_the_window_is_acknowledged_and_dropped(state: State) -> None:
    exchange = closing(state)
    tcb = exchange.oracle.tcb
    exchange.send(f'<SEQ={tcb.rcv_nxt + 70000}><ACK={tcb.snd_nxt}><CTL=ACK><DATA="x">').state(state)
    exchange.comes(f"<SEQ={tcb.snd_nxt}><ACK={tcb.rcv_nxt}><CTL=ACK>")


@synchronized
def test_a_segment_without_ack_is_dropped(state: State) -> None:
    exchange = closing(state)
    exchange.send(f"<SEQ={exchange.oracle.tcb.rcv_nxt}><CTL=FIN>").state(state)
    assert exchange.oracle.due() == []


def test_out_of_order_then_the_gap_filled() -> None:
    exchange = (
        established().send('<SEQ=104><ACK=301><CTL=ACK><DATA="def">').comes("<SEQ=301><ACK=101><CTL=ACK>")
    )
    exchange.send('<SEQ=101><ACK=301><CTL=ACK><DATA="abc">').comes("<SEQ=301><ACK=107><CTL=ACK>")


def test_a_fin_out_of_order_waits() -> None:
    exchange = established().send("<SEQ=102><ACK=301><CTL=FIN,ACK>").state(S.ESTABLISHED)
    exchange.comes("<SEQ=301><ACK=101><CTL=ACK>").send('<SEQ=101><ACK=301><CTL=ACK><DATA="a">')
    exchange.comes("<SEQ=301><ACK=103><CTL=ACK>").state(S.CLOSE_WAIT)


def test_half_duplex_close_resets_late_data() -> None:
    exchange = established().call(CallName.CLOSE, half_duplex=True).comes("<SEQ=301><ACK=101><CTL=FIN,ACK>")
    exchange.send('<SEQ=101><ACK=302><CTL=ACK><DATA="late">').comes("<SEQ=302><CTL=RST>")


def test_a_new_syn_may_reopen_time_wait() -> None:
    exchange = closing(S.TIME_WAIT).send("<SEQ=5000><CTL=SYN>")
    exchange.comes("<SEQ=900><ACK=5001><CTL=SYN,ACK>").state(S.SYN_RECEIVED)


def test_every_state_has_its_cells() -> None:
    for call, cells in CALLS.items():
        assert set(cells) == set(State), call
    assert set(RST_CHECK) == set(SYN_CHECK) == SYNCHRONIZED | {S.SYN_RECEIVED}
    assert set(FIN_ARRIVES) == SYNCHRONIZED | {S.SYN_RECEIVED}


controls = st.builds(lambda value: Control(value & 0x3F), st.integers(0, 63))
near = st.integers(-70000, 70000)


@given(
    st.sampled_from(list(State)), controls, near, near, st.binary(max_size=3), st.integers(0, (1 << 32) - 1)
)
def test_outcomes_do_not_depend_on_where_the_numbers_are(
    state: State, ctl: Control, at: int, acks: int, data: bytes, shift: int
) -> None:
    """Moving every sequence number by the same amount changes nothing but the numbers."""

    def outcomes(base: int) -> list[tuple[State, list[str]]]:
        tcb = Tcb(state, True, iss=seq.wrap(base + 300), irs=seq.wrap(base + 100))
        tcb.snd_una = tcb.snd_nxt = seq.wrap(base + 301)
        tcb.rcv_nxt, tcb.rcv_edge = seq.wrap(base + 101), seq.wrap(base + 60101)
        tcb.snd_wnd = tcb.max_snd_wnd = 65535
        if state in (S.SYN_SENT, S.SYN_RECEIVED):
            tcb.snd_una = tcb.iss or 0
        arriving = Segment(seq.wrap(base + 101 + at), seq.wrap(base + 301 + acks), ctl, data=data)
        found = segment_arrives(tcb, arriving, 0.0, DEFAULT_PROFILE)
        return [
            (item.tcb.state, [str(prediction.forms[0].ctl) for prediction in item.predictions])
            for item in found
        ]

    assert outcomes(0) == outcomes(shift)


# -- TIME-WAIT --------------------------------------------------------------------------
@pytest.mark.parametrize("answer", ["", "<SEQ=302><ACK=102><CTL=ACK>"])
def test_a_rst_in_the_window_does_not_end_time_wait(answer: str) -> None:
    """A challenge ACK (RFC 5961 3.2), or nothing (RFC 1337, F1)."""
    exchange = closing(S.TIME_WAIT).send("<SEQ=103><CTL=RST>")
    if answer:
        exchange.comes(answer)
    assert exchange.oracle.states() == {S.TIME_WAIT}
    assert exchange.oracle.owed_in_all(99.0) is None


def test_a_rst_after_a_reopening_syn_returns_to_time_wait() -> None:
    """RFC 9293 3.6.1 MAY-2 (2)."""
    exchange = closing(S.TIME_WAIT).send("<SEQ=5000><CTL=SYN>").comes("<SEQ=9000><ACK=5001><CTL=SYN,ACK>")
    assert exchange.oracle.states() == {S.SYN_RECEIVED}
    exchange.send("<SEQ=5001><CTL=RST>")
    assert exchange.oracle.states() == {S.TIME_WAIT}
    exchange.send("<SEQ=101><ACK=302><CTL=FIN,ACK>").comes("<SEQ=302><ACK=102><CTL=ACK>")


def test_a_reopened_connection_is_like_any_other() -> None:
    exchange = closing(S.TIME_WAIT).send("<SEQ=5000><CTL=SYN>").comes("<SEQ=9000><ACK=5001><CTL=SYN,ACK>")
    exchange.send("<SEQ=5001><ACK=9001><CTL=ACK>")
    assert exchange.oracle.states() == {S.ESTABLISHED}
    exchange.send("<SEQ=5001><CTL=RST>")
    assert exchange.oracle.states() <= {S.CLOSED, S.LISTEN}


@pytest.mark.parametrize("state", [S.ESTABLISHED, S.TIME_WAIT])
def test_an_empty_segment_may_be_acknowledged_in_the_window_but_not_at_its_left_edge(state: State) -> None:
    ours, theirs = (302, 102) if state is S.TIME_WAIT else (301, 101)
    acknowledgment = f"<SEQ={ours}><ACK={theirs}><CTL=ACK>"
    beyond = closing(state).send(f"<SEQ={theirs + 100}><ACK={ours}><CTL=ACK>")
    assert beyond.oracle.owed_in_all(99.0) is None
    beyond.comes(acknowledgment).state(state)
    at_edge = closing(state).send(f"<SEQ={theirs}><ACK={ours}><CTL=ACK>")
    assert isinstance(at_edge.judge(acknowledgment), Violation)
