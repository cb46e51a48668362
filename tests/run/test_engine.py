"""The engine, on the reference: many cases at once, and none of its own troubles laid to the target."""

from collections.abc import Sequence
from textwrap import dedent

from conformance.language.loader import load_text
from conformance.model.case import Case
from conformance.model.flow import Arrival, Died, Event
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.run.engine import Engine
from conformance.run.options import RunOptions
from conformance.run.plan import Planned, plan
from conformance.target.base import TargetError
from conformance.target.reference.lab import ReferenceLab

V = Verdict
CASES = """
title: Data is acknowledged $name
from: ESTABLISHED
{more}
for:
  name: [{names}]
steps:
  - send: <DATA="hello">
  - expect: <ACK=x+6><CTL=ACK>
"""


def cases(count: int = 1, more: str = "") -> list[Case]:
    names = ", ".join(f"n{number}" for number in range(count))
    found, errors = load_text(dedent(CASES).format(names=names, more=more).encode(), "case.yaml", "test/case")
    assert not errors, errors
    return found


class Watch:
    """An observer that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.results: list[Result] = []

    def started(self, total: int) -> None: ...

    def case_started(self, case: Case, ip: int) -> None:
        self.heard.append(f"start {case.id}")

    def case_retried(self, case: Case, ip: int) -> None:
        self.heard.append(f"retry {case.id}")

    def case_ended(self, result: Result) -> None:
        self.heard.append(f"end {result.id}")
        self.results.append(result)

    def ended(self, results: Sequence[Result]) -> None: ...


class Labs:
    """Opens the labs of a run, the first ones as `kinds` say, then right ones."""

    def __init__(self, *kinds: type[ReferenceLab]) -> None:
        self.kinds = list(kinds)
        self.opened: list[ReferenceLab] = []

    def __call__(self, planned: Planned) -> ReferenceLab:
        self.opened.append((self.kinds.pop(0) if self.kinds else ReferenceLab)(planned.sysctl))
        return self.opened[-1]


class Dying(ReferenceLab):
    """Its agent dies when it is asked for something the third time."""

    asked = 0

    def request(self, request_id, op, arguments):  # type: ignore[no-untyped-def]
        self.asked += 1
        super().request(request_id, op, arguments)

    def events(self) -> list[Event]:
        return [Died("out of memory", self.now())] if self.asked >= 3 else super().events()


class Deaf(ReferenceLab):
    """Loses the first segments that the target sends."""

    left = 6

    def events(self) -> list[Event]:
        found = super().events()
        return [event for event in found if not isinstance(event, Arrival) or self._past()]

    def _past(self) -> bool:
        self.left -= 1
        return self.left < 0


def run(found: list[Case], labs: Labs, watch: Watch, max_active: int = 100) -> list[Result]:
    planned, _ = plan(found, ReferenceLab().facts, RunOptions(ip=(4,)))
    engine = Engine(labs, lambda result, lab: result, watch, max_active=max_active, crossing=0.0)
    try:
        engine.run(planned)
    finally:
        engine.close()
    return engine.results


def test_many_at_once_each_on_its_own_sockets() -> None:
    watch = Watch()
    results = run(cases(20), Labs(), watch)
    assert [result.verdict for result in results] == [V.PASS] * 20
    assert len({port for result in results for port in result.ports[:-1]}) == 20
    starts = [word for word in watch.heard if word.startswith("start")]
    assert watch.heard.index("end test/case[n0]") > watch.heard.index(starts[1])


def test_cases_that_need_other_sysctls_or_the_target_alone_get_labs_of_their_own() -> None:
    labs = Labs()
    found = cases(2) + cases(2, "needs: exclusive")
    for number, case in enumerate(found):
        object.__setattr__(case, "id", f"test/{number}")
    assert {result.verdict for result in run(found, labs, Watch())} == {V.PASS}
    assert len(labs.opened) == 3


def test_a_target_that_dies_ends_its_cases_as_errors_and_the_next_get_a_new_one() -> None:
    results = run(cases(3), Labs(Dying), Watch(), max_active=1)
    verdicts = [result.verdict for result in results]
    assert verdicts.count(V.ERROR) == 1
    assert verdicts.count(V.PASS) == 2
    assert "out of memory" in next(result.reason for result in results if result.verdict is V.ERROR)


def test_what_is_inconclusive_is_tried_again_alone() -> None:
    watch = Watch()
    (result,) = run(cases(), Labs(Deaf), watch)
    assert (result.verdict, result.attempts) == (V.PASS, 2)
    assert "retry test/case[n0]" in watch.heard


def test_a_lab_that_cannot_be_made_costs_its_own_case() -> None:
    def refuse(planned: Planned) -> ReferenceLab:
        raise TargetError("no more namespaces")

    planned, _ = plan(cases(), ReferenceLab().facts, RunOptions(ip=(4,)))
    engine = Engine(refuse, lambda result, lab: result, Watch(), max_active=1, crossing=0.0)
    engine.run(planned)
    assert [(result.verdict, result.reason) for result in engine.results] == [(V.ERROR, "no more namespaces")]


def test_plan_skips_with_the_reason_before_anything_is_sent() -> None:
    options = RunOptions(ip=(4,))
    for more, reason in (("needs: slow", "--slow"), ("needs: http", "HTTP")):
        planned, skipped = plan(cases(1, more), ReferenceLab().facts, options)
        assert not planned
        assert reason in skipped[0].reason


def test_ports_do_not_depend_on_which_other_cases_run() -> None:
    facts, options = ReferenceLab().facts, RunOptions(seed=3, ip=(4,))
    alone, _ = plan(cases(1), facts, options)
    among, _ = plan(cases(9), facts, options)
    assert alone[0].endpoints in [item.endpoints for item in among]
