"""Other profiles than RFC 9293's: cases against them are skipped; who does right by them passes the rest."""

from collections.abc import Sequence
from dataclasses import replace

import click
import pytest

from conformance.cli_run import run
from conformance.model.case import Case, ExpectOracle
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.oracle.latitude import PROFILES
from conformance.run.engine import Engine
from conformance.run.mutants import loaded
from conformance.run.options import RunOptions
from conformance.run.plan import plan
from conformance.run.profiles import fit, sorted_out
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
    planned, _ = sorted_out(plan(loaded(tuple(names)), ReferenceLab().facts, options)[0], judge)
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
    ("case", "profile", "steps", "reason"),
    [
        ("urgent/pointer-after-data", "1122", 4, "by where the urgent data ends it is 3"),
        ("urgent/both-directions", "1122", 2, "the urgent pointer is 4"),
        ("urgent/told-again", "793", 6, "the call did not return normal mode"),
        ("reset/in-window[server-CLOSING]", "793", 1, "nothing but a reset can come from CLOSED"),
        ("reset/in-window-in-time-wait[server]", "1122", 2, "the target is not in TIME-WAIT"),
    ],
)
def test_what_contradicts_a_profile_ends_where_it_does(
    case: str, profile: str, steps: int, reason: str
) -> None:
    (written,) = loaded((case,))
    found, why = fit(written, profile)
    assert f"profile {profile}" in why
    assert reason in why
    assert found is not None
    assert found.title == f"{written.title} (profile {profile}: up to step {steps})"
    assert [step.action for step in found.steps[:-1]] == [step.action for step in written.steps[:steps]]
    assert (found.steps[-1].action, found.covers) == (ExpectOracle(), ())
    assert fit(found, profile) == (found, "")
    assert judged((case,), profile, profile) == {case: PASS}


def test_what_is_known_of_a_whole_case_is_not_asked_of_a_part_of_it() -> None:
    planned, _ = plan(loaded(("urgent/twice", "urgent/with-fin")), ReferenceLab().facts, RunOptions(ip=(6,)))
    kept, left_out = sorted_out(planned, "1122", lambda case, ip: ip == 6)
    assert [item.case.id for item in kept] == ["urgent/with-fin"]
    assert [(item.id, item.ip, item.verdict) for item in left_out] == [("urgent/twice", 6, Verdict.SKIP)]
    assert "the urgent pointer is 3" in left_out[0].reason


def test_what_contradicts_a_profile_from_the_first_step_on_is_skipped() -> None:
    (written,) = loaded(("urgent/twice",))
    empty = replace(written, steps=written.steps[1:2])
    assert fit(empty, "9293")[0] is None


@pytest.mark.parametrize(
    ("profile", "names"), [("9293", HEARD + SAID), ("1122", HEARD + SAID), ("793", SAID)]
)
def test_what_says_nothing_of_the_pointer_is_right_by_each_profile(
    profile: str, names: tuple[str, ...]
) -> None:
    assert [fit(case, profile) for case in loaded(names)] == [(case, "") for case in loaded(names)]
    assert judged(names, profile, profile) == dict.fromkeys(names, PASS)


@pytest.mark.parametrize(("target", "judge"), [("9293", "1122"), ("1122", "9293")])
def test_who_points_elsewhere_than_the_profile_fails(target: str, judge: str) -> None:
    names = ("urgent/told-again", "urgent/pointer[2]", "urgent/twice", *SAID)
    assert judged(names, target, judge) == dict.fromkeys(names, FAIL)


@pytest.mark.parametrize(
    "case", ["reset/in-window[server-CLOSING]", "duplicate-syn/in-window[client-ESTABLISHED]"]
)
def test_who_challenges_what_ends_the_connection_by_rfc_793_fails(case: str) -> None:
    assert judged((case,), "9293", "793") == {case: FAIL}
    assert judged((case,), "793", "9293") == {case: FAIL}


@pytest.mark.parametrize("target", ["9293", "1122"])
def test_rfc_793_lets_the_pointer_of_the_target_be_either(target: str) -> None:
    assert judged(SAID, target, "793") == dict.fromkeys(SAID, PASS)
