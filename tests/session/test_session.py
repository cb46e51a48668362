"""One case, judged: what passes, what fails and how it is said, and what is never the target's fault."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.model.flow import Reply
from conformance.model.segment import OPTION_FAST_OPEN, Control, Option, Segment
from conformance.model.trace import Kind
from conformance.model.verdict import Evidence, Verdict
from conformance.session.actions import Ask, Connection
from conformance.session.lateness import Lateness
from conformance.session.rehearsal import rehearse
from tests.session.target import Alter, Target, case, marked

HANDSHAKE = """
    title: Three-way handshake
    rfc: 9293 3.5
    steps:
      - send:   <SEQ=x><CTL=SYN>
        state:  SYN-RECEIVED
      - expect: <SEQ=y><ACK=x+1><CTL=SYN,ACK>
      - send:   <SEQ=x+1><ACK=y+1><CTL=ACK>
        state:  ESTABLISHED
"""
DATA = """
    title: Data is acknowledged
    from: ESTABLISHED
    steps:
      - send:   <SEQ=x+1><ACK=y+1><CTL=ACK><DATA="hello">
      - expect: <SEQ=y+1><ACK=x+6><CTL=ACK>
"""
URGENT = """- call: OPTION oob_inline off
  - send: <CTL=URG,ACK><URP=3><DATA="abcd">
"""
"""Steps that leave c out of band."""


def only(bits: Control, **changes: object):  # type: ignore[no-untyped-def]
    """Change the target's segments that have exactly these control bits."""

    def alter(segment: Segment) -> Segment:
        return replace(segment, **changes) if segment.ctl == bits else segment  # type: ignore[arg-type]

    return alter


def test_a_right_target_passes() -> None:
    result = Target(case(HANDSHAKE)).result()
    assert (result.verdict, result.evidence) == (Verdict.PASS, Evidence.OBSERVED)
    assert [record.inferred for record in result.trace if record.kind.value == "state"] == [
        "SYN-RECEIVED",
        "ESTABLISHED",
        "ESTABLISHED",
    ]


def test_a_wrong_ack_fails_with_the_caret_under_it() -> None:
    handshake = case(HANDSHAKE)

    def one_more(segment: Segment) -> Segment:
        return replace(segment, ack=segment.ack + 1) if segment.has(Control.SYN) else segment

    result = Target(handshake, one_more).result()
    assert result.verdict is Verdict.FAIL
    assert marked(handshake, result) == "ACK=x+1"
    assert result.diagnosis is not None
    assert result.diagnosis.label == "x+2 came"
    assert result.diagnosis.clause.startswith("RFC 9293 3.10.7.2")


def test_a_bad_checksum_fails_a_case_that_does_not_speak_of_it() -> None:
    result = Target(case(HANDSHAKE), lambda segment: replace(segment, checksum_ok=False)).result()
    assert result.verdict is Verdict.FAIL
    assert "checksum" in result.reason


def test_silence_is_a_failure_where_the_target_is_alive() -> None:
    result = Target(case(HANDSHAKE), lambda segment: None).result()
    assert result.verdict is Verdict.FAIL
    assert result.diagnosis is not None
    assert result.diagnosis.code == "silence"


def test_what_is_owed_when_the_steps_are_over_is_waited_for() -> None:
    unasked = case("""
        title: Nothing waits for the acknowledgment
        from: ESTABLISHED
        steps:
          - send:   <SEQ=x+1><ACK=y+1><CTL=ACK><DATA="hello">
    """)
    assert Target(unasked).result().verdict is Verdict.PASS
    result = Target(unasked, lambda segment: None if segment.ctl == Control.ACK else segment).result()
    assert (result.verdict, result.reason) == (Verdict.FAIL, "the target owes a reply and is silent")
    assert result.diagnosis is not None
    assert result.diagnosis.span is not None
    assert result.diagnosis.span.line == 5


def test_silence_of_a_dead_target_proves_nothing() -> None:
    assert Target(case(HANDSHAKE), dead=True).result().verdict is Verdict.INCONCLUSIVE


def test_silence_is_no_virtue_in_a_dead_target() -> None:
    silent = case("""
        title: A reset to a closed port is ignored
        from: CLOSED
        steps:
          - send: <SEQ=x><CTL=RST>
          - expect: nothing
    """)
    assert Target(silent).result().verdict is Verdict.PASS
    assert Target(silent, dead=True).result().verdict is Verdict.INCONCLUSIVE


def test_a_preamble_that_fails_makes_no_verdict() -> None:
    result = Target(case(DATA), only(Control.SYN | Control.ACK, ack=7)).result()
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "could not be brought to ESTABLISHED" in result.reason


def test_the_state_that_the_target_says_of_itself_counts() -> None:
    handshake = case(HANDSHAKE)
    result = Target(handshake, state="CLOSED").result()
    assert result.verdict is Verdict.FAIL
    assert marked(handshake, result) == "SYN-RECEIVED"
    assert result.diagnosis is not None
    assert "CLOSED" in result.diagnosis.label


def test_the_last_state_is_judged_though_the_case_does_not_name_it() -> None:
    result = Target(case(DATA), state="CLOSE-WAIT").result()
    assert result.verdict is Verdict.FAIL
    assert "RFC 9293 has it in ESTABLISHED" in result.reason


def test_a_lost_agent_is_our_error() -> None:
    target = Target(case(HANDSHAKE))
    target.session.start(0.0)
    target.session.lost("the agent ended", 0.1)
    assert target.session.result is not None
    assert target.session.result.verdict is Verdict.ERROR


def test_an_agent_that_refuses_is_our_error() -> None:
    target = Target(case(HANDSHAKE))
    target.answer = lambda ask: target_refuses(ask.id)  # type: ignore[method-assign]
    assert target.result().verdict is Verdict.ERROR


def target_refuses(number: int):  # type: ignore[no-untyped-def]
    return Reply(number, {}, "EADDRNOTAVAIL", 0.0)


def test_an_unmentioned_second_ack_is_found() -> None:
    """An ACK nobody asked for fails the case although no step looks at it."""
    target = Target(case(DATA))
    deliver = target.deliver

    def twice(connection, segment, delay=0.0):  # type: ignore[no-untyped-def]
        deliver(connection, segment, delay)
        if segment.ctl == Control.ACK and not target.session.result:
            for _ in range(3):
                deliver(connection, segment)
        return True

    target.deliver = twice  # type: ignore[method-assign]
    result = target.result()
    assert result.verdict is Verdict.FAIL
    assert "nothing calls for this ACK" in result.reason


def test_despite_lets_a_case_depart_and_the_target_decides() -> None:
    wrong = case(HANDSHAKE.replace("ACK=x+1><CTL=SYN,ACK>", "ACK=x+2><CTL=SYN,ACK>"))
    assert [found.code for found in rehearse(wrong)] == ["impossible-segment"]
    allowed = case("""
        title: A wrong expectation, on purpose
        steps:
          - send:   <SEQ=x><CTL=SYN>
          - expect: <SEQ=y><ACK=x+2><CTL=SYN,ACK>
            despite: it shows a failure
    """)
    assert rehearse(allowed) == []
    result = Target(allowed).result()
    assert result.verdict is Verdict.FAIL
    assert marked(allowed, result) == "ACK=x+2"
    assert result.diagnosis is not None
    assert dict(result.diagnosis.notes)["came"].startswith("<SEQ=y><ACK=x+1><CTL=SYN,ACK>")


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ("- call: CLOSE\n    state: CLOSE-WAIT", "impossible-state"),
        ("- expect: <SEQ=y+1><ACK=x+1><CTL=FIN,ACK>", "impossible-segment"),
        ("- expect: <CTL=RST>", "impossible-segment"),
        ('- send: <DATA="a">\n  - expect: nothing', "impossible-silence"),
        ('- send: <DATA="a">\n  - expect: <ACK=x+3><CTL=ACK>', "impossible-segment"),
        ("- send: <SEQ=x+1><CTL=RST>\n    state: ESTABLISHED", "impossible-state"),
        ('- call: SEND "a"\n  - expect: <DATA="b">', "impossible-segment"),
    ],
)
def test_what_contradicts_the_rfc_is_refused(steps: str, code: str) -> None:
    found = rehearse(case(f"title: Wrong\nfrom: ESTABLISHED\nsteps:\n  {steps}\n"))
    assert [item.code for item in found] == [code]
    assert found[0].clause.startswith("RFC")


@pytest.mark.parametrize(
    "steps",
    [
        'RECEIVE "ab"\n  - call: STATUS urgent\n  - call: RECEIVE urgent "c"\n  - call: STATUS normal',
        'RECEIVE "abd"\n  - call: STATUS normal',
        'RECEIVE urgent "c"\n  - call: RECEIVE "abd"\n  - call: STATUS normal',
    ],
)
def test_what_is_out_of_band_agrees_with_the_urgent_pointer(steps: str) -> None:
    text = f"title: Apart\nfrom: ESTABLISHED\nsteps:\n  {URGENT}  - call: {steps}\n"
    assert rehearse(case(text)) == []


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ('RECEIVE urgent "b"', '"c"'),
        ('RECEIVE urgent "d"', '"c"'),
        ('RECEIVE "abd"\n  - call: RECEIVE urgent "c"', "nothing in time"),
        ('RECEIVE urgent "c"\n  - call: RECEIVE urgent "c"', "nothing in time"),
        ('RECEIVE urgent "c"\n  - call: STATUS urgent', "normal mode"),
    ],
)
def test_what_contradicts_the_urgent_pointer_is_refused(steps: str, told: str) -> None:
    text = f"title: Apart\nfrom: ESTABLISHED\nsteps:\n  {URGENT}  - call: {steps}\n"
    (found,) = rehearse(case(text))
    assert (found.code, found.label) == ("impossible-failed-call", f"it returned {told}")


@pytest.mark.parametrize(
    ("octets", "told"), [(b"ab", ""), (b"abc", ""), (b"b", '"b"'), (b"abcd", '"abcd"'), (b"", '""')]
)
def test_of_several_texts_any_may_be_received(octets: bytes, told: str) -> None:
    wanted = case('title: A choice\nfrom: ESTABLISHED\nsteps:\n  - call: [RECEIVE "ab", RECEIVE "abc"]\n')
    assert rehearse(wanted) == []
    target = Target(wanted)
    answer = target.answer

    def received(ask: Ask) -> Reply:
        if ask.op != "receive":
            return answer(ask)
        assert ask.arguments["count"] == 3
        return Reply(ask.id, {"data": base64.b64encode(octets).decode(), "eof": False}, time=target.now)

    target.answer = received  # type: ignore[method-assign]
    result = target.result()
    assert result.verdict is (Verdict.FAIL if told else Verdict.PASS)
    if told:
        assert result.diagnosis is not None
        assert result.diagnosis.message == 'the call did not return "ab" or "abc"'
        assert result.diagnosis.label == f"it returned {told}"


@given(st.integers(0, (1 << 32) - 1), st.sampled_from([HANDSHAKE, DATA]))
def test_verdicts_do_not_depend_on_the_isn(isn: int, text: str) -> None:
    written = case(text)
    moved = replace(written, options=replace(written.options, isn=isn))
    assert Target(moved).result().verdict is Verdict.PASS
    assert Target(moved, only(Control.ACK, seq=isn)).result().verdict in (Verdict.FAIL, Verdict.PASS)


def test_one_seed_gives_one_exchange() -> None:
    first, second = (Target(case(DATA)).result() for _ in range(2))
    assert first.names == second.names
    assert [record.segment for record in first.trace] == [record.segment for record in second.trace]


SILENCE = """
    title: Nothing is sent unasked
    from: ESTABLISHED
    steps:
      - send:   <SEQ=x+1><CTL=ACK><WND=0>
      - call:   SEND "hello"
      - send:   <SEQ=x+1><CTL=ACK><WND=65535>
      - expect: nothing
        within: 100ms
        despite: the data may come at once
"""


@pytest.mark.parametrize(("came", "verdict"), [(0.05, Verdict.FAIL), (0.15, Verdict.PASS)])
def test_we_may_look_late_but_judge_by_when_it_came(came: float, verdict: Verdict) -> None:
    """A segment after the silence, read only later, is no breach of it; and our lateness is noted."""
    target = Target(case(SILENCE))
    tcb = target.brought_to(3).oracle.tcb
    began = target.session.moment
    target.reads(Segment(tcb.snd_nxt, tcb.rcv_nxt, Control.ACK, data=b"hello"), began + came, began + 0.3)
    assert target.result_of_the_rest().verdict is verdict
    assert target.session.lateness.total >= 0.15


def test_delays_add_up_and_each_moment_counts_once() -> None:
    lateness = Lateness()
    for due, now in ((1.0, 1.004), (1.02, 1.05), (1.01, 1.05), (1.03, 1.06), (1.1, 1.15)):
        lateness.note(due, now)
    assert lateness.total == pytest.approx(0.04 + 0.01 + 0.05)


IN_PIECES = """
    title: Data comes in pieces
    from: ESTABLISHED
    steps:
      - call:   SEND "hello"
      - expect: <SEQ=y+3><DATA="llo">
        within: 100ms
"""


def test_all_that_came_in_time_counts_however_late_we_look() -> None:
    """Read one by one after the time is up, the first of two segments must not end the step."""
    target = Target(case(IN_PIECES))
    tcb = target.brought_to(1).oracle.tcb
    began = target.session.moment
    for offset, data in ((0, b"he"), (2, b"llo")):
        segment = Segment(tcb.snd_nxt + offset, tcb.rcv_nxt, Control.ACK, data=data)
        target.reads(segment, began + 0.05, began + 0.3)
    assert target.result_of_the_rest().verdict is Verdict.PASS


FLIGHT = """
    title: No more than two segments are in flight
    from: ESTABLISHED
    with: {mss: 500}
    steps:
      - call:   SEND 3000
      - wait:   50ms
        check:  flight <= 2 * 500
"""


@pytest.mark.parametrize(("count", "verdict"), [(2, Verdict.PASS), (3, Verdict.FAIL)])
def test_what_is_in_flight_is_judged_after_the_step(count: int, verdict: Verdict) -> None:
    written = case(FLIGHT)
    assert rehearse(written) == []
    target = Target(replace(written, options=replace(written.options, window=500 * count)))
    # What the rehearsal leaves to the window, the steps of the case judge.
    target.session.case = target.case
    result = target.result()
    assert result.verdict is verdict
    if verdict is Verdict.FAIL:
        assert result.diagnosis is not None
        assert dict(result.diagnosis.notes) == {"flight": "1500"}
        assert marked(written, result) == "flight <= 2 * 500"


TOO_LATE = """
    title: Data comes at once
    from: ESTABLISHED
    steps:
      - call:   SEND "hello"
      - expect: <SEQ=y+1><DATA="hello">
        within: 100ms
"""


def test_the_right_segment_after_its_time_is_told_as_such() -> None:
    """It came, was what is wanted, and counts as late: that is not the tester's defect."""
    written = case(TOO_LATE)
    target = Target(written)
    tcb = target.brought_to(1).oracle.tcb
    late = target.session.moment + 0.12
    target.reads(Segment(tcb.snd_nxt, tcb.rcv_nxt, Control.ACK, data=b"hello"), late, late)
    result = target.result_of_the_rest()
    assert result.verdict is Verdict.FAIL
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.diagnosis.label) == ("too-late", "after 0.120 s; not within 0.1 s")
    assert marked(written, result) == '<SEQ=y+1><DATA="hello">'


QUEUED = """
    title: Data waits for the ACK
    from: ESTABLISHED
    steps:
      - call:   SEND "hello"
      - wait:   3s
      - stream: "hello"
"""


def test_a_stream_is_patient_from_its_own_ack_on() -> None:
    """What came long before the step began is no pause of the target's."""
    target = Target(case(QUEUED))
    tcb = target.brought_to(1).oracle.tcb

    def deliver(data: bytes, moment: float) -> None:
        segment = Segment(tcb.iss + 1 + b"hello".index(data), tcb.rcv_nxt, Control.ACK, data=data)
        target.reads(segment, moment, max(target.now, moment))

    target._stream = lambda connection: False  # type: ignore[assignment,method-assign]
    deliver(b"he", target.session.moment + 0.01)
    while target.session.step_index != 2:
        target._turn()
    target._turn()
    deliver(b"llo", target.now + 0.5)
    assert target.result_of_the_rest().verdict is Verdict.PASS


ABORTED = """
    title: An ABORT resets the connection
    from: ESTABLISHED
    steps:
      - send:   <DATA="hello">
      - call:   ABORT
      - expect: <SEQ=y+1><CTL=RST>
"""


@pytest.mark.parametrize(("answered", "verdict"), [(False, Verdict.PASS), (True, Verdict.FAIL)])
def test_until_a_call_is_answered_it_may_not_have_reached_the_target(
    answered: bool, verdict: Verdict
) -> None:
    """The ACK of data is right of a target that has not heard of the ABORT yet, and of no other."""
    target = Target(case(ABORTED))
    answer, deliver = target.answer, target.deliver
    connection = target.session.connections[1]

    def acknowledge() -> None:
        ack = Segment(connection.peer.acknowledge, connection.peer.next, Control.ACK)
        deliver(connection, ack, 0.3)

    def slowly(ask: Ask) -> Reply:
        if ask.op == "close" and not answered:
            acknowledge()
        return answer(ask)

    def before_the_reset(connection: Connection, segment: Segment, delay: float = 0.0) -> bool:
        if segment.has(Control.RST) and answered:
            acknowledge()
        return deliver(connection, segment, delay)

    target.answer, target.deliver = slowly, before_the_reset  # type: ignore[method-assign]
    assert target.result().verdict is verdict


@pytest.mark.parametrize(
    ("call", "told"),
    [("OPTION nodelay on", "ENOPROTOOPT"), ("CLOSE", "destination unreachable (ENOPROTOOPT)")],
)
def test_an_errno_is_put_into_the_words_of_the_call(call: str, told: str) -> None:
    """A protocol that is unreachable and an option that is not there have one errno."""
    target = Target(case(f"title: Refused\nfrom: ESTABLISHED\nsteps:\n  - call: {call}\n"))
    answer = target.answer

    def refused(ask: Ask) -> Reply:
        return replace(answer(ask), error="ENOPROTOOPT") if ask.op in ("close", "set_option") else answer(ask)

    target.answer = refused  # type: ignore[method-assign]
    result = target.result()
    assert result.diagnosis is not None
    assert result.diagnosis.label == f"it returned {told}"


@pytest.mark.parametrize(("errno", "verdict"), [("EADDRINUSE", Verdict.PASS), ("ENOBUFS", Verdict.FAIL)])
def test_a_passive_open_beside_a_connection_may_be_refused(errno: str, verdict: Verdict) -> None:
    """RFC 9293 3.9.1.1: it creates a connection record in LISTEN, or it returns an error."""
    text = "title: Beside\ntarget: client\nfrom: ESTABLISHED\nsteps:\n  - call: OPEN passive\n"
    target = Target(case(text))
    answer = target.answer

    def refused(ask: Ask) -> Reply:
        return replace(answer(ask), error=errno) if ask.op == "listen" else answer(ask)

    target.answer = refused  # type: ignore[method-assign]
    assert target.result().verdict is verdict


@pytest.mark.parametrize(
    ("seconds", "returned"),
    [(4.9, "connection aborted due to user timeout (ETIMEDOUT)"), (5.0, "nothing in time")],
)
@pytest.mark.parametrize("wanted", ["TIMEOUT", '"hello"'])
def test_that_a_request_ran_out_of_time_says_nothing_of_the_connection(
    wanted: str, seconds: float, returned: str
) -> None:
    text = f"title: Silence\nfrom: ESTABLISHED\nsteps:\n  - call: RECEIVE {wanted}\n    within: 5s\n"
    target = Target(case(text))
    answer = target.answer

    def late(ask: Ask) -> Reply:
        if ask.op != "receive":
            return answer(ask)
        target.now += seconds
        return Reply(ask.id, {}, "ETIMEDOUT", target.now)

    target.answer = late  # type: ignore[method-assign]
    result = target.result()
    assert [record.shown for record in result.trace if record.kind is Kind.RETURN] == [returned]
    right = wanted == "TIMEOUT" and returned != "nothing in time"
    assert result.verdict is (Verdict.PASS if right else Verdict.FAIL)
    if not right:
        assert result.diagnosis is not None
        assert result.diagnosis.label == f"it returned {returned}"


@pytest.mark.parametrize(
    ("call", "errno", "told"),
    [
        ("SEND 1", "EPIPE", "connection closing"),
        ("RECEIVE 1", "ECONNREFUSED", "connection refused"),
        ("RECEIVE 1", "ENOTCONN", "connection does not exist"),
        ("RECEIVE RESET", "EPIPE", "connection reset"),
    ],
)
def test_of_what_an_errno_may_say_the_nearest_is_told_or_what_the_step_says(
    call: str, errno: str, told: str
) -> None:
    target = Target(case(f"title: Ended\nfrom: ESTABLISHED\nsteps:\n  - call: {call}\n"))
    answer = target.answer

    def failed(ask: Ask) -> Reply:
        return replace(answer(ask), error=errno) if ask.op in ("send", "receive") else answer(ask)

    target.answer = failed  # type: ignore[method-assign]
    result = target.result()
    assert [record.shown for record in result.trace if record.kind is Kind.RETURN] == [f"{told} ({errno})"]


@pytest.mark.parametrize(
    ("octets", "verdict"), [(0, "FAIL"), (2, "FAIL"), (4, "PASS"), (16, "PASS"), (18, "FAIL")]
)
def test_a_fast_open_cookie_has_4_to_16_octets(octets: int, verdict: str) -> None:
    asked = case("""
        title: A cookie
        steps:
          - call:   OPTION fast_open 16
          - send:   <SEQ=x><CTL=SYN><OPT=FAST-OPEN>
          - expect: <SEQ=y><ACK=x+1><CTL=SYN,ACK><OPT=FAST-OPEN>
        """)
    cookie = Option(OPTION_FAST_OPEN, bytes(octets)).encode()
    result = Target(asked, only(Control.SYN | Control.ACK, options=cookie)).result()
    assert result.verdict.name == verdict
    assert verdict == "PASS" or marked(asked, result) == "OPT=FAST-OPEN"


TWO_COOKIES = """
    title: A cookie that is used, and asked for again
    steps:
      - call:   OPTION fast_open 16
      - send:   <SEQ=x><CTL=SYN><OPT=FAST-OPEN>
      - expect: <SEQ=y><ACK=x+1><CTL=SYN,ACK><OPT=FAST-OPEN cookie>
      - connection: 2
        send:   <SEQ=x2><CTL=SYN><OPT=NOP,FAST-OPEN cookie><DATA="early">
      - connection: 2
        expect: <SEQ=y2><ACK=x2+6><CTL=SYN,ACK>
      - connection: 3
        send:   <SEQ=x3><CTL=SYN><OPT=FAST-OPEN>
      - connection: 3
        expect: <SEQ=y3><ACK=x3+1><CTL=SYN,ACK><OPT=FAST-OPEN cookie>
    """


def giving(*cookies: bytes) -> Alter:
    """Return what gives one cookie after the other in a SYN,ACK that has the option."""
    left = list(cookies)

    def alter(segment: Segment) -> Segment:
        if segment.cookie is None:
            return segment
        return replace(segment, options=Option(OPTION_FAST_OPEN, left.pop(0)).encode())

    return alter


def test_a_cookie_is_presented_as_it_came() -> None:
    result = Target(case(TWO_COOKIES), giving(b"a cookie", b"a cookie")).result()
    assert result.verdict is Verdict.PASS
    sent = [record.segment for record in result.trace if record.kind is Kind.SENT]
    assert [segment and segment.options for segment in sent] == [b"\x22\2", b"\1\x22\x0aa cookie", b"\x22\2"]


def test_a_cookie_that_has_a_name_is_compared() -> None:
    result = Target(case(TWO_COOKIES), giving(b"a cookie", b"a coolie")).result()
    assert result.verdict is Verdict.FAIL
    assert marked(case(TWO_COOKIES), result) == "OPT=FAST-OPEN cookie"


def test_a_port_of_the_case_s_choice() -> None:
    same = Target(case(HANDSHAKE + "    with: {port: same}\n"))
    asked: list[object] = []
    answer = same.answer
    same.answer = lambda ask: (asked.append(ask.arguments.get("port")), answer(ask))[1]  # type: ignore[method-assign]
    assert same.result().verdict is Verdict.PASS
    assert asked[0] == same.session.endpoints.tester_ports[1]


def test_port_0_of_the_target() -> None:
    closed = Target(
        case("""
        title: Port 0
        from: CLOSED
        with: {target-port: 0}
        steps:
          - send: <SEQ=x><CTL=SYN>
          - expect: <SEQ=0><ACK=x+1><CTL=RST,ACK>
    """)
    )
    result = closed.result()
    assert (result.verdict, result.ports[-1]) == (Verdict.PASS, 0)


OUTSTANDING = """
    title: A RECEIVE that is outstanding
    from: ESTABLISHED
    steps:
      - call:   RECEIVE "hello"
        queued: yes
      - send:   <SEQ=x+1><ACK=y+1><CTL=ACK><DATA="hello">
      - return: RECEIVE
      - expect: <SEQ=y+1><ACK=x+6><CTL=ACK>
"""


@pytest.mark.parametrize(
    ("data", "message", "label"),
    [
        ("aGVsbG8=", "", ""),
        ("aGVsbG8h", 'the call did not return "hello"', 'it returned "hello!"'),
        (None, 'the call did not return RECEIVE "hello"', "it returned nothing yet"),
    ],
)
def test_what_an_outstanding_call_returns_is_judged_where_it_returns(
    data: str | None, message: str, label: str
) -> None:
    outstanding = case(OUTSTANDING)
    target = Target(outstanding)
    answer = target.answer

    def other(ask: Ask) -> Reply:
        if ask.op != "receive":
            return answer(ask)
        return Reply(ask.id if data else -1, {"data": data, "eof": False, "count": 0}, time=target.now)

    target.answer = other  # type: ignore[method-assign]
    result = target.result()
    assert result.reason == message
    if result.diagnosis is not None:
        assert (marked(outstanding, result), result.diagnosis.label) == ("RECEIVE", label)


def test_a_call_that_is_queued_and_returns_at_once_can_be_rehearsed() -> None:
    assert rehearse(case(OUTSTANDING.replace("- call:", "- call:   SEND 3\n      - call:", 1))) == []
