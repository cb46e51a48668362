"""What is reported of what was found: levels, strictness and known deviations."""

import pytest

from conformance.model.case import Case
from conformance.model.description import Condition, Deviation, TargetDescription
from conformance.model.source import Span
from conformance.model.trace import Diagnosis, Result
from conformance.model.verdict import Evidence, Exit, Level, Verdict, exit_code
from conformance.run.judgement import judge

V = Verdict
WARNING = Diagnosis("unexplained-segment", "the window shrank", None)
KNOWN = Deviation("close/a", "it never did", "RFC 9293 3.6", "tcp.c: close")


def result(verdict: Verdict, level: Level = Level.MUST, *, warned: bool = False) -> Result:
    case = Case("close/a", "A", (), Span("a.yaml", 1, 1, 2), "")
    warnings = (WARNING,) if warned else ()
    return Result(case, 4, verdict, "why", Evidence.OBSERVED, 0.0, 1.0, level=level, warnings=warnings)


@pytest.mark.parametrize(
    ("verdict", "level", "strict", "wanted"),
    [
        (V.PASS, Level.MUST, True, V.PASS),
        (V.FAIL, Level.MUST, False, V.FAIL),
        (V.FAIL, Level.SHOULD, False, V.WARN),
        (V.FAIL, Level.SHOULD, True, V.FAIL),
        (V.FAIL, Level.MAY, True, V.WARN),
        (V.INCONCLUSIVE, Level.SHOULD, True, V.INCONCLUSIVE),
        (V.ERROR, Level.MUST, True, V.ERROR),
    ],
)
def test_levels(verdict: Verdict, level: Level, strict: bool, wanted: Verdict) -> None:
    assert judge(result(verdict, level), None, strict=strict).verdict is wanted


def test_a_warning_counts_as_a_departure_from_a_should() -> None:
    assert judge(result(V.PASS, warned=True), None, strict=False).verdict is V.WARN
    assert judge(result(V.PASS, warned=True), None, strict=True).verdict is V.FAIL


def test_known_deviations() -> None:
    excused = judge(result(V.FAIL), KNOWN, strict=False)
    assert excused.verdict is V.XFAIL
    assert excused.reason == "known deviation: it never did (RFC 9293 3.6; tcp.c: close)"
    assert judge(result(V.FAIL, Level.SHOULD), KNOWN, strict=True).verdict is V.XFAIL
    gone = judge(result(V.PASS), KNOWN, strict=False)
    assert gone.verdict is V.XPASS
    assert gone.reason.endswith("no longer occurs: it never did (RFC 9293 3.6; tcp.c: close)")
    bare = judge(result(V.FAIL), Deviation("close/a", "it never did"), strict=False)
    assert bare.reason == "known deviation: it never did"
    assert judge(result(V.INCONCLUSIVE), KNOWN, strict=False).verdict is V.INCONCLUSIVE


def test_each_case_that_a_deviation_matches_has_to_depart_by_itself() -> None:
    pattern = Deviation("walks/*", "it never did")
    target = TargetDescription("netns", "netns", deviations=(pattern,))
    for name in ("walks/walk-7-0001", "walks/walk-7-0002[x]"):
        assert target.deviation(name, 4, "") is pattern
    # What others do that it matches is no matter: not all of them are in every run.
    verdicts = [judge(result(verdict), pattern, strict=False).verdict for verdict in (V.FAIL, V.PASS)]
    assert verdicts == [V.XFAIL, V.XPASS]


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([V.PASS, V.XFAIL, V.WARN, V.SKIP], Exit.CONFORMING),
        ([V.PASS, V.FAIL, V.ERROR], Exit.NONCONFORMING),
        ([V.XPASS], Exit.NONCONFORMING),
        ([V.PASS, V.INCONCLUSIVE], Exit.COULD_NOT_TEST),
        ([V.ERROR], Exit.COULD_NOT_TEST),
    ],
)
def test_exit_codes(verdicts: list[Verdict], code: Exit) -> None:
    assert exit_code(verdicts) is code


def test_a_deviation_may_depend_on_the_kernel() -> None:
    since = Deviation("close/*", "new", when=Condition.parse("kernel >= 6.5"))
    description = TargetDescription("netns", "netns", deviations=(since,))
    assert description.deviation("close/a[x]", 4, "6.18.44-generic") is since
    assert description.deviation("close/a[x]", 4, "6.1.0") is None
    assert description.deviation("reset/a", 4, "6.18.44") is None
