"""The one loop that runs many cases at once: events to sessions, actions to labs.

Hundreds of cases mostly wait, each on its own sockets.  A new one is started only when
nothing else is to be done, so that the tester does not make itself late.
"""

import select
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

from conformance.model.description import Timing
from conformance.model.flow import Arrival, Died, Event, Fate, Reply
from conformance.model.trace import Result
from conformance.model.verdict import Evidence, Verdict
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.run.crashes import Crashes
from conformance.run.labs import Labs, OpenLab
from conformance.run.observer import Observer
from conformance.run.plan import Planned
from conformance.session.actions import Ask, Inject
from conformance.session.session import Session
from conformance.session.users import user_of
from conformance.target.base import Lab, TargetError

_TICK = 0.25

Feed = Callable[[Session, float], None]
Finish = Callable[[Result, Lab | None], Result]
Known = Callable[[Result], bool]


@dataclass(slots=True)
class _Active:
    planned: Planned
    session: Session
    lab: Lab
    attempts: int
    dropped: int
    """What the lab had lost when the case began."""


class Engine:
    """Runs planned cases on the labs that `open_lab` makes; `finish` makes of a result what is reported.

    `known` tells of a case that it is a known deviation: if we were late a failure of it need not be
    tried again, but what passes must be.
    `tolerance` is for how long, in seconds, we may be behind in a case before what it finds is laid to us.
    With `one_lab` the cases of one lab run after those of another, for both are the same machine.
    """

    def __init__(
        self,
        open_lab: OpenLab,
        finish: Finish,
        observer: Observer,
        *,
        max_active: int,
        crossing: float,
        tolerance: float = Timing().rto_min / 2,
        profile: Profile = DEFAULT_PROFILE,
        known: Known = lambda result: False,
        one_lab: bool = False,
    ) -> None:
        self._labs = Labs(open_lab)
        self._known = known
        self._finish = finish
        self._observer = observer
        self._max_active = max_active
        self._crossing = crossing
        self._tolerance = tolerance
        self._one_lab = one_lab
        self._crashes = Crashes()
        self._profile = profile
        self._active: list[_Active] = []
        self._ports: dict[tuple[int, int, int], _Active] = {}
        self._requests: dict[tuple[int, int], tuple[_Active, int]] = {}
        self._next_request = 1
        self._began = 0.0
        self.results: list[Result] = []
        self.silent = ""
        """Why the run has ended early: the target answers nothing any more."""

    def adopt(self, name: str, lab: Lab) -> None:
        """Use `lab`, already open, for the cases that are planned for it."""
        self._labs.adopt(name, lab)
        self._began = lab.now()

    def run(self, planned: Sequence[Planned]) -> None:
        """Run everything, then again, alone, what was inconclusive or spoilt by our lateness."""
        again: list[Planned] = []
        for batch in self._batches(planned):
            if self.silent:
                again += batch
                continue
            for item in batch:
                self._labs.reserve(item)
                # Before anything is timed: making a lab takes longer than a case can be late.
                with suppress(TargetError):
                    self._labs.of(item)
            again += self._run_all(batch, self._max_active, attempt=1)
            self._crashes.searching = True
            again += self._search(self._crashes.take())
            for result in self._crashes.settle():
                self._report(result)
        self._crashes.alone = True
        for item in again:
            self._labs.reserve(item)
            if self.silent:
                self._done(item, _could_not(item, self.silent, Verdict.INCONCLUSIVE), None)
                continue
            self._run_all([item], 1, attempt=2)

    def _search(self, suspects: list[Planned]) -> list[Planned]:
        """Find which of the cases that were at work when the target crashed makes it crash.

        In groups, each a quarter of the last, until the culprit runs alone.
        """
        again: list[Planned] = []
        size = -(-len(suspects) // 4)
        for at in range(0, len(suspects), size or 1):
            group = suspects[at : at + size]
            for item in group:
                self._labs.reserve(item)
            self._crashes.alone = size == 1
            if self._crashes.alone:
                self._labs.renew(group[0].lab)  # nobody is blamed for what another left behind
            again += self._run_all(group, self._max_active, attempt=1)
            again += self._search(self._crashes.take())
        return again

    def _batches(self, planned: Sequence[Planned]) -> list[list[Planned]]:
        """Return what may run at once, the cases of the lab that all share first."""
        if not self._one_lab:
            return [list(planned)]
        labs = sorted({item.lab for item in planned})
        return [[item for item in planned if item.lab == lab] for lab in labs]

    def close(self) -> None:
        """End every lab.  May be called twice."""
        self._labs.close()

    # -- the loop -----------------------------------------------------------------------
    def _run_all(self, queue: list[Planned], max_active: int, attempt: int) -> list[Planned]:
        again: list[Planned] = []
        queue = queue[::-1]
        while queue or self._active:
            pause = max((lab.pause() for lab in self._labs), default=0.0)
            room = bool(queue) and len(self._active) < max_active and not pause
            happened = self._pump(0.0 if room else min(_TICK, pause or _TICK))
            if room and not happened:
                self._start(queue.pop(), attempt)
            again += self._collect(attempt)
            if self._fell_silent():
                for item in queue[::-1]:
                    self._done(item, _could_not(item, self.silent, Verdict.INCONCLUSIVE), None)
                break
        return again

    def _fell_silent(self) -> bool:
        """Tell whether a target answers nothing any more; its cases then end, and `silent` says why."""
        for lab in self._labs:
            port = lab.silent()
            if port is None:
                continue
            last = next((result for result in self.results if port in result.ports[:-1]), None)
            running = next(
                (item for item in self._active if port in item.planned.endpoints.tester_ports), None
            )
            case = running.planned.case.id if running else last.id if last else "the first contact"
            self.silent = f"the target answers nothing any more; it went silent after {case}"
            for active in self._active:
                active.session.lost(self.silent, lab.now(), Verdict.INCONCLUSIVE)
            self._collect(attempt=2)
            return True
        return False

    def _pump(self, most: float) -> bool:
        """Wait for at most `most` seconds, feed what has happened and wake whom it is time for."""
        labs = list(self._labs)
        _wait(
            labs,
            most,
            min((active.session.deadline - active.lab.now() for active in self._active), default=most),
        )
        happened = False
        # Feeding takes time, and what comes meanwhile is read only next time: nobody is woken for a
        # moment before which something may not have been read.
        read = {id(lab): lab.now() for lab in labs}
        for lab in labs:
            for event in lab.events():
                happened = True
                self._feed(lab, event)
        for active in list(self._active):
            until = read.get(id(active.lab), active.session.deadline)
            if active.session.result is None and active.session.deadline <= until:
                self._tend(active, lambda session, now: session.wake(now))
        return happened

    def _tend(self, active: _Active, feed: Feed) -> None:
        """Feed a session and carry out what it asks; a fault of ours costs this one case only."""
        try:
            if active.session.result is None:
                feed(active.session, active.lab.now())
            self._act(active)
        except (TargetError, ValueError) as error:
            active.session.lost(f"this cannot be sent: {error}", active.lab.now())
        except Exception:
            reason = "a defect of the tester itself: " + traceback.format_exc(limit=-3)
            active.session.lost(reason, active.lab.now())

    def _feed(self, lab: Lab, event: Event) -> None:
        match event:
            case Arrival(flow, segment, time):
                to, port = flow.tester
                active = self._ports.get((id(lab), flow.family, port))
                if active is not None:
                    source, target_port = flow.target
                    self._tend(
                        active,
                        lambda session, now: session.receive(
                            port, segment, target_port, time, now, to, source
                        ),
                    )
            case Reply():
                asked = self._requests.pop((id(lab), event.id), None)
                if asked is not None:
                    answer = replace(event, id=asked[1])
                    self._tend(asked[0], lambda session, now: session.reply(answer, now))
            case Died():
                self._died(lab, event)

    def _act(self, active: _Active) -> None:
        """Carry out what a session asks; doing so may take time, so each is done at once."""
        lab = active.lab
        for action in active.session.take_actions():
            match action:
                case Inject():
                    inject(lab, action)
                case Ask(number, op, arguments):
                    request = self._next_request
                    self._next_request += 1
                    self._requests[id(lab), request] = (active, number)
                    lab.request(request, op, arguments)

    # -- the course of a case -----------------------------------------------------------
    def _start(self, planned: Planned, attempt: int) -> None:
        self._observer.case_started(planned.case, planned.ip)
        try:
            lab = self._labs.of(planned)
        except TargetError as error:
            self._done(planned, _could_not(planned, str(error)), None)
            return
        facts = lab.facts
        tester, target = facts.addresses[planned.ip]
        ends = replace(planned.endpoints, tester=tester, target=target)
        user = user_of(planned.case, facts.service)
        session = Session(planned.case, ends, planned.seed, facts.probes, self._crossing, self._profile, user)
        active = _Active(planned, session, lab, attempt, lab.dropped())
        self._active.append(active)
        for port in ends.tester_ports:
            self._ports[id(lab), ends.family, port] = active
        self._tend(active, lambda session, now: session.start(now))

    def _collect(self, attempt: int) -> list[Planned]:
        """Take out the sessions that have ended; return those to be tried again."""
        again: list[Planned] = []
        for active in [item for item in self._active if item.session.result]:
            self._forget(active)
            result = active.session.result
            if result is None:
                continue
            result = replace(result, started=result.started - self._began, attempts=active.attempts)
            if result.verdict is Verdict.FAIL and active.lab.dropped() > active.dropped:
                reason = f"the tester's machine lost frames: {result.reason}"
                result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=reason)
            if result.verdict is Verdict.FAIL and (lost := active.lab.lost()):
                result = replace(result, verdict=Verdict.ERROR, reason=lost, diagnosis=None)
            if attempt == 1 and self._doubtful(result):
                self._observer.case_retried(active.planned.case, active.planned.ip)
                again.append(_with_new_ports(active.planned))
                self._labs.left(active.planned)
                continue
            self._done(active.planned, self._blame_ourselves(result), active.lab)
        return again

    def _forget(self, active: _Active) -> None:
        self._active.remove(active)
        ends = active.planned.endpoints
        for port in ends.tester_ports:
            self._ports.pop((id(active.lab), ends.family, port), None)

    def _late(self, result: Result) -> bool:
        """Whether what was found, or a known deviation that does not show, may be of our making."""
        if result.lateness <= self._tolerance:
            return False
        if self._known(result):
            return result.verdict is Verdict.PASS and not result.warnings
        return result.verdict is Verdict.FAIL or bool(result.warnings)

    def _doubtful(self, result: Result) -> bool:
        return self._late(result) or result.verdict is Verdict.INCONCLUSIVE

    def _blame_ourselves(self, result: Result) -> Result:
        """A surprise in which we were late is not the target's."""
        if not self._late(result):
            return result
        reason = f"the tester was {result.lateness:.3f} s late: {result.reason}"
        return replace(result, verdict=Verdict.INCONCLUSIVE, reason=reason)

    def _done(self, planned: Planned, result: Result, lab: Lab | None) -> None:
        finished = self._finish(result, lab)
        if not self._crashes.held(finished):
            self._report(finished)
        self._labs.left(planned)

    def _report(self, result: Result) -> None:
        self.results.append(result)
        self._observer.case_ended(result)

    def _died(self, lab: Lab, died: Died) -> None:
        """The target is lost: its cases end or become suspects, and the next ones get a new one."""
        now = lab.now()
        working = [active for active in self._active if active.lab is lab and not active.session.result]
        for active in working:
            if died.fate is Fate.LOST:
                active.session.lost(died.reason, now)
            elif not self._crashes.alone:
                self._crashes.suspects.append(active.planned)
                self._observer.case_retried(active.planned.case, active.planned.ip)
                self._forget(active)
                self._labs.left(active.planned)
            elif died.fate is Fate.CRASHED:
                self._crashes.found = True
                active.session.crashed(died.reason, now)
            else:
                active.session.lost(died.reason, now)
        if died.fate is Fate.CRASHED:
            self._crashes.last = died.reason
        self._labs.died(lab, died.fate)


def inject(lab: Lab, action: Inject) -> None:
    """Send what a session injects."""
    if action.raw is not None:
        lab.send_raw(action.flow, action.raw)
    else:
        lab.send(action.flow, action.segment)


def _wait(labs: Sequence[Lab], most: float, until: float) -> None:
    """Wait for the first event, `most` seconds, or the nearest deadline, whichever is first.

    Virtual time waits for nobody: it jumps as far as the first event or the nearest deadline.
    """
    filenos = [fileno for lab in labs for fileno in lab.filenos()]
    timeout = max(0.0, min(most, until) if filenos or not most else until)
    if filenos:
        poll = select.poll()
        for fileno in filenos:
            poll.register(fileno, select.POLLIN)
        poll.poll(timeout * 1000)
    for lab in labs:
        lab.advance(lab.now() + timeout)


def _could_not(planned: Planned, reason: str, verdict: Verdict = Verdict.ERROR) -> Result:
    return Result(
        planned.case, planned.ip, verdict, reason, Evidence.INFERRED, 0.0, 0.0, level=planned.case.level
    )


def _with_new_ports(planned: Planned) -> Planned:
    """A second try must not meet what the first one left: TIME-WAIT, retransmissions."""
    ends = planned.endpoints
    moved = tuple(Random(f"{planned.seed}/again").sample(planned.again, len(ends.tester_ports)))
    return replace(planned, endpoints=replace(ends, tester_ports=moved))
