"""The engine, on the reference: many cases at once, and none of its own troubles laid to the target."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import dedent

from conformance.language.loader import load_text
from conformance.model.case import Case
from conformance.model.flow import Arrival, Died, Event, Fate, Flow
from conformance.model.segment import Control, Segment
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.run.engine import Engine
from conformance.run.options import RunOptions
from conformance.run.plan import Planned, plan
from conformance.target.base import TargetError
from conformance.target.reference.lab import ReferenceLab

V = Verdict
SYN = Control.SYN
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


class Blinking(ReferenceLab):
    """Its tester is busy for 1.5 s when the first answer to data comes, and reads it only then."""

    kept: list[Event] | None = None

    def events(self) -> list[Event]:
        found = super().events()
        if self.kept is None and any(
            isinstance(item, Arrival) and not item.segment.has(SYN) for item in found
        ):
            self.kept = found
            self.advance(self.now() + 1.5)
            return []
        found, self.kept = [*(self.kept or ()), *found], [] if self.kept is not None else None
        return found


class Late(ReferenceLab):
    """Its tester reads the first segment 0.2 s after it came."""

    late = 0.2

    def events(self) -> list[Event]:
        found = super().events()
        out: list[Event] = []
        for item in found:
            if isinstance(item, Arrival):
                item, self.late = replace(item, time=item.time - self.late), 0.0
            out.append(item)
        return out


class AlwaysLate(Late):
    def events(self) -> list[Event]:
        self.late = 0.2
        return super().events()


def run(
    found: list[Case],
    labs: Labs,
    watch: Watch,
    max_active: int = 100,
    known: Callable[[Result], bool] = lambda result: False,
) -> list[Result]:
    planned, _ = plan(found, ReferenceLab().facts, RunOptions(ip=(4,)))
    engine = Engine(labs, lambda result, lab: result, watch, max_active=max_active, crossing=0.0, known=known)
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


class Crashing(ReferenceLab):
    """Its stack crashes on the octets of one case; `fate` is what it looks like from outside."""

    fate = Fate.CRASHED
    culprit = b"n3"
    times = 1000

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.dead = False

    def send(self, flow: Flow, segment: Segment) -> float:
        if self.culprit in segment.data and type(self).times > 0:
            type(self).times -= 1
            self.dead = True
        return super().send(flow, segment)

    def events(self) -> list[Event]:
        if self.dead:
            return [Died("the stack ended by signal 11\nassertion failed", self.now(), self.fate)]
        return super().events()


def crashing(fate: Fate, times: int) -> list[Result]:
    kind = type("Kind", (Crashing,), {"fate": fate, "times": times})
    watch = Watch()
    found = []
    for number in range(40):
        text = dedent(CASES).format(names="one", more="").replace("hello", f"n{number:03}")
        loaded, errors = load_text(text.replace("x+6", "x+5").encode(), "case.yaml", f"test/{number}")
        assert not errors, errors
        found += loaded
    results = run(found, Labs(*[kind] * 100), watch)
    assert sorted(map(id, watch.results)) == sorted(map(id, results))
    assert len(results) == len(found)
    return results


def test_the_case_that_makes_the_target_crash_is_found_among_many() -> None:
    Crashing.culprit = b"n017"
    results = crashing(Fate.CRASHED, 1000)
    failed = [result for result in results if result.verdict is not V.PASS]
    assert [(result.id, result.verdict) for result in failed] == [("test/17[one]", V.FAIL)]
    assert failed[0].diagnosis is not None
    assert failed[0].diagnosis.label == "the stack ended by signal 11"
    assert failed[0].diagnosis.notes == (("its last words", "assertion failed"),)


def test_several_cases_may_make_it_crash() -> None:
    Crashing.culprit = b"n00"
    results = crashing(Fate.CRASHED, 1000)
    failed = {result.id for result in results if result.verdict is V.FAIL}
    assert failed == {f"test/{number}[one]" for number in range(10)}
    assert {result.verdict for result in results if result.id not in failed} == {V.PASS}


def test_a_crash_that_does_not_come_again_is_not_forgotten() -> None:
    Crashing.culprit = b"n017"
    results = crashing(Fate.CRASHED, 1)
    unsure = [result for result in results if result.verdict is not V.PASS]
    assert {result.verdict for result in unsure} == {V.INCONCLUSIVE}
    assert "test/17[one]" in {result.id for result in unsure}


def test_a_stack_that_is_killed_is_started_again_and_no_case_suffers() -> None:
    Crashing.culprit = b"n017"
    assert {result.verdict for result in crashing(Fate.KILLED, 1)} == {V.PASS}


def test_a_case_at_which_the_stack_is_always_killed_is_an_error() -> None:
    Crashing.culprit = b"n017"
    wrong = [result for result in crashing(Fate.KILLED, 1000) if result.verdict is not V.PASS]
    assert [(result.id, result.verdict) for result in wrong] == [("test/17[one]", V.ERROR)]


def test_what_is_inconclusive_is_tried_again_alone() -> None:
    watch = Watch()
    (result,) = run(cases(), Labs(Deaf), watch)
    assert (result.verdict, result.attempts) == (V.PASS, 2)
    assert "retry test/case[n0]" in watch.heard


def test_a_second_try_has_ports_of_its_own_and_none_twice() -> None:
    block = "  - connection: 2..200\n    steps:\n      - send: <CTL=SYN>\n      - expect: <CTL=SYN,ACK>\n"
    text = dedent(CASES).format(names="one", more="") + block
    found, errors = load_text(text.encode(), "case.yaml", "test/case")
    assert not errors, errors
    (result,) = run(found, Labs(Deaf), Watch())
    assert (result.verdict, result.attempts) == (V.PASS, 2)
    ports = result.ports[:-1]
    assert len(set(ports)) == len(ports) == 200


def test_nobody_is_woken_before_all_is_read_that_came_before() -> None:
    (result,) = run(cases(), Labs(Blinking), Watch())
    assert (result.verdict, result.attempts) == (V.PASS, 1)
    assert result.lateness >= 0.4


def test_a_known_deviation_that_does_not_show_while_we_are_late_is_tried_again() -> None:
    for known, attempts in ((True, 2), (False, 1)):
        (result,) = run(cases(), Labs(Late), Watch(), known=lambda result, known=known: known)
        assert (result.verdict, result.attempts) == (V.PASS, attempts)


def test_what_is_found_while_we_are_late_is_not_laid_to_the_target() -> None:
    wrong = dedent(CASES).format(names="one", more="").replace("x+6", "x+5")
    found, _ = load_text(wrong.encode(), "case.yaml", "test/case")
    (result,) = run(found, Labs(Late), Watch())
    assert (result.verdict, result.attempts) == (V.FAIL, 2)
    (result,) = run(found, Labs(AlwaysLate), Watch())
    assert (result.verdict, result.attempts) == (V.INCONCLUSIVE, 2)
    assert re.match(r"the tester was 0\.\d+ s late: ", result.reason), result.reason


def test_a_lab_that_cannot_be_made_costs_its_own_case() -> None:
    def refuse(planned: Planned) -> ReferenceLab:
        raise TargetError("no more namespaces")

    planned, _ = plan(cases(), ReferenceLab().facts, RunOptions(ip=(4,)))
    engine = Engine(refuse, lambda result, lab: result, Watch(), max_active=1, crossing=0.0)
    engine.run(planned)
    assert [(result.verdict, result.reason) for result in engine.results] == [(V.ERROR, "no more namespaces")]


def test_plan_skips_with_the_reason_before_anything_is_sent() -> None:
    options = RunOptions(ip=(4,))
    facts = ReferenceLab().facts
    sends = replace(facts, ops=facts.ops - {"receive"})
    for more, reason in (("needs: slow", "--slow"), ("needs: http", "does not offer receive")):
        planned, skipped = plan(cases(1, more), sends, options)
        assert not planned
        assert reason in skipped[0].reason


def test_ports_do_not_depend_on_which_other_cases_run() -> None:
    facts, options = ReferenceLab().facts, RunOptions(seed=3, ip=(4,))
    alone, _ = plan(cases(1), facts, options)
    among, _ = plan(cases(9), facts, options)
    assert alone[0].endpoints in [item.endpoints for item in among]
