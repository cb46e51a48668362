"""TCP Fast Open (RFC 7413): whose data on a SYN counts, and what may come before the handshake is over."""

import pytest

from conformance.model.case import CallName
from conformance.model.state import Role, State
from conformance.oracle.fast_open import Cookies
from conformance.oracle.oracle import Oracle
from conformance.oracle.prediction import Explanation
from tests.oracle.exchange import Exchange, segment

S = State
COOKIE = "0x22 06 01020304"
SYN = f'<SEQ=100><CTL=SYN><OPT={COOKIE}><DATA="early">'
TAKEN = "<SEQ=300><ACK=106><CTL=SYN,ACK>"
FALLBACK = "<SEQ=300><ACK=101><CTL=SYN,ACK>"


def having(*given: bytes, offered: bool = True) -> Exchange:
    """A listener that has given these cookies to the tester, on other connections."""
    return Exchange(cookies=Cookies(offered, set(given)))


def fast_opened(text: str = SYN, answer: str = TAKEN) -> Exchange:
    return having(b"\1\2\3\4").send(text).comes(answer).state(S.SYN_RECEIVED)


# -- whose data counts ---------------------------------------------------------------------
def test_data_with_a_cookie_that_was_given_may_be_acknowledged() -> None:
    fast_opened().send("<SEQ=106><ACK=301><CTL=ACK>").state(S.ESTABLISHED)


@pytest.mark.parametrize(
    ("exchange", "why"),
    [
        (having(), "nobody has been given it"),
        (having(b"\1\2\3\5"), "another was given"),
        (having(b"\1\2\3\4", offered=False), "the user does not offer Fast Open"),
        (having(b"\1\2\3\4").option("fast_open", "0"), "the user has turned it off"),
    ],
)
def test_without_such_a_cookie_only_the_syn_may_be_acknowledged(exchange: Exchange, why: str) -> None:
    exchange.send(SYN).wrong(TAKEN, "ACK")
    exchange.comes(FALLBACK)


@pytest.mark.parametrize("option", ["", "<OPT=0x22 02>", "<OPT=0x22 07 0102030405>"])
def test_data_without_a_cookie_is_not_acknowledged_with_the_syn(option: str) -> None:
    having(b"\1\2\3\4", b"\1\2\3\4\5").send(f'<SEQ=100><CTL=SYN>{option}<DATA="early">').wrong(TAKEN, "ACK")


def test_a_cookie_counts_on_all_connections_to_its_listener() -> None:
    cookies = Cookies()
    first, second = Exchange(cookies=cookies), Exchange(cookies=cookies)
    first.option("fast_open", "16").send("<SEQ=100><CTL=SYN><OPT=0x22 02>")
    first.comes(f"<SEQ=300><ACK=101><CTL=SYN,ACK><OPT={COOKIE}>")
    second.send(SYN).comes(TAKEN)


def test_a_cookie_of_a_segment_that_is_wrong_counts_nothing() -> None:
    exchange = Exchange().option("fast_open", "16").send("<SEQ=100><CTL=SYN><OPT=0x22 02>")
    exchange.wrong(f"<SEQ=300><ACK=102><CTL=SYN,ACK><OPT={COOKIE}>", "ACK")
    exchange.comes(FALLBACK).send("<SEQ=101><CTL=RST>").send(SYN).wrong(TAKEN)


def test_who_offers_no_fast_open_gives_no_cookie() -> None:
    given = f"<SEQ=300><ACK=101><CTL=SYN,ACK><OPT={COOKIE}>"
    asked = "<SEQ=100><CTL=SYN><OPT=0x22 02>"
    assert Exchange().send(asked).wrong(given, "OPT").citation == "RFC 7413 4.2"
    Exchange().option("fast_open", "16").send(asked).comes(given)


def test_of_a_user_of_whom_nothing_is_known_nothing_is_said() -> None:
    oracle = Oracle(Role.SERVER, 4, listening=True, user_known=False)
    for text, answer in [
        ("<SEQ=100><CTL=SYN><OPT=0x22 02>", f"<SEQ=300><ACK=101><CTL=SYN,ACK><OPT={COOKIE}>"),
        ("<SEQ=101><CTL=RST>", ""),
        (SYN, "<SEQ=900><ACK=106><CTL=SYN,ACK>"),
    ]:
        oracle.inject(segment(text), 0.0)
        assert not answer or isinstance(oracle.observe(segment(answer), 0.0), Explanation)


# -- how much of it ------------------------------------------------------------------------
def test_there_may_be_room_for_a_part_of_the_data() -> None:
    exchange = fast_opened(answer="<SEQ=300><ACK=103><CTL=SYN,ACK>")
    exchange.send('<SEQ=103><ACK=301><CTL=ACK><DATA="rly">').comes("<SEQ=301><ACK=106><CTL=ACK>")


def test_not_more_is_acknowledged_than_came() -> None:
    having(b"\1\2\3\4").send(SYN).wrong("<SEQ=300><ACK=107><CTL=SYN,ACK>", "ACK")


def test_what_was_acknowledged_stays_acknowledged() -> None:
    fast_opened().wrong(FALLBACK, "ACK")
    fast_opened(answer=FALLBACK).wrong(TAKEN, "ACK")


@pytest.mark.parametrize("ack", [106, 107])
def test_a_fin_on_the_syn_may_be_taken_with_the_data_or_wait(ack: int) -> None:
    exchange = having(b"\1\2\3\4").send(SYN.replace("SYN", "SYN,FIN"))
    exchange.comes(f"<SEQ=300><ACK={ack}><CTL=SYN,ACK>")
    assert exchange.oracle.observe_state({S.SYN_RECEIVED})
    exchange.comes(f"<SEQ=300><ACK={ack}><CTL=SYN,ACK>")
    exchange.send("<SEQ=107><ACK=301><CTL=ACK>").state(S.CLOSE_WAIT)


@pytest.mark.parametrize("text", [SYN, "<SEQ=100><CTL=SYN>"])
def test_a_syn_that_comes_again_is_answered_as_the_first(text: str) -> None:
    fast_opened().send(text).comes(TAKEN)
    fast_opened().send(text).comes("<SEQ=301><ACK=106><CTL=ACK>")
    fast_opened().send(text).wrong("<SEQ=301><ACK=101><CTL=ACK>", "ACK")


# -- before the handshake is over ----------------------------------------------------------
def test_the_user_may_answer_at_once_within_the_window_of_the_syn() -> None:
    exchange = having(b"\1\2\3\4").send(SYN + "<WND=4>").comes(TAKEN).call(CallName.SEND, b"answer")
    exchange.comes('<SEQ=301><ACK=106><CTL=ACK><DATA="answ">')
    exchange.wrong('<SEQ=305><ACK=106><CTL=ACK><DATA="er">', "DATA")
    exchange.send("<SEQ=106><ACK=305><CTL=ACK><WND=10>").state(S.ESTABLISHED)
    exchange.comes('<SEQ=305><ACK=106><CTL=ACK><DATA="er">')


def test_the_answer_may_come_with_the_syn_ack() -> None:
    exchange = having(b"\1\2\3\4").send(SYN).call(CallName.SEND, b"answer")
    exchange.wrong('<SEQ=300><ACK=106><CTL=SYN,ACK><DATA="nonsense">', "DATA")
    exchange.comes('<SEQ=300><ACK=106><CTL=SYN,ACK><DATA="answer">')
    exchange.send("<SEQ=106><ACK=307><CTL=ACK>").state(S.ESTABLISHED)


def test_who_has_not_taken_the_data_sends_nothing_before_established() -> None:
    exchange = fast_opened(answer=FALLBACK).call(CallName.SEND, b"answer")
    exchange.wrong('<SEQ=301><ACK=101><CTL=ACK><DATA="a">', "DATA")
    exchange.send("<SEQ=101><ACK=301><CTL=ACK>").comes('<SEQ=301><ACK=101><CTL=ACK><DATA="answer">')


def test_a_close_without_a_send_leads_to_fin_wait_1_at_once() -> None:
    exchange = fast_opened().call(CallName.CLOSE).state(S.FIN_WAIT_1)
    exchange.comes("<SEQ=301><ACK=106><CTL=FIN,ACK>").comes(TAKEN)
    exchange.send("<SEQ=100><CTL=SYN>").comes(TAKEN)
    exchange.send("<SEQ=106><ACK=301><CTL=ACK>").state(S.FIN_WAIT_1)
    exchange.send("<SEQ=106><ACK=302><CTL=ACK>").state(S.FIN_WAIT_2)
    exchange.later(1).wrong(TAKEN, "CTL")


def test_a_reset_counts_behind_the_data() -> None:
    fast_opened().send("<SEQ=101><CTL=RST>").state(S.SYN_RECEIVED)
    fast_opened().send("<SEQ=106><CTL=RST>").state(S.LISTEN, S.CLOSED)


# -- the client ----------------------------------------------------------------------------
def client() -> Exchange:
    exchange = Exchange(Role.CLIENT, listening=False).option("fast_open_connect", "on")
    return exchange.call(CallName.OPEN).state(S.SYN_SENT)


def test_the_syn_may_wait_for_the_first_send() -> None:
    exchange = client().later(9)
    assert exchange.oracle.owed_in_all(exchange.now) is None
    exchange.call(CallName.SEND, b"early").later(9)
    assert exchange.oracle.owed_in_all(exchange.now) is not None


def test_a_syn_has_the_octets_of_the_user_and_no_others() -> None:
    client().call(CallName.SEND, b"early").wrong('<SEQ=300><CTL=SYN><DATA="later">', "DATA")
    client().call(CallName.SEND, b"early").wrong('<SEQ=300><CTL=SYN><DATA="early on">', "DATA")
    client().wrong('<SEQ=300><CTL=SYN><DATA="x">', "DATA")


def test_data_of_a_syn_that_was_acknowledged_need_not_be_sent_again() -> None:
    exchange = client().call(CallName.SEND, b"early").comes('<SEQ=300><CTL=SYN><DATA="early">')
    exchange.send("<SEQ=100><ACK=306><CTL=SYN,ACK>").comes("<SEQ=306><ACK=101><CTL=ACK>").state(S.ESTABLISHED)
    exchange.wrong("<SEQ=301><ACK=101><CTL=ACK>", "SEQ")


@pytest.mark.parametrize("ack", [301, 303])
def test_data_of_a_syn_that_was_not_acknowledged_is_sent_again(ack: int) -> None:
    exchange = client().call(CallName.SEND, b"early").comes('<SEQ=300><CTL=SYN><DATA="early">')
    exchange.comes("<SEQ=300><CTL=SYN>").send(f"<SEQ=100><ACK={ack}><CTL=SYN,ACK>")
    rest = "early"[ack - 301 :]
    exchange.comes(f'<SEQ={ack}><ACK=101><CTL=ACK><DATA="{rest}">')
    assert not exchange.oracle.due()


def test_a_syn_ack_of_more_than_the_syn_brought_is_reset() -> None:
    exchange = client().call(CallName.SEND, b"early").comes('<SEQ=300><CTL=SYN><DATA="early">')
    exchange.send("<SEQ=100><ACK=307><CTL=SYN,ACK>").comes("<SEQ=307><CTL=RST>").state(S.SYN_SENT)
