"""The kill matrix: the suite against the reference with one seeded defect at a time.

A mutant that no case kills is a defect that the suite would miss; a case that kills no
mutant may be unable to fail.

Everything is deterministic, and that saves most of the work.  A mutant differs from the
reference only where it overrides a method: a case that calls none of these methods cannot
tell them apart.  Nor can one whose injections and calls, played to the mutant as they were
played to the reference, draw the same segments and replies at the same times.  Only the
others are run in full.
"""

import difflib
import gc
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType

from conformance.model.case import Case
from conformance.model.flow import Arrival, Event, Reply
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.run.options import RunOptions
from conformance.run.plan import Planned, plan
from conformance.session.actions import Action, Inject
from conformance.session.session import Session
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.lab import ReferenceLab
from conformance.target.reference.mutants import MUTANTS, Mutant

_MAX_TURNS = 50_000


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


def play(planned: Planned, endpoint: type[Endpoint], script: Script | None = None) -> Result:
    """Run one case on a lab of its own, in virtual time; write down what happens in `script`."""
    script = script or Script()
    lab = ReferenceLab(planned.sysctl, endpoint)
    session = Session(planned.case, planned.endpoints, planned.seed, lab.facts.probes)
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
                port, target_port = event.flow.tester[1], event.flow.target[1]
                session.receive(port, event.segment, target_port, event.time, lab.now())
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
    if not isinstance(action, Inject):
        lab.request(action.id, action.op, action.arguments)
    elif action.raw is not None:
        lab.send_raw(action.flow, action.raw)
    else:
        lab.send(action.flow, action.segment)


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


# -- which methods a case calls ----------------------------------------------------------
def overridden(endpoint: type[Endpoint]) -> frozenset[str]:
    """Return the methods in which a kind of connection differs from the reference."""
    names: set[str] = set()
    for kind in endpoint.__mro__[: endpoint.__mro__.index(Endpoint)]:
        names |= {name for name, value in vars(kind).items() if isinstance(value, FunctionType | property)}
    return frozenset(names)


def _recording(names: frozenset[str], calls: set[str]) -> type[Endpoint]:
    """Return the reference, but one that notes in `calls` which of the methods called `names` it uses."""

    class Recording(Endpoint):
        def __getattribute__(self, name: str) -> object:
            if name in names:
                calls.add(name)
            return super().__getattribute__(name)

    return Recording


# -- the matrix --------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Suite:
    """The cases, once each; by id the methods that each calls, and what it does."""

    planned: tuple[Planned, ...]
    calls: dict[str, frozenset[str]]
    scripts: dict[str, Script]

    def killers(self, mutant: Mutant) -> tuple[str, ...]:
        changed = overridden(mutant.endpoint)
        return tuple(item.case.id for item in self.planned if self._kills(item, mutant.endpoint, changed))

    def _kills(self, planned: Planned, endpoint: type[Endpoint], changed: frozenset[str]) -> bool:
        case = planned.case.id
        if not changed & self.calls[case] or behaves(planned, endpoint, self.scripts[case]):
            return False
        return departs(play(planned, endpoint))


def prepare(cases: Sequence[Case], seed: int) -> Suite:
    """Run every case against the reference itself.  Raises UnsoundError if one does not pass."""
    options = RunOptions(target="reference", seed=seed, slow=True)
    planned, _ = plan(cases, ReferenceLab().facts, options)
    # Over IPv4, or over IPv6 where a case has nothing else: TCP is the same over both.
    once = {item.case.id: item for item in sorted(planned, key=lambda item: (item.case.id, -item.ip))}
    names = frozenset[str]().union(*(overridden(mutant.endpoint) for mutant in MUTANTS.values()))
    calls: dict[str, frozenset[str]] = {}
    scripts: dict[str, Script] = {}
    for item in once.values():
        called: set[str] = {"__init__"}
        scripts[item.case.id] = script = Script()
        result = play(item, _recording(names, called), script)
        if result.verdict is not Verdict.PASS or result.warnings:
            raise UnsoundError(f"without a defect {item.case.id} does not pass: {result.reason}")
        calls[item.case.id] = frozenset(called)
    return Suite(tuple(once.values()), calls, scripts)


_CURRENT: list[Suite] = []


def _begin(arguments: Sequence[str], seed: int) -> None:
    """Make the suite of a worker, if it was not inherited."""
    if not _CURRENT:
        _CURRENT.append(prepare(loaded(tuple(arguments)), seed))


def _killers(name: str) -> tuple[str, tuple[str, ...]]:
    return name, _CURRENT[0].killers(MUTANTS[name])


@cache
def loaded(arguments: tuple[str, ...]) -> list[Case]:
    from conformance.model.places import cases_root
    from conformance.run.loading import load_cases

    return load_cases(arguments, cases_root())[0]


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
    killers: dict[str, tuple[str, ...]] = {}
    for name, killed in _work([mutant.name for mutant in chosen], arguments, seed, jobs):
        killers[name] = killed
        tell(len(killers), len(chosen))
    return Matrix(chosen, tuple(sorted(_CURRENT[0].calls)), killers)


def _work(
    names: Sequence[str], arguments: Sequence[str], seed: int, jobs: int
) -> Iterator[tuple[str, tuple[str, ...]]]:
    if min(jobs, len(names)) < 2:
        yield from map(_killers, names)
        return
    methods = multiprocessing.get_all_start_methods()
    # A forked worker inherits the loaded cases; another one loads them itself.
    context = multiprocessing.get_context("fork" if "fork" in methods else None)
    with context.Pool(jobs, _begin, (tuple(arguments), seed)) as pool:
        yield from pool.imap_unordered(_killers, names)
