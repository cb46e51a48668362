"""The kill matrix: the suite against the reference with one seeded defect at a time.

A mutant that no case kills is a defect that the suite would miss; a case that kills no
mutant may be unable to fail.

Everything is deterministic, and that saves most of the work.  A mutant differs from the
reference only where it overrides a method: a case in which none of these, called in the
place of the reference's, does anything else cannot tell them apart (`twins`).  Nor can one
whose injections and calls, played to the mutant as they were played to the reference, draw
the same segments and replies at the same times.  Only the others are run in full.
"""

import csv
import difflib
import gc
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from conformance.model.case import Case
from conformance.model.flow import Arrival, Event, Reply
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.run.engine import inject
from conformance.run.options import RunOptions
from conformance.run.plan import Planned, plan
from conformance.run.twins import Calls, Kind
from conformance.session.actions import Action, Inject
from conformance.session.session import Session
from conformance.session.users import user_of
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.lab import ReferenceLab
from conformance.target.reference.mutants import MUTANTS, Mutant

_MAX_TURNS = 50_000
KILLS = Path(__file__).resolve().parent.parent / "data" / "kills.csv"
"""Pairs of a case and a mutant that it was seen to kill: where to look first, and no proof."""


class UnsoundError(Exception):
    """The reference itself does not pass, so that nothing can be said of its mutants."""

    remedy = "conformance run --target reference shows why"


class UnknownMutant(LookupError):
    """No mutant has this name."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Which case kills which mutant."""

    mutants: tuple[Mutant, ...]
    cases: tuple[str, ...]
    killers: dict[str, tuple[str, ...]]
    """The cases that kill a mutant, by its name."""
    whole: bool = True
    """Whether each case met each mutant, or no more than shows that all do their part."""

    @property
    def survivors(self) -> list[Mutant]:
        return [mutant for mutant in self.mutants if not self.killers[mutant.name]]

    def kills(self) -> dict[str, int]:
        """Return how many mutants each case kills."""
        counts = dict.fromkeys(self.cases, 0)
        for killers in self.killers.values():
            for case in killers:
                counts[case] += 1
        return counts

    def as_json(self) -> dict[str, object]:
        return {
            "whole": self.whole,
            "mutants": [
                {
                    "name": mutant.name,
                    "clause": mutant.clause,
                    "what": mutant.what,
                    "killed_by": list(self.killers[mutant.name]),
                }
                for mutant in self.mutants
            ],
            "cases": [{"id": case, "kills": kills} for case, kills in self.kills().items()],
        }


# -- one case against one kind of connection ---------------------------------------------
@dataclass(slots=True)
class Script:
    """What was done to a lab, and when, and the events that came of it, until `end`."""

    done: list[tuple[float, Action]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    end: float = 0.0


def play(
    planned: Planned,
    endpoint: type[Endpoint],
    script: Script | None = None,
    profile: Profile = DEFAULT_PROFILE,
) -> Result:
    """Run one case on a lab of its own, in virtual time; write down what happens in `script`."""
    script = script or Script()
    lab = ReferenceLab(planned.sysctl, endpoint, profile=profile)
    user = user_of(planned.case, None)
    session = Session(
        planned.case, planned.endpoints, planned.seed, lab.facts.probes, profile=profile, user=user
    )
    session.start(lab.now())
    for _ in range(_MAX_TURNS):
        if session.result is not None:
            script.end = lab.now()
            return session.result
        _act(session, lab, script)
        events = lab.events()
        script.events += events
        for event in events:
            if isinstance(event, Arrival) and event.flow.tester[1] in planned.endpoints.tester_ports:
                to, port = event.flow.tester
                source, target_port = event.flow.target
                session.receive(port, event.segment, target_port, event.time, lab.now(), to, source)
            elif isinstance(event, Reply):
                session.reply(event, lab.now())
            _act(session, lab, script)
        if events:
            continue
        if session.deadline <= lab.now():
            session.wake(lab.now())
        else:
            lab.advance(session.deadline)
    session.lost("the case does not end", lab.now())
    assert session.result is not None
    return session.result


def _act(session: Session, lab: ReferenceLab, script: Script) -> None:
    # What is released after the verdict is of no interest: this lab ends here.
    for action in session.take_actions() if session.result is None else ():
        script.done.append((lab.now(), action))
        _do(lab, action)


def _do(lab: ReferenceLab, action: Action) -> None:
    if isinstance(action, Inject):
        inject(lab, action)
    else:
        lab.request(action.id, action.op, action.arguments)


def behaves(planned: Planned, endpoint: type[Endpoint], script: Script) -> bool:
    """Tell whether this kind of connection does in the script what the reference did."""
    lab = ReferenceLab(planned.sysctl, endpoint)
    at = 0
    for moment, action in [*script.done, (script.end, None)]:
        while True:
            events = lab.events()
            if events != script.events[at : at + len(events)]:
                return False
            at += len(events)
            if lab.now() >= moment:
                break
            lab.advance(moment)
        if action is not None:
            _do(lab, action)
    return at == len(script.events)


def departs(result: Result) -> bool:
    """Tell whether a case found something wrong, were it only against a SHOULD."""
    return result.verdict is Verdict.FAIL or (result.verdict is Verdict.PASS and bool(result.warnings))


def _demand_pass(result: Result) -> None:
    if result.verdict is not Verdict.PASS or result.warnings:
        raise UnsoundError(f"without a defect {result.id} does not pass: {result.reason}")


# -- one case against the mutants --------------------------------------------------------
@cache
def _kind(name: str) -> Kind:
    return Kind(MUTANTS[name].endpoint)


def killed(planned: Planned, names: Sequence[str]) -> list[str]:
    """Return which of the mutants called `names` a case kills.

    Raises UnsoundError if the reference itself does not pass.
    """
    kinds = {name: _kind(name) for name in names}
    calls, script = Calls({method for kind in kinds.values() for method in kind.methods}), Script()
    _demand_pass(play(planned, calls.endpoint, script))
    return [
        name
        for name, kind in kinds.items()
        if not calls.same(kind)
        and not behaves(planned, kind.endpoint, script)
        and departs(play(planned, kind.endpoint))
    ]


# -- the matrix --------------------------------------------------------------------------
def once(cases: Sequence[Case], seed: int) -> tuple[Planned, ...]:
    """Return where each case runs: over IPv4, or over IPv6 where it has nothing else.

    TCP is the same over both.
    """
    options = RunOptions(target="reference", seed=seed, slow=True, disruptive=True)
    planned, _ = plan(cases, ReferenceLab().facts, options)
    found = {item.case.id: item for item in sorted(planned, key=lambda item: (item.case.id, -item.ip))}
    return tuple(found.values())


_CURRENT: list[tuple[Planned, ...]] = []


def _begin(arguments: Sequence[str], seed: int) -> None:
    """Load the cases of a worker, if they were not inherited."""
    if not _CURRENT:
        _CURRENT.append(once(loaded(tuple(arguments)), seed))


def _killed(names: Sequence[str], index: int) -> list[str]:
    return killed(_CURRENT[0][index], names)


@cache
def loaded(arguments: tuple[str, ...]) -> list[Case]:
    from conformance.model.places import cases_root
    from conformance.run.loading import load_cases

    return load_cases(arguments, cases_root())[0]


def confirm(hints: Path = KILLS, *, seed: int = 0, jobs: int = 2) -> Matrix:
    """Ask no more than shows whether all do their part: each case passes and kills, each mutant is killed.

    What `hints` says was seen before is asked again first.  A case of which that shows no kill then
    meets each mutant, and a mutant that is still alive one case after the other until one kills it.
    """
    _CURRENT.clear()
    _begin((), seed)
    known: dict[str, list[str]] = {}
    with hints.open(encoding="utf-8", newline="") as file:
        for case, name in csv.reader(file):
            if name in MUTANTS:
                known.setdefault(case, []).append(name)
    everything = range(len(_CURRENT[0]))
    killers: dict[str, set[str]] = {name: set() for name in MUTANTS}

    def ask(work: Callable[[int], list[str]], indexes: Sequence[int]) -> Iterator[tuple[int, bool]]:
        """Take in what `work` finds of these cases; yield of each whether that is anything."""
        for index, found in zip(indexes, _work(work, indexes, jobs, (), seed), strict=True):
            for name in found:
                killers[name].add(_CURRENT[0][index].case.id)
            yield index, bool(found)

    idle = [index for index, kills in ask(partial(_confirmed, known), everything) if not kills]
    for _ in ask(partial(_killed, list(MUTANTS)), idle):
        pass
    alive = [name for name, by in killers.items() if not by]
    for _ in ask(partial(_killed, alive), everything if alive else ()):
        if all(killers.values()):
            break
    cases = tuple(sorted(item.case.id for item in _CURRENT[0]))
    found = {name: tuple(sorted(by)) for name, by in killers.items()}
    return Matrix(tuple(MUTANTS.values()), cases, found, whole=False)


def _confirmed(known: Mapping[str, Sequence[str]], index: int) -> list[str]:
    planned = _CURRENT[0][index]
    _demand_pass(play(planned, Endpoint))
    names = known.get(planned.case.id, ())
    return [name for name in names if departs(play(planned, MUTANTS[name].endpoint))]


def remember(found: Matrix) -> None:
    """Write down what confirm() is to ask: of each mutant one case, of each case one mutant."""
    pairs = {(killers[0], name) for name, killers in found.killers.items() if killers}
    have = {case for case, _ in pairs}
    for name, killers in found.killers.items():
        for case in killers:
            if case not in have:
                have.add(case)
                pairs.add((case, name))
    with KILLS.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(pairs))


def matrix(
    arguments: Sequence[str],
    names: Sequence[str] = (),
    *,
    seed: int = 0,
    jobs: int = 2,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Matrix:
    """Run the cases that `arguments` name against the mutants called `names`, or all of them.

    Raises UnsoundError and UnknownMutant.
    """
    for name in names:
        if name not in MUTANTS:
            near = difflib.get_close_matches(name, MUTANTS, n=1)
            raise UnknownMutant(f"no mutant is named {name}" + (f"; did you mean {near[0]}?" if near else ""))
    chosen = tuple(MUTANTS[name] for name in names) or tuple(MUTANTS.values())
    _CURRENT.clear()
    _begin(arguments, seed)
    gc.freeze()  # What is known of the cases stays: no need to look through it again and again.
    cases = [item.case.id for item in _CURRENT[0]]
    killers: dict[str, list[str]] = {mutant.name: [] for mutant in chosen}
    rows = _work(partial(_killed, list(killers)), range(len(cases)), jobs, arguments, seed)
    for done, (case, found) in enumerate(zip(cases, rows, strict=True), 1):
        for name in found:
            killers[name].append(case)
        tell(done, len(cases))
    return Matrix(chosen, tuple(sorted(cases)), {name: tuple(found) for name, found in killers.items()})


def _work(
    work: Callable[[int], list[str]], indexes: Sequence[int], jobs: int, arguments: Sequence[str], seed: int
) -> Iterator[list[str]]:
    """Yield what `work` finds of the cases at these indexes."""
    if min(jobs, len(indexes)) < 2:
        yield from map(work, indexes)
        return
    methods = multiprocessing.get_all_start_methods()
    # A forked worker inherits the loaded cases; another one loads them itself.
    context = multiprocessing.get_context("fork" if "fork" in methods else None)
    with context.Pool(jobs, _begin, (tuple(arguments), seed)) as pool:
        yield from pool.imap(work, indexes)
