"""Other profiles than RFC 9293's: cases against them are skipped; who does right by them passes the rest."""

from collections.abc import Sequence

import click
import pytest

from conformance.cli_run import run
from conformance.model.case import Case
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.oracle.latitude import PROFILES
from conformance.run.engine import Engine
from conformance.run.mutants import loaded
from conformance.run.options import RunOptions
from conformance.run.plan import plan
from conformance.run.profiles import contradictions, sorted_out
from conformance.target.reference.lab import ReferenceLab

PASS, FAIL = Verdict.PASS, Verdict.FAIL
HEARD = ("urgent/told-again", "urgent/told-of-advance")
SAID = ("urgent/retransmitted", "urgent/with-fin", "urgent/data-afterwards")
"""What does not say where the pointer points: the tester's, and the target's."""


class Silent:
    """An observer to whom nothing matters."""

    def started(self, total: int) -> None: ...

    def case_started(self, case: Case, ip: int) -> None: ...

    def case_retried(self, case: Case, ip: int) -> None: ...

    def case_ended(self, result: Result) -> None: ...

    def ended(self, results: Sequence[Result]) -> None: ...


def judged(names: Sequence[str], target: str, judge: str) -> dict[str, Verdict]:
    """Return what cases find of a target that follows one profile, judged by another."""
    options = RunOptions(target="reference", ip=(4,), slow=True)
    planned, _ = plan(loaded(tuple(names)), ReferenceLab().facts, options)
    engine = Engine(
        lambda item: ReferenceLab(item.sysctl, profile=PROFILES[target]),
        lambda result, lab: result,
        Silent(),
        max_active=1,
        crossing=0.0,
        profile=PROFILES[judge],
    )
    engine.run(planned)
    engine.close()
    return {result.id: result.verdict for result in engine.results}


def test_the_command_line_has_each_profile() -> None:
    (option,) = (item for item in run.params if item.name == "profile")
    assert isinstance(option.type, click.Choice)
    assert set(option.type.choices) == set(PROFILES)


@pytest.mark.parametrize(
    ("case", "profile", "reason"),
    [
        (
            "urgent/pointer-after-data",
            "1122",
            "by where the urgent data ends it is 3",
        ),
        ("urgent/both-directions", "1122", "the urgent pointer is 4"),
        ("urgent/told-again", "793", "the call did not return normal mode"),
        ("reset/in-window[server-CLOSING]", "793", "nothing but a reset can come from CLOSED"),
        ("reset/in-window-in-time-wait[server]", "1122", "the target is not in TIME-WAIT"),
    ],
)
def test_what_contradicts_a_profile_is_skipped_with_the_reason(case: str, profile: str, reason: str) -> None:
    cases = loaded((case,))
    options = RunOptions(target="reference", ip=(6,), profile=profile)
    planned, skipped = plan(cases, ReferenceLab().facts, options)
    assert (len(planned), skipped) == (1, [])
    kept, against = sorted_out(planned, profile)
    assert (kept, [(item.id, item.ip, item.verdict) for item in against]) == ([], [(case, 6, Verdict.SKIP)])
    assert f"profile {profile}" in against[0].reason
    assert reason in against[0].reason


@pytest.mark.parametrize(
    ("profile", "names"), [("9293", HEARD + SAID), ("1122", HEARD + SAID), ("793", SAID)]
)
def test_what_says_nothing_of_the_pointer_is_right_by_each_profile(
    profile: str, names: tuple[str, ...]
) -> None:
    assert contradictions(loaded(names), profile) == {}
    assert judged(names, profile, profile) == dict.fromkeys(names, PASS)


def test_nothing_contradicts_the_usual_profile() -> None:
    assert contradictions(loaded(("urgent", "reset")), "9293") == {}


@pytest.mark.parametrize(("target", "judge"), [("9293", "1122"), ("1122", "9293")])
def test_who_points_elsewhere_than_the_profile_fails(target: str, judge: str) -> None:
    names = ("urgent/told-again", *SAID)
    assert judged(names, target, judge) == dict.fromkeys(names, FAIL)


@pytest.mark.parametrize("target", ["9293", "1122"])
def test_rfc_793_lets_the_pointer_of_the_target_be_either(target: str) -> None:
    assert judged(SAID, target, "793") == dict.fromkeys(SAID, PASS)
