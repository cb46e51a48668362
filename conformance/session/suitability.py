"""Which cases a target can be driven through whose user nobody can ask, and why not the others."""

from dataclasses import dataclass, field

from conformance.model import seq
from conformance.model.case import CallName, Case, Expect, Step, UserCall
from conformance.model.flow import Reply
from conformance.model.segment import Segment
from conformance.model.service import Service, ServiceKind
from conformance.model.state import SYNCHRONIZED, Role, State
from conformance.model.trace import Kind
from conformance.oracle.tcb import Tcb
from conformance.session.actions import Ask, Inject
from conformance.session.rehearsal import Rehearsal
from conformance.session.service import CLOSED_FIRST, MOST_ECHOED, MOST_SWALLOWED

AGENT = "needs an agent: "
_QUIET = frozenset({ServiceKind.HTTP, ServiceKind.DISCARD})
"""What takes data without an answer: a discard service, and a server in the middle of a request."""


@dataclass(slots=True)
class Traits:
    """What the steps of a case (not its preamble) do to the user at the target.

    `data`: octets that are delivered.  `late_data`: after its CLOSE, or on a connection that is
    opened in the steps.  `eof`: our FIN reaches a user who has not closed.  `opens`: a
    connection becomes ESTABLISHED.  `calls` are its calls, in order.
    """

    data: int = 0
    late_data: bool = False
    eof: bool = False
    opens: bool = False
    calls: list[UserCall] = field(default_factory=list)
    unready: bool = False
    """A CLOSE where no service can be asked for it: not in ESTABLISHED, or beyond a gap in our data."""
    unread: bool = False
    """A CLOSE for good leaves data unread."""
    rewritten: bool = False
    """Numbers that the target has come again, with other octets."""


class _Watch(Rehearsal):
    """A rehearsal that notes what reaches the target's user."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.traits = Traits()
        self.seen: dict[int, tuple[int, int, bool]] = {}
        self.octets: dict[tuple[int, int], int] = {}
        """What the target has, by our port and the number."""

    def injected(self, action: Inject) -> None:
        self._look()
        super().injected(action)
        port, text = action.flow.tester[1], action.segment
        ours = (item for item in self.session.connections.values() if item.tester_port == port)
        if any(_has(connection.oracle.tcb, text) for connection in ours):
            for number, octet in enumerate(text.data, text.seq):
                first = self.octets.setdefault((port, number), octet)
                self.traits.rewritten = self.traits.rewritten or octet != first

    def answer(self, ask: Ask) -> Reply:
        self._look()
        session = self.session
        call = session.step.action if session.step is not None else None
        if session.step_index != -1 and isinstance(call, UserCall) and ask.op not in ("state", "accept"):
            self._note(call, session.connections[session.step.connection if session.step else 1].oracle.tcb)
        return super().answer(ask)

    def _note(self, call: UserCall, tcb: Tcb) -> None:
        self.traits.calls.append(call)
        if call.name is CallName.CLOSE:
            # The oracle has the call by now; the record of it has the state before.
            made = next(record for record in reversed(self.session.trace) if record.kind is Kind.CALL)
            ready = made.inferred == str(State.ESTABLISHED) and not tcb.held
            self.traits.unready = self.traits.unready or not ready
            self.traits.unread = self.traits.unread or (call.half_duplex and tcb.state is State.CLOSED)

    def _look(self) -> None:
        """Compare what the target has received with what it had when last looked at."""
        steps = self.session.step_index != -1
        for index, connection in self.session.connections.items():
            tcb = connection.oracle.tcb
            irs, nxt, ended = self.seen.get(index, (tcb.irs, seq.add(tcb.irs, 1), False))
            if tcb.irs != irs:
                nxt, ended = seq.add(tcb.irs, 1), False
            self.seen[index] = tcb.irs, tcb.rcv_nxt, tcb.fin_received
            if not steps or tcb.state not in SYNCHRONIZED:
                continue
            again = index != 1 or self.session.case.start is not State.ESTABLISHED
            self.traits.opens = self.traits.opens or again
            fin = tcb.fin_received and not ended
            gained = seq.diff(tcb.rcv_nxt, nxt) - fin
            if gained > 0:
                self.traits.data += gained
                self.traits.late_data = self.traits.late_data or again or tcb.fin_queued
            self.traits.eof = self.traits.eof or (fin and not tcb.fin_queued)


def _has(tcb: Tcb, text: Segment) -> bool:
    """Whether the target has all these octets, in sequence or beyond a gap."""
    spans = [(seq.add(tcb.irs, 1), tcb.rcv_nxt), *tcb.held]
    return any(seq.leq(start, text.seq) and seq.leq(text.end, end) for start, end in spans)


def traits(case: Case) -> Traits:
    """Rehearse a case; return what it does to the target's user."""
    watch = _Watch(case)
    watch.play()
    return watch.traits


def unserved(case: Case, service: Service) -> str:
    """Return what the case would need that the service is not; nothing if it can run."""
    if case.role is Role.CLIENT:
        return AGENT + "nothing makes this target open connections"
    if any(step.queued for step in case.steps):
        return AGENT + "when a call returns cannot be observed"
    if case.needs.http:
        return "" if service.kind is ServiceKind.HTTP else "needs a target that offers HTTP"
    if case.start is State.CLOSE_WAIT:
        return AGENT + "a service does not stay in CLOSE-WAIT"
    if case.start in CLOSED_FIRST and service.kind is not ServiceKind.HTTP:
        return f"needs an agent, or a service that closes first (http), to come to {case.start}"
    if case.start is State.LAST_ACK and not service.closes_on_eof:
        return "needs an agent, or a service that closes when its peer does, to come to LAST-ACK"
    return _unmade(case, traits(case), service)


def _unmade(case: Case, found: Traits, service: Service) -> str:
    begun = case.start in SYNCHRONIZED
    if service.kind is ServiceKind.CHARGEN and (begun or found.opens):
        return "chargen does not stop sending: needs another service, or an agent"
    if service.speaks and found.opens and not begun:
        return "the service speaks before it is asked: needs another one, or an agent"
    reason = _call_unmade(found, service)
    if reason:
        return reason
    if found.eof:
        return AGENT + "what the service does at the end of the input is its own affair"
    if not found.data:
        return ""
    if service.kind not in _QUIET:
        return "sends data that the service may answer: needs discard, http or an agent"
    if found.rewritten:
        return AGENT + "which octets its user gets cannot be observed"
    if any(map(_counts_acks, case.steps)):
        return AGENT + "a user that reads at once may draw an ACK for each segment"
    if found.late_data and service.kind is ServiceKind.HTTP:
        return AGENT + "sends data where the server does not expect any"
    if found.data > MOST_SWALLOWED and service.kind is ServiceKind.HTTP:
        return "sends more data than a server takes without a word: needs discard, or an agent"
    if case.start in CLOSED_FIRST:
        return AGENT + "sends data to a user who has closed for good"
    return ""


def _counts_acks(step: Step) -> bool:
    """Whether a step says how many ACKs may come, whatever else is in them."""
    if step.count is None or not isinstance(step.action, Expect):
        return False
    return all(named.pattern.get("OPT") is None for named in step.action.alternatives)


def _call_unmade(found: Traits, service: Service) -> str:
    """Return why a call of the steps cannot be made; RECEIVE is left to the service, unobserved."""
    closed = False
    for call in found.calls:
        if call.error is not None or call.eof:
            return AGENT + "what the user is told cannot be observed"
        if call.name is CallName.RECEIVE and not call.urgent:
            continue
        sends = call.name is CallName.SEND and service.kind is ServiceKind.ECHO
        asked = len(call.data) if call.data is not None else call.count or 0
        if sends and not closed and not found.data and not found.opens and asked <= MOST_ECHOED:
            continue
        closes = call.name is CallName.CLOSE and service.kind is ServiceKind.HTTP
        if closes and found.unread:
            return AGENT + "a service reads what comes before it closes"
        if closes and not closed and not found.opens and not found.unready:
            closed = True
            continue
        return f"{AGENT}nothing makes the call {call.name} at the target"
    return ""
