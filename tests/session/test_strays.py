"""What the target sends to an address that the tester has forged, or from another than the connection's."""

import pytest

from conformance.model.flow import INVALID, other
from conformance.model.segment import Control, Segment
from conformance.model.trace import Kind, Result
from conformance.model.verdict import Verdict
from conformance.session.actions import Connection, Inject
from tests.session.target import Target, case

CASE = """
    title: Nobody is answered
    steps:
      - send:   <SRC=multicast><SEQ=x><CTL=SYN>
      - expect: nothing
        within: 300ms
        state:  LISTEN
    """


class Answering(Target):
    """Answers the forged SYN, at the address `to`."""

    to = ""

    def injected(self, action: Inject) -> None:
        super().injected(action)
        if action.segment.envelope.source:
            port = action.flow.tester[1]
            reply = Segment(7, action.segment.end, Control.SYN | Control.ACK)
            self.session.receive(port, reply, action.flow.target[1], self.now, self.now, self.to)


def answered(to: str) -> Result:
    target = Answering(case(CASE))
    target.to = to
    return target.result()


@pytest.mark.parametrize("word", INVALID)
def test_an_answer_to_an_invalid_address_fails_the_case(word: str) -> None:
    result = answered(INVALID[word][4])
    assert result.verdict is Verdict.FAIL
    assert result.diagnosis is not None
    assert result.diagnosis.code == "unexplained-segment"
    assert "MUST-63" in result.diagnosis.clause


def test_an_answer_to_the_other_address_is_recorded_only() -> None:
    result = answered(other("192.0.2.1"))
    assert result.verdict is Verdict.PASS
    assert any(record.kind is Kind.RECEIVED and "192.0.2.65" in record.why for record in result.trace)


def test_silence_passes() -> None:
    assert Target(case(CASE)).result().verdict is Verdict.PASS


class Multihomed(Target):
    """Speaks from the address `source` once the connection is open."""

    source = ""

    def deliver(self, connection: Connection, segment: Segment, delay: float = 0.0) -> bool:
        port, source = connection.target_port or 50000, "" if segment.has(Control.SYN) else self.source
        self.session.receive(connection.tester_port, segment, port, self.now, self.now, "", source)
        return True


@pytest.mark.parametrize(
    ("call", "source", "verdict"),
    [
        ("OPEN", "192.0.2.2", Verdict.PASS),
        ("OPEN", "192.0.2.66", Verdict.FAIL),
        ("OPEN local other", "192.0.2.66", Verdict.PASS),
        ("OPEN local other", "192.0.2.2", Verdict.FAIL),
        ("OPEN local any", "192.0.2.66", Verdict.PASS),
    ],
)
def test_a_connection_keeps_to_its_local_address(call: str, source: str, verdict: Verdict) -> None:
    text = f"""
        title: Opened
        target: client
        steps:
          - call:   {call}
          - expect: <SEQ=y><CTL=SYN>
          - send:   <SEQ=x><ACK=y+1><CTL=SYN,ACK>
          - expect: <SEQ=y+1><ACK=x+1><CTL=ACK>
        """
    target = Multihomed(case(text))
    target.source = source
    result = target.result()
    assert result.verdict is verdict
    assert verdict is Verdict.PASS or "MUST-45" in result.diagnosis.clause  # type: ignore[union-attr]
