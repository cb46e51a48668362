"""The web server that is the user at a target with an agent: what it is asked for decides what it calls."""

import pytest

from conformance.model.trace import Kind, Result
from conformance.model.verdict import Verdict
from conformance.run.mutants import play
from conformance.run.options import RunOptions
from conformance.run.plan import plan
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.lab import ReferenceLab
from conformance.target.reference.mutants import MUTANTS
from tests.session.target import case

HEAD = """
    title: A web server
    from: {start}
    needs: http
    steps:
"""


def steps(text: str, start: str = "ESTABLISHED", endpoint: type[Endpoint] = Endpoint) -> Result:
    """Play these steps at the reference, over IPv4."""
    planned, skipped = plan(
        [case(HEAD.format(start=start) + text)], ReferenceLab().facts, RunOptions(ip=(4,))
    )
    assert not skipped
    return play(planned[0], endpoint)


def calls(result: Result) -> list[str]:
    """Return the names of the calls of the web server, in order."""
    made = (record.shown for record in result.trace if record.kind is Kind.CALL)
    return [shown.split()[0] for shown in made if shown.endswith("(by the web server)")]


def test_it_answers_and_closes_as_http_has_it() -> None:
    result = steps("""
      - send:   <CTL=ACK><DATA="GET / HTT">
      - expect: <CTL=ACK>
      - send:   <CTL=ACK><DATA="P/1.1\\r\\nHost: target\\r\\n\\r\\nHEAD / HTTP/1.0\\r\\n\\r\\n">
      - stream: RESPONSE 200
      - stream: RESPONSE HEAD
      - stream: EOF
        state:  FIN-WAIT-2
    """)
    assert (result.verdict, result.reason) == (Verdict.PASS, "")
    assert calls(result) == ["RECEIVE", "RECEIVE", "SEND", "SEND", "CLOSE"]


def test_it_says_what_it_does_not_understand_and_closes() -> None:
    result = steps("""
      - send:   <CTL=ACK><DATA="BREW / HTTP/1.1\\r\\nHost: target\\r\\n\\r\\n">
      - stream: RESPONSE 501
      - stream: EOF
    """)
    assert (result.verdict, result.reason) == (Verdict.PASS, "")


def test_it_closes_when_its_client_has_or_nothing_comes_for_long() -> None:
    gone = steps("      - send: <CTL=FIN,ACK>\n      - stream: EOF\n        state: [LAST-ACK, CLOSED]\n")
    idle = steps("      - stream: EOF\n        within: 61s\n")
    assert [(result.verdict, calls(result)) for result in (gone, idle)] == [(Verdict.PASS, ["CLOSE"])] * 2
    assert gone.duration < 1 < 59 < idle.duration < 61


def test_it_serves_several_connections_and_later_ones() -> None:
    result = steps(
        """
      - send:   <SEQ=x2><CTL=SYN>
      - expect: <SEQ=y2><ACK=x2+1><CTL=SYN,ACK>
      - send:   <SEQ=x2+1><ACK=y2+1><CTL=ACK><DATA="GET / HTTP/1.0\\r\\n\\r\\n">
      - stream: RESPONSE
      - send:   <SEQ=x3><CTL=SYN>
        connection: 3
      - expect: <SEQ=y3><ACK=x3+1><CTL=SYN,ACK>
        connection: 3
      - send:   <SEQ=x3+1><ACK=y3+1><CTL=ACK><DATA="GET / HTTP/1.0\\r\\n\\r\\n">
        connection: 3
      - stream: RESPONSE
        connection: 3
      - stream: EOF
      - stream: EOF
        connection: 3
    """,
        start="TIME-WAIT",
    )
    assert (result.verdict, result.reason) == (Verdict.PASS, "")
    assert sorted(calls(result)) == ["CLOSE", "CLOSE", "RECEIVE", "RECEIVE", "SEND", "SEND"]


def test_a_status_that_it_never_has_is_for_a_host() -> None:
    one = case(HEAD.format(start="ESTABLISHED") + "      - stream: RESPONSE 301\n")
    planned, skipped = plan([one], ReferenceLab().facts, RunOptions(ip=(4,)))
    assert not planned
    assert "a status" in skipped[0].reason


def test_a_reset_ends_it_without_a_further_call() -> None:
    result = steps("""
      - send:   <CTL=RST>
        state:  CLOSED
      - wait:   61s
    """)
    assert (result.verdict, calls(result)) == (Verdict.PASS, [])


@pytest.mark.parametrize("name", ["last-octet-lost", "fin-one-too-far"])
def test_a_defect_below_it_fails_the_case(name: str) -> None:
    result = steps(
        """
      - send:   <CTL=ACK><DATA="GET / HTTP/1.0\\r\\n\\r\\n">
      - stream: RESPONSE
      - stream: EOF
    """,
        endpoint=MUTANTS[name].endpoint,
    )
    assert result.verdict is Verdict.FAIL
