"""The one loop that runs many cases at once: events to sessions, actions to labs.

Hundreds of cases mostly wait, each on its own sockets.  A new one is started only when
nothing else is to be done, so that the tester does not make itself late.
"""

import select
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from conformance.model.flow import Arrival, Died, Event, Reply
from conformance.model.trace import Result
from conformance.model.verdict import Evidence, Verdict
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.run.observer import Observer
from conformance.run.plan import Planned
from conformance.session.actions import Ask, Inject
from conformance.session.session import Session
from conformance.target.base import Lab, TargetError

TOLERANCE = 0.1
"""Seconds that an injection or a read may be late before a failure is laid to us."""
MAX_RESTARTS = 3
_TICK = 0.25

OpenLab = Callable[[Planned], Lab]
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

    `known` tells of a failure that it is a known deviation: it need not be tried again if we were late.
    """

    def __init__(
        self,
        open_lab: OpenLab,
        finish: Finish,
        observer: Observer,
        *,
        max_active: int,
        crossing: float,
        profile: Profile = DEFAULT_PROFILE,
        known: Known = lambda result: False,
    ) -> None:
        self._open_lab = open_lab
        self._known = known
        self._finish = finish
        self._observer = observer
        self._max_active = max_active
        self._crossing = crossing
        self._profile = profile
        self._labs: dict[str, Lab] = {}
        self._waiting: dict[str, int] = {}
        self._restarts: dict[str, int] = {}
        self._active: list[_Active] = []
        self._ports: dict[tuple[int, str, int], _Active] = {}
        self._requests: dict[tuple[int, int], tuple[_Active, int]] = {}
        self._next_request = 1
        self._began = 0.0
        self.results: list[Result] = []

    def adopt(self, name: str, lab: Lab) -> None:
        """Use `lab`, already open, for the cases that are planned for it."""
        self._labs[name] = lab
        self._began = lab.now()

    def run(self, planned: Sequence[Planned]) -> None:
        """Run everything, then again, alone, what was inconclusive or spoilt by our lateness."""
        for item in planned:
            self._waiting[item.lab] = self._waiting.get(item.lab, 0) + 1
            # Before anything is timed: making a lab takes longer than a case can be late.
            with suppress(TargetError):
                self._lab(item)
        again = self._run_all(list(planned), self._max_active, attempt=1)
        for item in again:
            self._waiting[item.lab] = self._waiting.get(item.lab, 0) + 1
            self._run_all([item], 1, attempt=2)

    def close(self) -> None:
        """End every lab.  May be called twice."""
        for lab in self._labs.values():
            lab.close()
        self._labs.clear()

    # -- the loop -----------------------------------------------------------------------
    def _run_all(self, queue: list[Planned], max_active: int, attempt: int) -> list[Planned]:
        again: list[Planned] = []
        queue = queue[::-1]
        while queue or self._active:
            room = bool(queue) and len(self._active) < max_active
            happened = self._pump(0.0 if room else _TICK)
            if room and not happened:
                self._start(queue.pop(), attempt)
            again += self._collect(attempt)
        return again

    def _pump(self, most: float) -> bool:
        """Wait for at most `most` seconds, feed what has happened and wake whom it is time for."""
        labs = list(self._labs.values())
        _wait(
            labs,
            most,
            min((active.session.deadline - active.lab.now() for active in self._active), default=most),
        )
        happened = False
        for lab in labs:
            for event in lab.events():
                happened = True
                self._feed(lab, event)
        for active in list(self._active):
            if active.session.result is None and active.session.deadline <= active.lab.now():
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
                active = self._ports.get((id(lab), *flow.tester))
                if active is not None:
                    port, target_port = flow.tester[1], flow.target[1]
                    self._tend(
                        active,
                        lambda session, now: session.receive(port, segment, target_port, time, now),
                    )
            case Reply():
                asked = self._requests.pop((id(lab), event.id), None)
                if asked is not None:
                    answer = replace(event, id=asked[1])
                    self._tend(asked[0], lambda session, now: session.reply(answer, now))
            case Died(reason):
                self._died(lab, reason)

    def _act(self, active: _Active) -> None:
        """Carry out what a session asks; doing so may take time, so each is done at once."""
        lab = active.lab
        for action in active.session.take_actions():
            match action:
                case Inject():
                    _inject(lab, action)
                case Ask(number, op, arguments):
                    request = self._next_request
                    self._next_request += 1
                    self._requests[id(lab), request] = (active, number)
                    lab.request(request, op, arguments)

    # -- the course of a case -----------------------------------------------------------
    def _start(self, planned: Planned, attempt: int) -> None:
        self._observer.case_started(planned.case, planned.ip)
        try:
            lab = self._lab(planned)
        except TargetError as error:
            self._done(planned, _could_not(planned, str(error)), None)
            return
        ends = planned.endpoints
        session = Session(planned.case, ends, planned.seed, lab.facts.probes, self._crossing, self._profile)
        active = _Active(planned, session, lab, attempt, lab.dropped())
        self._active.append(active)
        for port in ends.tester_ports:
            self._ports[id(lab), ends.tester, port] = active
        self._tend(active, lambda session, now: session.start(now))

    def _lab(self, planned: Planned) -> Lab:
        if planned.lab not in self._labs:
            self._labs[planned.lab] = self._open_lab(planned)
        return self._labs[planned.lab]

    def _collect(self, attempt: int) -> list[Planned]:
        """Take out the sessions that have ended; return those to be tried again."""
        again: list[Planned] = []
        for active in [item for item in self._active if item.session.result]:
            self._active.remove(active)
            ends = active.planned.endpoints
            for port in ends.tester_ports:
                self._ports.pop((id(active.lab), ends.tester, port), None)
            result = active.session.result
            if result is None:
                continue
            result = replace(result, started=result.started - self._began, attempts=active.attempts)
            if result.verdict is Verdict.FAIL and active.lab.dropped() > active.dropped:
                reason = f"the tester's machine lost frames: {result.reason}"
                result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=reason)
            if attempt == 1 and self._doubtful(result):
                self._observer.case_retried(active.planned.case, active.planned.ip)
                again.append(_with_new_ports(active.planned))
                self._left(active.planned.lab)
                continue
            self._done(active.planned, self._blame_ourselves(result), active.lab)
        return again

    def _late(self, result: Result) -> bool:
        """Whether a failure may be of our making."""
        failed = result.verdict is Verdict.FAIL and not self._known(result)
        return failed and result.lateness > TOLERANCE

    def _doubtful(self, result: Result) -> bool:
        return self._late(result) or result.verdict is Verdict.INCONCLUSIVE

    def _blame_ourselves(self, result: Result) -> Result:
        """A failure in which we were late is not the target's."""
        if not self._late(result):
            return result
        reason = f"the tester was {result.lateness:.3f} s late: {result.reason}"
        return replace(result, verdict=Verdict.INCONCLUSIVE, reason=reason)

    def _done(self, planned: Planned, result: Result, lab: Lab | None) -> None:
        finished = self._finish(result, lab)
        self.results.append(finished)
        self._observer.case_ended(finished)
        self._left(planned.lab)

    def _left(self, name: str) -> None:
        """One case fewer needs this lab; a lab of its own ends with its last case."""
        self._waiting[name] -= 1
        if name and not self._waiting[name] and name in self._labs:
            self._labs.pop(name).close()

    def _died(self, lab: Lab, reason: str) -> None:
        """The target is lost: its cases end, and the next ones get a new one, a few times."""
        names = [name for name, known in self._labs.items() if known is lab]
        for active in self._active:
            if active.lab is lab:
                active.session.lost(reason, lab.now())
        for name in names:
            self._restarts[name] = self._restarts.get(name, 0) + 1
            if self._restarts[name] <= MAX_RESTARTS:
                del self._labs[name]
        lab.close()


def _inject(lab: Lab, action: Inject) -> None:
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


def _could_not(planned: Planned, reason: str) -> Result:
    return Result(
        planned.case, planned.ip, Verdict.ERROR, reason, Evidence.INFERRED, 0.0, 0.0, level=planned.case.level
    )


def _with_new_ports(planned: Planned) -> Planned:
    """A second try must not meet what the first one left: TIME-WAIT, retransmissions."""
    ends = planned.endpoints
    moved = tuple(60000 + (port + 2503) % 5000 for port in ends.tester_ports)
    return replace(planned, endpoints=replace(ends, tester_ports=moved))
