from collections.abc import Callable
from dataclasses import replace

import sample

from conformance.model.case import Needs
from conformance.model.description import Host
from conformance.model.source import Span
from conformance.model.trace import Diagnosis, Kind, Record
from conformance.model.verdict import Verdict
from conformance.report.diagnosis import diagnosis, headline, repeat_command

Golden = Callable[[str, str], None]


def _text(result: sample.Result = sample.FAILED, run: sample.RunInfo = sample.RUN) -> str:
    return "\n".join([headline(result), "", *diagnosis(result, run)]) + "\n"


def test_a_failure(golden: Golden) -> None:
    golden("diagnosis.txt", _text())


def test_a_warning_shows_as_one_and_once(golden: Golden) -> None:
    warning = replace(sample.DIAGNOSIS, code="late", message="the ACK came late", clause="RFC 9293 3.8.6.3")
    warned = replace(
        sample.FAILED, verdict=Verdict.WARN, reason="late", diagnosis=warning, warnings=(warning,), trace=()
    )
    golden("diagnosis-warning.txt", _text(warned))


def test_without_a_place_in_the_file() -> None:
    found = Diagnosis("unexplained-segment", "an RST came from nowhere", None, notes=(("came", "<CTL=RST>"),))
    lines = diagnosis(replace(sample.FAILED, diagnosis=found), sample.RUN)
    assert lines[:2] == ["failure[unexplained-segment]: an RST came from nowhere", "   = came: <CTL=RST>"]


def test_a_place_that_the_file_does_not_have() -> None:
    found = replace(sample.DIAGNOSIS, span=Span(sample.PATH, 99, 1, 2))
    assert any("99" in line for line in diagnosis(replace(sample.FAILED, diagnosis=found), sample.RUN))


def test_a_long_exchange_is_shortened_in_the_middle() -> None:
    trace = tuple(Record(0.0, Kind.NOTE, 0, f"note {number}") for number in range(300))
    lines = _text(replace(sample.FAILED, trace=trace))
    assert "note 0" in lines
    assert "note 299" in lines
    assert "note 150" not in lines
    assert "... 242 lines, which run.json has ..." in lines


def test_the_command_names_the_case_as_the_user_can() -> None:
    packaged = sample.case("close/rst[FIN-WAIT-1]")
    own = sample.case("mine[a b]", path="my cases/mine.yaml")
    run = replace(sample.RUN, target="tap", strict=True)
    assert repeat_command(replace(sample.FAILED, case=packaged), run) == (
        "conformance run 'close/rst[FIN-WAIT-1]' --target tap --ip 4 --seed 42 --strict"
    )
    assert repeat_command(replace(sample.FAILED, case=own), sample.RUN) == (
        "conformance run 'my cases/mine.yaml[a b]' --ip 4 --seed 42"
    )


def test_the_command_runs_the_case_under_the_same_rules() -> None:
    case = sample.case("slow/one", needs=Needs(slow=True, disruptive=True))
    host = Host(service="http", agent="ssh lab@host python3 -", tester_address="192.0.2.77", rate=5)
    run = replace(sample.RUN, target="192.0.2.7", profile="793", host=host.options())
    assert repeat_command(replace(sample.FAILED, case=case), run).endswith(
        "slow/one --target 192.0.2.7 --ip 4 --seed 42 --profile 793 --slow --disruptive --service http "
        "--agent 'ssh lab@host python3 -' --tester-address 192.0.2.77 --rate 5"
    )
