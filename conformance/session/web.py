"""A user at the target who is a small web server: what comes for it decides what it calls, not the steps.

Wherever the target has an agent there is so an HTTP server: the TCP below it is the target's, the
server is ours.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from conformance.model.case import DEFAULT_WITHIN, CallName, UserCall
from conformance.model.flow import Reply
from conformance.model.state import NO_CONNECTION, State
from conformance.model.trace import Kind
from conformance.session import answers, calls
from conformance.session.actions import Connection
from conformance.session.failure import Inconclusive
from conformance.session.http import answer
from conformance.session.user import User

if TYPE_CHECKING:
    from conformance.session.session import Session

Task = Generator[float, None, None]
IDLE = 60.0
"""Seconds without a request after which the server closes (RFC 9112 9.5)."""
SERVING = frozenset({"listen", "accept", "receive", "send", "close"})
"""What the agent must offer for it."""
_OPEN = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})


class _Over(Exception):
    """There is nothing left to serve on a connection."""


class WebServer(User):
    """Has one page, which it gives to whom asks for it, and keeps or closes connections as HTTP has it."""

    def business(self, session: Session) -> Task:
        """Serve every connection of the case, and each later one on the same sockets."""
        serving = [_serve(session, connection) for connection in session.connections.values()]
        while True:
            yield min(next(task) for task in serving)


def _serve(session: Session, connection: Connection) -> Task:
    served = connection.incarnation - (0 if connection.oracle.tcb.fin_queued else 1)
    while True:
        while connection.incarnation == served or connection.oracle.state not in _OPEN:
            yield math.inf
        served = connection.incarnation
        if connection.oracle.tcb.passive:
            old, connection.handle = connection.handle, None
            yield from _accept(session, connection)
            if old is not None:
                session.requests.post("release", {"handle": old})
        with suppress(_Over):
            yield from _converse(session, connection)


def _accept(session: Session, connection: Connection) -> Task:
    while connection.handle is None:
        if session.listener is None:
            raise Inconclusive("the web server has no listener any more")
        accepting = {"handle": session.listener, "timeout": DEFAULT_WITHIN}
        reply = yield from session.requests.ask("accept", accepting)
        if not reply.error:
            calls.note_accepted(session, reply)
        elif not session.requests.ran_out(reply):
            raise Inconclusive(f"the web server can accept no connection: {reply.error}")


def _converse(session: Session, connection: Connection) -> Task:
    """Answer one request after another, until one has the connection closed, or none comes any more."""
    heard = b""
    last = False
    while not last:
        said = answer(heard)
        if said is not None:
            heard, last = heard[said.length :], said.last
            data = base64.b64encode(said.octets).decode()
            call = UserCall(CallName.SEND, said.octets)
            arguments = {"data": data, "timeout": calls.UNTIL_THE_END}
            yield from _call(session, connection, call, "send", arguments)
        else:
            more = yield from _hear(session, connection)
            heard, last = heard + more, not more
    yield from _call(session, connection, UserCall(CallName.CLOSE), "close", {"how": "write"})


def _hear(session: Session, connection: Connection) -> Generator[float, None, bytes]:
    """Return what has come next; nothing where no more will, or has for a long time."""
    until = session.now + IDLE
    while not connection.oracle.tcb.unread:
        gone = connection.oracle.state in NO_CONNECTION
        if gone or connection.oracle.tcb.fin_received or session.now >= until:
            return b""
        yield until
    call = UserCall(CallName.RECEIVE, count=connection.oracle.tcb.unread)
    arguments = {"count": call.count, "timeout": IDLE}
    reply = yield from _call(session, connection, call, "receive", arguments)
    return answers.octets(reply)


def _call(
    session: Session, connection: Connection, call: UserCall, op: str, arguments: Mapping[str, object]
) -> Generator[float, None, Reply]:
    """Make a call that no step has asked for, if there is still a connection to make it on."""
    if connection.oracle.state in NO_CONNECTION:
        raise _Over
    size = len(call.data) if call.data is not None else call.count
    what = str(call.name) if size is None else f"{call.name} {size} octets"
    session.record(Kind.CALL, f"{what} (by the web server)", connection=connection.index)
    number = session.requests.post(op, {"handle": connection.handle, **arguments})
    on_its_way = call.name is CallName.CLOSE
    connection.oracle.call(call, session.now, call.data or b"", on_its_way=on_its_way)
    reply = yield from session.requests.answer(number)
    connection.oracle.called(session.now)
    session.record(Kind.RETURN, reply.error or "ok", connection=connection.index)
    if reply.error:
        raise _Over
    return reply
