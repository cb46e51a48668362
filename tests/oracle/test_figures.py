"""The figures of RFC 9293 3.5 and 3.6, TCP Peer B judged by the oracle, numbers as printed there."""

from conformance.model.case import CallName
from conformance.model.state import Role, State
from tests.oracle.exchange import Exchange

S = State


def test_figure_6_basic_synchronization() -> None:
    exchange = Exchange().state(S.CLOSED, S.LISTEN)
    exchange.send("<SEQ=100><CTL=SYN>").state(S.SYN_RECEIVED)
    exchange.comes("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    exchange.send("<SEQ=101><ACK=301><CTL=ACK>").state(S.ESTABLISHED)
    exchange.send('<SEQ=101><ACK=301><CTL=ACK><DATA="data">')
    exchange.comes("<SEQ=301><ACK=105><CTL=ACK>")


def test_figure_6_seen_from_the_other_side() -> None:
    exchange = Exchange(Role.CLIENT, listening=False).call(CallName.OPEN).state(S.SYN_SENT)
    exchange.comes("<SEQ=100><CTL=SYN>").send("<SEQ=300><ACK=101><CTL=SYN,ACK>").state(S.ESTABLISHED)
    exchange.comes("<SEQ=101><ACK=301><CTL=ACK>")


def test_figure_7_simultaneous_open() -> None:
    exchange = Exchange(Role.CLIENT, listening=False).call(CallName.OPEN)
    exchange.comes("<SEQ=100><CTL=SYN>").send("<SEQ=300><CTL=SYN>").state(S.SYN_RECEIVED)
    exchange.comes("<SEQ=100><ACK=301><CTL=SYN,ACK>")
    exchange.send("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    assert exchange.oracle.state is S.ESTABLISHED


def test_figure_8_old_duplicate_syn() -> None:
    exchange = Exchange()
    exchange.send("<SEQ=90><CTL=SYN>").comes("<SEQ=300><ACK=91><CTL=SYN,ACK>").state(S.SYN_RECEIVED)
    exchange.send("<SEQ=91><CTL=RST>").state(S.CLOSED, S.LISTEN)
    exchange.send("<SEQ=100><CTL=SYN>").comes("<SEQ=400><ACK=101><CTL=SYN,ACK>")
    exchange.send("<SEQ=101><ACK=401><CTL=ACK>").state(S.ESTABLISHED)


def test_figure_9_half_open_discovery() -> None:
    exchange = Exchange()
    exchange.send("<SEQ=99><CTL=SYN>").comes("<SEQ=299><ACK=100><CTL=SYN,ACK>")
    exchange.send("<SEQ=100><ACK=300><CTL=ACK>").state(S.ESTABLISHED)
    # TCP Peer A has crashed and opens anew with an old sequence number.
    exchange.send("<SEQ=400><CTL=SYN>").comes("<SEQ=300><ACK=100><CTL=ACK>")
    exchange.send("<SEQ=100><CTL=RST>").state(S.CLOSED, S.LISTEN)


def test_figure_12_normal_close_of_both_peers() -> None:
    exchange = Exchange()
    exchange.send("<SEQ=99><CTL=SYN>").comes("<SEQ=299><ACK=100><CTL=SYN,ACK>")
    exchange.send("<SEQ=100><ACK=300><CTL=ACK>")
    exchange.send("<SEQ=100><ACK=300><CTL=FIN,ACK>").state(S.CLOSE_WAIT)
    exchange.comes("<SEQ=300><ACK=101><CTL=ACK>").call(CallName.CLOSE)
    exchange.comes("<SEQ=300><ACK=101><CTL=FIN,ACK>").state(S.LAST_ACK)
    exchange.send("<SEQ=101><ACK=301><CTL=ACK>").state(S.CLOSED, S.LISTEN)


def test_figure_12_from_the_side_that_closes_first() -> None:
    exchange = Exchange()
    exchange.send("<SEQ=299><CTL=SYN>").comes("<SEQ=99><ACK=300><CTL=SYN,ACK>")
    exchange.send("<SEQ=300><ACK=100><CTL=ACK>").call(CallName.CLOSE).state(S.FIN_WAIT_1)
    exchange.comes("<SEQ=100><ACK=300><CTL=FIN,ACK>")
    exchange.send("<SEQ=300><ACK=101><CTL=ACK>").state(S.FIN_WAIT_2)
    exchange.send("<SEQ=300><ACK=101><CTL=FIN,ACK>").comes("<SEQ=101><ACK=301><CTL=ACK>").state(S.TIME_WAIT)


def test_figure_13_simultaneous_close() -> None:
    exchange = Exchange()
    exchange.send("<SEQ=299><CTL=SYN>").comes("<SEQ=99><ACK=300><CTL=SYN,ACK>")
    exchange.send("<SEQ=300><ACK=100><CTL=ACK>").call(CallName.CLOSE)
    exchange.comes("<SEQ=100><ACK=300><CTL=FIN,ACK>").send("<SEQ=300><ACK=100><CTL=FIN,ACK>").state(S.CLOSING)
    exchange.comes("<SEQ=101><ACK=301><CTL=ACK>").send("<SEQ=301><ACK=101><CTL=ACK>").state(S.TIME_WAIT)
