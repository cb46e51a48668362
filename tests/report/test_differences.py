"""Where two targets part is shown, with what each of them did."""

from dataclasses import replace

from conformance.model.trace import Result
from conformance.report.differences import differences
from conformance.run import mutants
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants import MUTANTS
from tests.session.target import case

WALK = """
    title: A reset in the window, after an old segment
    from: ESTABLISHED
    steps:
      - send:   <SEQ=x-99><ACK=y+1><CTL=ACK>
      - expect: oracle
      - wait:   6s
      - send:   <SEQ=x+101><CTL=RST>
      - expect: oracle
"""


def played(endpoint: type[Endpoint]) -> Result:
    (planned, *_) = mutants.once([case(WALK)], seed=0)
    return mutants.play(planned, endpoint)


def test_targets_that_do_the_same_do_not_part() -> None:
    same = played(Endpoint)
    assert differences({"one": [same], "other": [same], "silent": []}) == []


def test_targets_part_where_their_answers_do_and_each_exchange_is_shown_once() -> None:
    right, wrong = played(Endpoint), played(MUTANTS["rst-in-window-accepted"].endpoint)
    (text,) = differences({"one": [right], "other": [wrong], "third": [replace(right, started=9.0)]})
    lines = text.splitlines()
    assert lines[0] == "test/case (IPv4): one, other, third part in step 5"
    assert "one: PASS test/case (IPv4)" in lines
    assert "third: PASS test/case (IPv4)" in lines
    assert any(line.startswith("other: FAIL test/case (IPv4): ") for line in lines)
    assert text.count("tester  ") == 2
