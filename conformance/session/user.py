"""The user at the target (RFC 9293 3.9.1): what the steps have it call, an agent there does."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from conformance.model.case import Case, Step, UserCall
from conformance.model.segment import Segment
from conformance.model.state import Role, State
from conformance.oracle.prediction import Explanation, Violation
from conformance.oracle.tcb import Tcb
from conformance.session import answers, calls
from conformance.session.actions import Connection
from conformance.session.failure import Mistake

if TYPE_CHECKING:
    from conformance.session.session import Session

Task = Generator[float, None, None]
BACKLOG = 16


class User:
    """A user who calls what the agent is told, and nothing else."""

    served = False
    """Whether the user is a service, which must be brought to its calls."""
    known = True
    """Whether the oracle is told of every call."""
    surprise = ""
    """What the target has, for which its TCP is not to blame."""

    def octets_ahead(self, case: Case) -> int:
        """Return how many octets of ours the user gets before the steps begin."""
        return 0

    def listen(self, session: Session) -> Task:
        """Be ready for connections, where the case wants a server."""
        if session.case.role is not Role.SERVER or session.case.start is State.CLOSED:
            return
        ends = session.endpoints
        port = ends.tester_ports[1] if session.case.options.same_port else 0
        where = {"family": ends.family, "address": ends.target, "port": port}
        reply = yield from session.requests.ask("listen", {**where, "backlog": BACKLOG, "options": {}})
        if reply.error:
            raise Mistake(f"the agent cannot listen: {reply.error}")
        session.listener = answers.number(reply, "handle")
        session.listens_on(answers.number(reply, "port"))

    def settle(self, session: Session) -> Task:
        """Come to where the steps begin, in the state that the preamble leads to."""
        yield from ()

    def business(self, session: Session) -> Task:
        """What the user does of its own accord, while the steps run."""
        yield from ()

    def call(self, session: Session, connection: Connection, step: Step, call: UserCall) -> Task:
        """Make one call; what it returns must be what the step says."""
        yield from calls.run(session, connection, step, call)

    def returns(self, session: Session, connection: Connection, step: Step) -> Task:
        """Wait for the call that is outstanding; what it returns must be what its step says."""
        yield from calls.returns(session, connection, step)

    def left_over(self, connection: Connection, target_port: int) -> bool:
        """Tell whether a segment from `target_port` is of an earlier run, and nothing to this one."""
        return False

    def notice(
        self, connection: Connection, before: Tcb, segment: Segment, judged: Explanation | Violation
    ) -> None:
        """Take in a segment of the target: does it show a user who does what nobody has asked for?"""

    def leave(self, session: Session) -> None:
        """Leave nothing behind at the target: the case has ended."""
        for handle in [item.handle for item in session.connections.values()] + [session.listener]:
            if handle is not None:
                session.requests.post("release", {"handle": handle})
