"""The judge of one connection: a set of hypotheses about the target, narrowed by what it does.

Where the RFCs leave a choice the oracle follows every branch.  A segment that no branch
explains is a violation; a segment that some explain drops the others.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from conformance.model import seq
from conformance.model.case import CallError, UserCall
from conformance.model.flow import PORT_0
from conformance.model.segment import Control, Envelope, Segment
from conformance.model.state import NO_CONNECTION, Role, State
from conformance.oracle import acceptor, fast_open
from conformance.oracle.acceptor import Hypothesis
from conformance.oracle.arrives import Outcome, segment_arrives
from conformance.oracle.calls import listener_closed, user_call
from conformance.oracle.fast_open import Cookies
from conformance.oracle.icmp import icmp_arrives
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.oracle.prediction import Explanation, Form, Obligation, Prediction, Violation
from conformance.oracle.tables import Timeout
from conformance.oracle.tcb import Tcb
from conformance.oracle.timeouts import expires

ACK, FIN, RST, SYN = Control.ACK, Control.FIN, Control.RST, Control.SYN
THROTTLE = 5.0
"""Seconds in which a second challenge ACK may be left out (RFC 5961 7)."""
CROSSED = " (crossed ours)"
"""Behind the kind of a segment that was on its way when ours left."""
STRAY = {
    "source": "RFC 9293 3.9.2.3 MUST-63; RFC 1122 3.2.1.3",
    "destination": "RFC 9293 3.9.2.3 MUST-57; RFC 1122 3.2.1.3",
    PORT_0: "RFC 9293 3.4.1",
}
"""What is not from the tester's port or not to the target is nothing to the connection, and draws nothing."""
_MAX_PENDING = 4096


@dataclass(frozen=True, slots=True)
class Correct:
    """The right SEQ and ACK of a segment now; None is a number only the target knows."""

    seq: int | None
    ack: int | None


class Oracle:
    """Judges one connection (and its later incarnations on the same sockets)."""

    def __init__(
        self,
        role: Role,
        family: int,
        *,
        listening: bool,
        crossing: float = 0.0,
        profile: Profile = DEFAULT_PROFILE,
        user_known: bool = True,
        cookies: Cookies | None = None,
    ) -> None:
        """Start before any segment.

        `listening`: a passive OPEN has been made.  `crossing`: seconds that a segment of the
        target may have been on its way when ours left.  `user_known`: call() tells of every
        call of the user; otherwise it calls at will.  `cookies` are those of its listener, which other
        connections may have, too.
        """
        state = State.LISTEN if listening else State.CLOSED
        tcb = Tcb(
            state,
            role is Role.SERVER,
            listening=listening,
            family=family,
            user_known=user_known,
            pointing=profile.pointing,
        )
        self._hypotheses = [Hypothesis(tcb)]
        self._before: list[tuple[float, list[Hypothesis]]] = []
        self._crossing = crossing
        self._profile = profile
        self._challenged = float("-inf")
        self._cookies = Cookies() if cookies is None else cookies

    # -- what happens -------------------------------------------------------------------
    def inject(self, segment: Segment, now: float) -> str:
        """The tester's segment, or ICMP error, reaches the target; return the clause that governs it."""
        if segment.envelope.error:
            return self.icmp(segment, now)
        if segment.envelope.stray:
            return _stray(segment.envelope)
        for hypothesis in self._hypotheses:
            hypothesis.tcb.cookies = self._cookies.known(hypothesis.tcb)
        self._branch(lambda tcb: segment_arrives(tcb, segment, now, self._profile), now)
        pending = self._hypotheses[0].pending
        return pending[-1].citation if pending else ""

    def icmp(self, segment: Segment, now: float) -> str:
        """An ICMP error with the target's `segment` in it reaches the target; return the clause."""
        return self._branch(lambda tcb: icmp_arrives(tcb, segment, now), now)[0].why

    def call(
        self, call: UserCall, now: float, sent: bytes = b"", *, on_its_way: bool = False
    ) -> tuple[frozenset[CallError | None], str]:
        """The user calls; return the errors the call may meet (None: it succeeds), and the clause.

        One that is `on_its_way` need not have reached the target before `called`.
        """
        self._remember(math.inf if on_its_way else now)
        if call.option is not None and call.option[0] == "fast_open" and self.state in NO_CONNECTION:
            self._cookies.offered = call.option[1] not in ("0", "off")
        after, errors, citation = [], set(), ""
        for hypothesis in self._hypotheses:
            done = user_call(hypothesis.tcb, call, now, sent)
            after.append(self._follow(hypothesis, done.outcome, now))
            errors.add(done.error)
            citation = citation or done.citation
        self._hypotheses = _distinct(after)
        return frozenset(errors), citation

    def listener_closed(self, now: float, *, accepted: bool) -> None:
        """The user closes the listener behind this connection, which has been `accepted` or not.

        As a call that is on its way.
        """
        self._branch(lambda tcb: listener_closed(tcb, now, accepted=accepted), now, on_its_way=True)

    def called(self, now: float) -> None:
        """A call that was on its way has reached the target by now."""
        self._before = [(min(moment, now), hypotheses) for moment, hypotheses in self._before]

    def time_passed(self) -> None:
        """2MSL, or the user timeout of a user who is gone, may have passed (RFC 9293 3.10.8)."""
        gone = []
        for item in self._hypotheses:
            if item.tcb.state is State.TIME_WAIT:
                gone.append(Hypothesis(expires(item.tcb, Timeout.TIME_WAIT)[0]))
            elif item.tcb.state is State.FIN_WAIT_2 and item.tcb.user_gone:
                gone.append(Hypothesis(expires(item.tcb, Timeout.USER)[0]))
        self._hypotheses = _distinct([*self._hypotheses, *gone])

    def user_timed_out(self) -> None:
        """The user was told that the user timeout has passed: no connection is left (RFC 9293 3.10.8)."""
        gone = (Hypothesis(expires(item.tcb, Timeout.USER)[0]) for item in self._hypotheses)
        self._hypotheses = _distinct(list(gone))

    def observe(self, segment: Segment, time: float) -> Explanation | Violation:
        """The target sent a segment at `time`; judge it."""
        explained = self._explain(self._hypotheses, segment)
        if not isinstance(explained, Violation):
            self._cookies.note(segment)
            if not self.tcb.user_known:
                # Where nobody is asked there may be routers, and one segment may overtake another.
                self._remember(time)
            self._hypotheses, explanation = explained
            return explanation
        for moment, hypotheses in reversed(self._before):
            if moment + self._crossing < time:
                break
            earlier = self._explain(hypotheses, segment)
            if not isinstance(earlier, Violation):
                self._catch_up(segment)
                return replace(earlier[1], kind=earlier[1].kind + CROSSED)
        return explained

    def would_explain(self, segment: Segment) -> Explanation | Violation:
        """Judge a segment that might come, without taking it as having come."""
        judged = self._explain(self._hypotheses, segment)
        return judged if isinstance(judged, Violation) else judged[1]

    def observe_state(self, states: Iterable[State]) -> bool:
        """The target is in one of `states`: drop what contradicts it; False if all does."""
        allowed = frozenset(states)
        left = [item for item in self._hypotheses if self._may_be(item.tcb) & allowed]
        if left:
            self._hypotheses = left
        return bool(left)

    # -- what is asked ------------------------------------------------------------------
    def states(self) -> frozenset[State]:
        """Return every state that the target may be in."""
        return frozenset[State]().union(*(self._may_be(item.tcb) for item in self._hypotheses))

    def awaited(self) -> list[int]:
        """Return RCV.NXT of every connection that the target may have: where a RST counts."""
        known = (item.tcb for item in self._hypotheses if item.tcb.state not in NO_CONNECTION)
        return sorted({tcb.rcv_nxt for tcb in known})

    @property
    def decided(self) -> bool:
        """Whether all that has happened leaves only one thing that the target may be."""
        return all(item.tcb == self.tcb for item in self._hypotheses)

    @property
    def state(self) -> State:
        """The state that RFC 9293 prefers."""
        return self.tcb.state

    @property
    def tcb(self) -> Tcb:
        return self._hypotheses[0].tcb

    def correct(self, ctl: Control, length: int = 0) -> Correct:
        """Return the right SEQ and ACK for the target's next segment with these control bits."""
        hypothesis = self._hypotheses[0]
        tcb = hypothesis.tcb
        for prediction in hypothesis.pending:
            for form in prediction.forms:
                if not prediction.met and form.ctl & (RST | SYN) and _alike(form.ctl, ctl):
                    return Correct(tcb.iss if form.ctl & SYN else form.seq, form.ack)
        if ctl & SYN:
            return Correct(tcb.iss, tcb.rcv_nxt)
        if ctl & FIN and tcb.fin_sent:
            return Correct(seq.add(tcb.stream_end, -length), tcb.rcv_nxt)
        if length and not ctl & FIN and not tcb.unsent:
            return Correct(tcb.snd_una, tcb.rcv_nxt)
        return Correct(tcb.snd_nxt, tcb.rcv_nxt)

    def due(self) -> list[Prediction]:
        """Return the replies that the target still owes."""
        return _due(self._hypotheses[0])

    def owed_in_all(self, now: float) -> Prediction | None:
        """Return a reply that was due before `now` whatever the target is, or None."""
        found: Prediction | None = None
        for hypothesis in self._hypotheses:
            late = [
                item
                for item in hypothesis.pending
                if item.obligation is Obligation.MUST and not item.met and item.due < now
            ]
            if not late:
                return None
            found = found or late[0]
        return found

    def expected(self) -> Form | None:
        """Return what must come next, or else may: a reply, a FIN; None where silence is right."""
        return _expected(self._hypotheses[0])

    @property
    def silent(self) -> bool:
        """Whether silence is right whatever the target is."""
        return all(_expected(item) is None for item in self._hypotheses)

    # -- the set ------------------------------------------------------------------------
    def _branch(
        self, arrives: Callable[[Tcb], list[Outcome]], now: float, *, on_its_way: bool = False
    ) -> list[Outcome]:
        """Follow every outcome of an event; return those of the hypothesis that comes first."""
        self._remember(math.inf if on_its_way else now)
        branches = [(hypothesis, arrives(hypothesis.tcb)) for hypothesis in self._hypotheses]
        self._hypotheses = _distinct(
            [self._follow(before, outcome, now) for before, outcomes in branches for outcome in outcomes]
        )
        return branches[0][1]

    def _remember(self, now: float) -> None:
        # By number, not by age: what has come is judged by when it came, however late we look.
        self._before = [*self._before[-8:], (now, self._hypotheses)]

    def _follow(self, before: Hypothesis, outcome: Outcome, now: float) -> Hypothesis:
        kept = before.pending
        deleted = outcome.tcb.state in NO_CONNECTION and before.tcb.state not in NO_CONNECTION
        if deleted or outcome.tcb.irs != before.tcb.irs:
            # What the old connection owed dies with it; a reset already on its way does not.
            kept = tuple(item for item in kept if item.forms[0].ctl & RST)
        return Hypothesis(outcome.tcb, (kept + self._throttled(outcome, now))[-_MAX_PENDING:])

    def _throttled(self, outcome: Outcome, now: float) -> tuple[Prediction, ...]:
        """A challenge ACK soon after another is a liberty (RFC 5961 7)."""
        throttled = now - self._challenged < THROTTLE
        out = []
        for item in outcome.predictions:
            if not item.challenge:
                out.append(item)
            elif throttled:
                out.append(replace(item, obligation=Obligation.MAY))
            else:
                self._challenged = now
                out.append(item)
        return tuple(out)

    def _explain(
        self, hypotheses: list[Hypothesis], segment: Segment
    ) -> tuple[list[Hypothesis], Explanation] | Violation:
        left: list[Hypothesis] = []
        explanation: Explanation | None = None
        violation: Violation | None = None
        for hypothesis in hypotheses:
            judged = acceptor.explain(hypothesis, segment)
            if isinstance(judged, Violation):
                violation = violation or judged
                continue
            left.append(judged[0])
            explanation = explanation or judged[1]
        if explanation:
            return _distinct(left), explanation
        return violation or Violation("the target has no state left that explains this", "RFC 9293 3.10")

    def _catch_up(self, segment: Segment) -> None:
        """Take over what a segment that crossed ours shows: how far the target has sent."""
        for hypothesis in self._hypotheses:
            tcb = hypothesis.tcb
            if tcb.iss is not None and segment.length and seq.gt(segment.end, tcb.snd_nxt):
                tcb.snd_nxt = segment.end

    @staticmethod
    def _may_be(tcb: Tcb) -> frozenset[State]:
        """The states a TCB may show as: RFC 9293 3.10.4 lets CLOSE-WAIT last until the FIN is sent."""
        if tcb.state is State.LAST_ACK and not tcb.fin_sent:
            return frozenset({State.LAST_ACK, State.CLOSE_WAIT})
        if tcb.state in NO_CONNECTION and tcb.listening:
            return NO_CONNECTION
        return frozenset({tcb.state}) | fast_open.may_show(tcb)


def _stray(envelope: Envelope) -> str:
    """Return the clause by which a segment is nothing to the connection."""
    if envelope.destination:
        return STRAY["destination"]
    return STRAY.get(envelope.source, STRAY["source"])


def _due(hypothesis: Hypothesis) -> list[Prediction]:
    return [item for item in hypothesis.pending if item.obligation is Obligation.MUST and not item.met]


def _expected(hypothesis: Hypothesis) -> Form | None:
    tcb = hypothesis.tcb
    due = _due(hypothesis)
    if due:
        return due[0].forms[0]
    if tcb.fin_queued and not tcb.fin_sent and not tcb.unsent:
        return Form(FIN | ACK, tcb.snd_nxt, tcb.rcv_nxt)
    for prediction in hypothesis.pending:
        if not prediction.met:
            return prediction.forms[0]
    return None


def _alike(form: Control, asked: Control) -> bool:
    bits = SYN | FIN | RST | ACK
    return form & bits == asked & bits


def _distinct(hypotheses: list[Hypothesis]) -> list[Hypothesis]:
    out: list[Hypothesis] = []
    for item in hypotheses:
        if item not in out:
            out.append(item)
    return out
