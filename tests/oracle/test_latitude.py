"""Each liberty is data, and each of its alternatives is accepted by the oracle."""

from collections.abc import Callable

import pytest

from conformance.model.case import CallName, UserCall
from conformance.model.state import Role, State
from conformance.oracle.fast_open import Cookies
from conformance.oracle.latitude import LIBERTIES, PROFILES
from conformance.oracle.prediction import Explanation, Violation
from tests.oracle.exchange import Exchange, established
from tests.oracle.test_arrives import closing
from tests.oracle.test_icmp import in_flight, told
from tests.oracle.test_options import negotiated

S = State
SYN_RECEIVED = "<SEQ=300><ACK=101><CTL=SYN,ACK>"


def opened() -> Exchange:
    return Exchange().send("<SEQ=100><CTL=SYN>").comes(SYN_RECEIVED)


def crossed() -> Exchange:
    exchange = Exchange(Role.CLIENT, listening=False).call(CallName.OPEN).comes("<SEQ=300><CTL=SYN>")
    exchange.send("<SEQ=100><CTL=SYN>").comes(SYN_RECEIVED)
    return exchange.send("<SEQ=100><ACK=301><CTL=SYN,ACK>")


def text_on_syn(ack: int) -> Exchange:
    exchange = Exchange().send('<SEQ=100><CTL=SYN><DATA="ab">').comes(SYN_RECEIVED)
    return (
        exchange.send("<SEQ=103><ACK=301><CTL=ACK>")
        .send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">')
        .comes(f"<SEQ=301><ACK={ack}><CTL=ACK>")
    )


def early() -> Exchange:
    return established().send('<SEQ=103><ACK=301><CTL=ACK><DATA="cd">')


def challenged() -> Exchange:
    exchange = established().send("<SEQ=200><CTL=SYN>").comes("<SEQ=301><ACK=101><CTL=ACK>")
    return exchange.send("<SEQ=200><CTL=SYN>")


def half_closed() -> Exchange:
    exchange = established().call(CallName.SEND, b"x" * 600)
    return exchange.send("<SEQ=101><ACK=301><CTL=FIN,ACK>").call(CallName.CLOSE)


def illegal() -> Exchange:
    return Exchange().send("<SEQ=100><CTL=SYN><OPT=0xC8 00>")


def unstamped() -> Exchange:
    return negotiated().send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">')


def unreachable() -> Exchange:
    exchange = in_flight()
    told(exchange, "port-unreachable", 301)
    return exchange


def may_be(exchange: Exchange, state: State) -> None:
    assert exchange.oracle.observe_state({state})


def orphaned() -> Exchange:
    exchange = established().call(CallName.CLOSE, half_duplex=True).comes("<SEQ=301><ACK=101><CTL=FIN,ACK>")
    exchange.send("<SEQ=101><ACK=302><CTL=ACK>").state(S.FIN_WAIT_2)
    exchange.oracle.time_passed()
    return exchange.send("<SEQ=101><ACK=302><CTL=FIN,ACK>")


def unaccepted(exchange: Exchange) -> Exchange:
    exchange.oracle.listener_closed(exchange.now, accepted=False)
    return exchange


def points(pointer: int, profile: str) -> Explanation | Violation:
    """Return how a segment with four octets of urgent data and this urgent pointer is judged."""
    exchange = established(profile=PROFILES[profile])
    exchange.oracle.call(UserCall(CallName.SEND, data=b"stop", urgent=True), exchange.now, b"stop")
    return exchange.judge(f'<SEQ=301><ACK=101><CTL=URG,ACK><URP={pointer}><DATA="stop">')


def may_point(pointer: int, profile: str) -> None:
    assert isinstance(points(pointer, profile), Explanation)


def fast_opened(answer: str = "<SEQ=300><ACK=103><CTL=SYN,ACK>") -> Exchange:
    exchange = Exchange(cookies=Cookies(True, {b"abcd"}))
    return exchange.send('<SEQ=100><CTL=SYN><OPT=0x22 06 61626364><DATA="ab">').comes(answer)


def answered() -> Exchange:
    return fast_opened().call(CallName.SEND, b"answer")


def hasty() -> Exchange:
    exchange = Exchange(Role.CLIENT, listening=False).option("fast_open_connect", "on")
    return exchange.call(CallName.OPEN)


def may_be_silent(exchange: Exchange) -> None:
    assert exchange.oracle.owed_in_all(99.0) is None


ALTERNATIVES: dict[str, tuple[Callable[[], object], ...]] = {
    "duplicate-syn": (
        lambda: opened().send("<SEQ=100><CTL=SYN>").comes(SYN_RECEIVED),
        lambda: opened().send("<SEQ=100><CTL=SYN>").comes("<SEQ=301><ACK=101><CTL=ACK>"),
    ),
    "crossed-syn-ack": (
        lambda: may_be(crossed(), S.ESTABLISHED),
        lambda: may_be(crossed(), S.SYN_RECEIVED),
    ),
    "reset-with-ack": (
        lambda: established().call(CallName.ABORT).comes("<SEQ=301><CTL=RST>"),
        lambda: established().call(CallName.ABORT).comes("<SEQ=301><ACK=101><CTL=RST,ACK>"),
    ),
    "text-on-syn": (lambda: text_on_syn(103), lambda: text_on_syn(103)),
    "fast-open": (fast_opened, lambda: fast_opened(SYN_RECEIVED)),
    "fast-open-response": (
        lambda: answered().comes('<SEQ=301><ACK=103><CTL=ACK><DATA="answer">'),
        lambda: may_be_silent(answered().later(9.0)),
    ),
    "fast-open-close": (
        lambda: (
            answered()
            .call(CallName.CLOSE)
            .comes('<SEQ=301><ACK=103><CTL=FIN,ACK><DATA="answer">')
            .state(S.FIN_WAIT_1)
        ),
        lambda: may_be(answered().call(CallName.CLOSE), S.SYN_RECEIVED),
    ),
    "fast-open-connect": (
        lambda: hasty().comes("<SEQ=300><CTL=SYN><OPT=0x22 02>"),
        lambda: hasty().call(CallName.SEND, b"ab").comes('<SEQ=300><CTL=SYN><DATA="ab">'),
    ),
    "syn-in-time-wait": (
        lambda: closing(S.TIME_WAIT).send("<SEQ=5000><CTL=SYN>").comes("<SEQ=302><ACK=102><CTL=ACK>"),
        lambda: closing(S.TIME_WAIT).send("<SEQ=5000><CTL=SYN>").comes("<SEQ=900><ACK=5001><CTL=SYN,ACK>"),
    ),
    "time-wait-assassination": (
        lambda: may_be(closing(S.TIME_WAIT).send("<SEQ=102><CTL=RST>"), S.CLOSED),
        lambda: may_be(closing(S.TIME_WAIT).send("<SEQ=102><CTL=RST>"), S.TIME_WAIT),
    ),
    "time-wait-ack": (
        lambda: closing(S.TIME_WAIT).send('<SEQ=102><ACK=302><CTL=ACK><DATA="x">'),
        lambda: (
            closing(S.TIME_WAIT)
            .send('<SEQ=102><ACK=302><CTL=ACK><DATA="x">')
            .comes("<SEQ=302><ACK=102><CTL=ACK>")
        ),
    ),
    "bad-ack-in-syn-received": (
        lambda: opened().send("<SEQ=101><ACK=302><CTL=ACK>").comes("<SEQ=302><CTL=RST>"),
        lambda: opened().send("<SEQ=101><ACK=302><CTL=ACK>").comes("<SEQ=301><ACK=101><CTL=ACK>"),
    ),
    "ack-of-unsent": (
        lambda: established().send("<SEQ=101><ACK=400><CTL=ACK>").comes("<SEQ=301><ACK=101><CTL=ACK>"),
        lambda: may_be_silent(established().send("<SEQ=101><ACK=400><CTL=ACK>")),
    ),
    "out-of-order-ack": (
        lambda: early().comes("<SEQ=301><ACK=101><CTL=ACK>"),
        lambda: may_be_silent(early()),
    ),
    "timestamp-missing": (
        lambda: may_be_silent(unstamped()),
        lambda: unstamped().comes("<SEQ=301><ACK=103><CTL=ACK><OPT=TS 71 10>"),
    ),
    "illegal-option-length": (
        lambda: illegal().comes(SYN_RECEIVED),
        lambda: may_be_silent(illegal()),
        lambda: illegal().comes("<SEQ=0><ACK=101><CTL=RST,ACK>"),
    ),
    "half-duplex-close": (
        lambda: (
            established()
            .call(CallName.CLOSE, half_duplex=True)
            .comes("<SEQ=301><ACK=101><CTL=FIN,ACK>")
            .send('<SEQ=101><ACK=302><CTL=ACK><DATA="late">')
            .comes("<SEQ=302><CTL=RST>")
        ),
    ),
    "listener-closed": (
        lambda: unaccepted(established()).comes("<SEQ=301><CTL=RST>").state(S.CLOSED),
        lambda: unaccepted(established()).comes("<SEQ=301><ACK=101><CTL=FIN,ACK>").state(S.FIN_WAIT_1),
        lambda: (
            unaccepted(established())
            .send('<SEQ=101><ACK=301><CTL=ACK><DATA="x">')
            .comes("<SEQ=301><ACK=102><CTL=ACK>")
        ),
        lambda: may_be(unaccepted(opened()), S.CLOSED),
    ),
    "fin-wait-2-orphaned": (
        lambda: orphaned().comes("<SEQ=302><ACK=102><CTL=ACK>").state(S.TIME_WAIT),
        lambda: orphaned().comes("<SEQ=302><CTL=RST>").state(S.CLOSED, S.LISTEN),
    ),
    "challenge-throttled": (
        lambda: challenged().comes("<SEQ=301><ACK=101><CTL=ACK>"),
        lambda: may_be_silent(challenged()),
    ),
    "abort-with-reset": (
        lambda: closing(S.CLOSING).call(CallName.ABORT).state(S.CLOSED, S.LISTEN),
        lambda: (
            closing(S.CLOSING)
            .call(CallName.ABORT)
            .comes("<SEQ=302><CTL=RST>")
            .state(S.CLOSED, S.LISTEN)
            .wrong("<SEQ=302><CTL=RST>", "CTL")
        ),
    ),
    "close-wait-lasts": (
        lambda: may_be(half_closed(), S.CLOSE_WAIT),
        lambda: may_be(half_closed(), S.LAST_ACK),
    ),
    "hard-icmp-error": (
        lambda: may_be(unreachable(), S.CLOSED),
        lambda: may_be(unreachable(), S.ESTABLISHED),
    ),
    "urgent-pointer": (
        lambda: may_point(4, "9293"),
        lambda: may_point(3, "1122"),
    ),
}


@pytest.mark.parametrize("name", LIBERTIES)
def test_each_alternative_is_accepted(name: str) -> None:
    liberty = LIBERTIES[name]
    assert liberty.citation.startswith("RFC ")
    assert len(ALTERNATIVES[name]) == len(liberty.alternatives)
    for alternative in ALTERNATIVES[name]:
        alternative()


def test_a_liberty_that_is_not_taken_closes_the_other_way() -> None:
    """Once the target has answered a SYN in TIME-WAIT by a challenge ACK, it has no new connection."""
    exchange = closing(S.TIME_WAIT).send("<SEQ=5000><CTL=SYN>").comes("<SEQ=302><ACK=102><CTL=ACK>")
    exchange.wrong("<SEQ=900><ACK=5001><CTL=SYN,ACK>", "CTL")


@pytest.mark.parametrize(("name", "text"), [("rst", "<SEQ=200><CTL=RST>"), ("syn", "<SEQ=200><CTL=SYN>")])
def test_the_profile_decides_between_rfc_5961_and_rfc_793(name: str, text: str) -> None:
    challenge = "<SEQ=301><ACK=101><CTL=ACK>"
    established().send(text).comes(challenge).state(S.ESTABLISHED)
    old = established(profile=PROFILES["793"]).send(text)
    old.state(S.CLOSED, S.LISTEN).wrong(challenge)


@pytest.mark.parametrize(
    ("profile", "right", "clause"),
    [
        ("9293", {4}, "RFC 9293 3.8.5 MUST-62"),
        ("1122", {3}, "RFC 1122 4.2.2.4"),
        ("793", {3, 4}, "RFC 793 3.1, page 56; RFC 1122 4.2.2.4"),
    ],
)
def test_the_profile_decides_where_the_urgent_pointer_points(
    profile: str, right: set[int], clause: str
) -> None:
    judged = {pointer: points(pointer, profile) for pointer in range(6)}
    wrong = {at: item for at, item in judged.items() if isinstance(item, Violation)}
    assert judged.keys() - wrong.keys() == right
    assert {(item.field, item.citation) for item in wrong.values()} == {("URP", clause)}


def test_one_octet_of_urgent_data_has_a_pointer_to_itself_by_rfc_1122() -> None:
    exchange = established(profile=PROFILES["1122"])
    exchange.oracle.call(UserCall(CallName.SEND, data=b"x", urgent=True), exchange.now, b"x")
    exchange.comes('<SEQ=301><ACK=101><CTL=URG,ACK><URP=0><DATA="x">')
    exchange.oracle.call(UserCall(CallName.SEND, data=b"y"), exchange.now, b"y")
    exchange.wrong('<SEQ=302><ACK=101><CTL=URG,ACK><URP=0><DATA="y">', "CTL")


@pytest.mark.parametrize(("profile", "received"), [("9293", 4), ("1122", 5)])
def test_the_profile_decides_when_urgent_mode_is_over(profile: str, received: int) -> None:
    exchange = established(profile=PROFILES[profile])
    exchange.send('<SEQ=101><ACK=301><CTL=URG,ACK><URP=4><DATA="stop it">')
    for count in range(1, 8):
        exchange.oracle.call(UserCall(CallName.RECEIVE, count=1), exchange.now)
        assert exchange.oracle.tcb.urgent_mode is (count < received)


def test_a_profile_that_leaves_a_choice_has_a_reading_for_each() -> None:
    readings = PROFILES["793"].readings()
    assert [item.pointing.past for item in readings] == [(1, 0), (0, 1)]
    assert PROFILES["1122"].readings() == (PROFILES["1122"],)


def test_fin_wait_2_of_a_user_who_can_receive_does_not_end() -> None:
    exchange = closing(S.FIN_WAIT_2)
    exchange.oracle.time_passed()
    exchange.state(S.FIN_WAIT_2)


def test_a_listener_takes_nothing_that_was_accepted_with_it() -> None:
    exchange = established()
    exchange.oracle.listener_closed(0.0, accepted=True)
    exchange.state(S.ESTABLISHED).wrong("<SEQ=301><CTL=RST>", "CTL")


def test_without_a_listener_there_is_no_new_connection() -> None:
    exchange = Exchange()
    exchange.oracle.listener_closed(0.0, accepted=False)
    exchange.send("<SEQ=100><CTL=SYN>").comes("<SEQ=0><ACK=101><CTL=RST,ACK>").state(S.CLOSED)


def test_a_half_open_connection_that_is_reset_has_no_listener_to_go_back_to() -> None:
    exchange = unaccepted(opened()).send("<SEQ=101><CTL=RST>").state(S.CLOSED)
    exchange.send("<SEQ=100><CTL=SYN>").comes("<SEQ=0><ACK=101><CTL=RST,ACK>")
