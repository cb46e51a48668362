"""User calls at the target, made by the agent and held against what RFC 9293 3.10 lets them return."""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from conformance.model import payload
from conformance.model.case import (
    ANY,
    DEFAULT_WITHIN,
    NORMAL,
    OTHER,
    RECORD,
    ROUTE,
    URGENT,
    CallError,
    CallName,
    Step,
    UserCall,
)
from conformance.model.flow import GROUPS, Reply, other, route_ahead
from conformance.model.pattern import quote
from conformance.model.state import State
from conformance.model.trace import Kind
from conformance.session import answers, diagnose
from conformance.session.actions import Connection
from conformance.session.failure import Inconclusive, Mistake

if TYPE_CHECKING:
    from conformance.session.session import Session

Task = Generator[float, None, None]

_ERRNO: Mapping[str, tuple[CallError, ...]] = {
    "ECONNRESET": (CallError.RESET, CallError.ABSENT),
    "EPIPE": (CallError.CLOSING, CallError.RESET, CallError.ABSENT),
    "ECONNREFUSED": (CallError.REFUSED, CallError.RESET, CallError.UNREACHABLE),
    "ECONNABORTED": (CallError.RESET,),
    "ENOTCONN": (CallError.ABSENT, CallError.CLOSING),
    "EBADF": (CallError.ABSENT,),
    "EISCONN": (CallError.EXISTS,),
    "EADDRINUSE": (CallError.EXISTS,),
    "EADDRNOTAVAIL": (CallError.INVALID, CallError.EXISTS),
    "ETIMEDOUT": (CallError.TIMEOUT,),
    "EHOSTUNREACH": (CallError.UNREACHABLE, CallError.INVALID),
    "ENETUNREACH": (CallError.UNREACHABLE, CallError.INVALID),
    "EACCES": (CallError.INVALID,),
    "EAFNOSUPPORT": (CallError.INVALID,),
    "ENOPROTOOPT": (CallError.UNREACHABLE,),
}
"""What an errno of the sockets API may say in the RFC's words (RFC 9293 3.9.1), the nearest first.

Of any call but OPTION.
"""
UNTIL_THE_END: float | None = None
"""For how long the agent goes on with what is queued, to send or to receive: as long as the case lasts."""
_WAITING = frozenset({CallName.RECEIVE, CallName.STATUS})
"""Calls that wait for what the tester sends; that nothing comes of it may be because nobody is there."""
CLOSE_MANNERS = {False: "write", True: "half-duplex"}


def run(session: Session, connection: Connection, step: Step, call: UserCall) -> Task:
    """Make one call; what it returns must be what the step says."""
    session.record(Kind.CALL, str(call), connection=connection.index)
    if call.option is not None and _unopened(session, connection):
        name, value = call.option
        connection.options.update([_option(session, name, value)])
        connection.oracle.call(call, session.now)
        session.moment = session.now
        return
    listens = _is_for_listener(connection, call)
    timeout = UNTIL_THE_END if step.queued else step.patience
    op, arguments = yield from _request(session, connection, call, timeout)
    sent = octets(connection, call)
    connection.stimulate(session.now, len(session.trace))
    number = session.requests.post(op, arguments)
    if step.queued:
        connection.outstanding = number, call
        _queued(session, connection)
        return
    patience = session.now + step.patience
    tcb = connection.oracle.tcb
    hopeless = tcb.state is State.SYN_SENT and not (tcb.defers_syn and tcb.iss is None)
    connection.oracle.call(call, session.now, sent, on_its_way=op == "close")
    if listens:
        _without_listener(session, connection)
    if call.name is CallName.SEND:
        # RFC 9293 3.10.2: SEND queues.  The sockets API may answer later, when there is room,
        # and surely not before ESTABLISHED.
        while not hopeless and number not in session.requests.replies and session.now < patience:
            yield patience
        if number not in session.requests.replies:
            _queued(session, connection)
            return
    reply = yield from session.requests.answer(number)
    session.moment, session.since = session.now, connection.stimulus
    for touched in session.connections.values():
        touched.oracle.called(session.now)
    _note_handle(session, connection, call, reply)
    _all_sent(call, reply, len(sent))
    _judge(session, connection, step, call, reply)


def _queued(session: Session, connection: Connection) -> None:
    session.record(Kind.RETURN, "queued", connection=connection.index)
    session.moment, session.since = session.now, connection.stimulus


def returns(session: Session, connection: Connection, step: Step) -> Task:
    """Wait for the call that is outstanding; what it returns must be what its own step says."""
    assert connection.outstanding is not None
    number, call = connection.outstanding
    until = session.moment + step.patience
    while number not in session.requests.replies:
        if session.now >= until:
            raise diagnose.call_failed(session, step, str(call), "nothing yet", silence=True)
        yield until
    reply = session.requests.replies.pop(number)
    connection.outstanding = None
    session.moment = session.now
    connection.oracle.call(call, session.now)
    _judge(session, connection, step, call, reply)


def octets(connection: Connection, call: UserCall) -> bytes:
    """Return what a SEND sends: the octets that it names, or as many of the pattern."""
    if call.name is not CallName.SEND:
        return b""
    if call.data is not None:
        return call.data
    return payload.pattern(len(connection.oracle.tcb.stream), call.count or 0, connection.peer.key)


def _request(
    session: Session, connection: Connection, call: UserCall, timeout: float | None
) -> Generator[float, None, tuple[str, dict[str, object]]]:
    if call.name is CallName.OPEN:
        return _open(session, connection, call)
    if _is_for_listener(connection, call):
        handle, session.listener = session.listener, None
        return "close", {"handle": handle, "how": "half-duplex"}
    if call.option is not None and session.listener is not None and connection.oracle.state is State.LISTEN:
        name, setting = _option(session, *call.option)
        return "set_option", {"handle": session.listener, "name": name, "value": setting}
    handle = yield from _handle(session, connection)
    match call.name:
        case CallName.SEND:
            data = base64.b64encode(octets(connection, call)).decode()
            urgent = {"urgent": True} if call.urgent else {}
            return "send", {"handle": handle, "data": data, "timeout": UNTIL_THE_END, **urgent}
        case CallName.RECEIVE if call.urgent:
            return "receive_urgent", {"handle": handle, "timeout": timeout}
        case CallName.RECEIVE:
            return "receive", {"handle": handle, "count": _wanted(call), "timeout": timeout}
        case CallName.CLOSE:
            return "close", {"handle": handle, "how": CLOSE_MANNERS[call.half_duplex]}
        case CallName.ABORT:
            return "close", {"handle": handle, "how": "abort"}
        case CallName.STATUS:
            # The user is told of urgent mode; that it is over is for the user to ask.
            return "urgent", {"handle": handle, "timeout": timeout if call.urgent else 0}
        case _:
            name, value = call.option or ("", "")
            name, setting = _option(session, name, value)
            return "set_option", {"handle": handle, "name": name, "value": setting}


def _is_for_listener(connection: Connection, call: UserCall) -> bool:
    return call.name in (CallName.CLOSE, CallName.ABORT) and connection.oracle.state is State.LISTEN


def _without_listener(session: Session, closed: Connection) -> None:
    """The listener goes, which the connections of the case had in common."""
    for connection in session.connections.values():
        if connection is not closed:
            connection.oracle.listener_closed(session.now, accepted=connection.handle is not None)


def _open(session: Session, connection: Connection, call: UserCall) -> tuple[str, dict[str, object]]:
    """An OPEN; a further one on the same connection takes the same sockets."""
    ends = session.endpoints
    local = {OTHER: other(ends.target), ANY: ""}.get(call.local, ends.target)
    if call.passive:
        port = connection.target_port or 0
        if call.local:
            connection.local = other(ends.target)
        return "listen", {"family": ends.family, "address": local, "port": port, "options": {}}
    if not call.remote:
        connection.local = local
    own = connection.tester_port if session.case.options.same_port else connection.target_port
    return "connect", {
        "family": ends.family,
        "address": GROUPS[call.remote][ends.family] if call.remote else ends.tester,
        "port": connection.tester_port,
        "from_address": local,
        "from_port": own or 0,
        "timeout": 0,
        "options": dict(connection.options),
    }


def _option(session: Session, name: str, value: str) -> tuple[str, int | str]:
    """Return name and value of a socket option as the agent has them."""
    if name in (ROUTE, RECORD):
        return "ip_options", route_ahead(value, session.endpoints.tester).hex()
    return name, int(value)


def _unopened(session: Session, connection: Connection) -> bool:
    """Whether there is no socket yet whose option could be set: it is for the OPEN, then."""
    nobody = connection.handle is None and session.listener is None
    return nobody and connection.oracle.state is State.CLOSED


def _wanted(call: UserCall) -> int:
    if call.data is not None:
        return max(map(len, (call.data, *call.others)))
    return call.count or 1


def _handle(session: Session, connection: Connection) -> Generator[float, None, int]:
    """Return the agent's handle of the connection, accepting it first where it is passive."""
    while connection.handle is None:
        if session.listener is None:
            raise Inconclusive("the user has no connection to make this call on")
        arguments = {"handle": session.listener, "timeout": DEFAULT_WITHIN}
        reply = yield from session.requests.ask("accept", arguments)
        if reply.error:
            state = connection.oracle.state
            raise Inconclusive(f"the sockets API gives the user no connection in {state}: {reply.error}")
        note_accepted(session, reply)
    return connection.handle


def note_accepted(session: Session, reply: Reply) -> None:
    """An accept has given the user one of the connections of the case."""
    for accepted in session.connections.values():
        if accepted.tester_port == answers.peer_port(reply):
            accepted.handle = answers.number(reply, "handle")


def _note_handle(session: Session, connection: Connection, call: UserCall, reply: Reply) -> None:
    if call.name is not CallName.OPEN or reply.error:
        return
    if call.passive:
        session.listener = answers.number(reply, "handle")
    else:
        connection.handle = answers.number(reply, "handle")
        if connection.target_port is None:
            connection.target_port = answers.number(reply, "port")


# -- what the call returned -------------------------------------------------------------
def _all_sent(call: UserCall, reply: Reply, size: int) -> None:
    """Raise Mistake where a SEND has returned before all was taken: what is missing nobody will send."""
    if call.name is not CallName.SEND or reply.error:
        return
    taken = answers.number(reply, "count")
    if taken != size:
        raise Mistake(f"the agent gave up a SEND that had no time limit: {taken} of {size} octets were taken")


def _judge(session: Session, connection: Connection, step: Step, call: UserCall, reply: Reply) -> None:
    if reply.error in ("ENOSYS", "EINVAL", "EPROTO"):
        raise Mistake(f"the agent refuses {call}: {reply.error} {reply.ok.get('detail', '')}".rstrip())
    returned = _show(session, call, reply)
    wrong = _difference(session, connection, call, reply)
    session.record(Kind.RETURN, returned, connection=connection.index, wrong=bool(wrong))
    if wrong:
        silence = call.name in _WAITING and session.requests.waited(reply)
        raise diagnose.call_failed(session, step, wrong, returned, silence=silence)
    if call.error is CallError.TIMEOUT:
        connection.oracle.user_timed_out()


def _show(session: Session, call: UserCall, reply: Reply) -> str:
    if session.requests.ran_out(reply):
        return "nothing in time"
    words = _ERRNO.get(reply.error)
    if words and call.option is None:
        return f"{call.error if call.error in words else words[0]} ({reply.error})"
    if reply.error:
        return reply.error
    if call.name is CallName.RECEIVE:
        data = answers.octets(reply)
        if reply.ok.get("eof") and not data:
            return "EOF"
        return quote(data) if len(data) <= 40 else f"{len(data)} octets"
    if call.name is CallName.STATUS:
        return _mode(answers.flag(reply, "urgent"))
    return "ok"


def _difference(session: Session, connection: Connection, call: UserCall, reply: Reply) -> str:
    """Return what the call should have returned, where it did not; else an empty string."""
    if call.error is not None:
        met = call.error in _ERRNO.get(reply.error, ()) and not session.requests.ran_out(reply)
        return "" if met else str(call.error)
    if call.passive and CallError.EXISTS in _ERRNO.get(reply.error, ()):
        # It creates a connection record in LISTEN, or it returns an error (RFC 9293 3.9.1.1 MUST-41).
        return ""
    if call.name is CallName.RECEIVE:
        return _received(session, connection, call, reply)
    if call.name is CallName.STATUS and not reply.error:
        return "" if answers.flag(reply, "urgent") == call.urgent else _mode(call.urgent)
    return "ok" if reply.error else ""


def _mode(urgent: bool) -> str:
    return f"{URGENT if urgent else NORMAL} mode"


def _received(session: Session, connection: Connection, call: UserCall, reply: Reply) -> str:
    data = answers.octets(reply)
    eof = bool(reply.ok.get("eof"))
    if call.eof:
        return "" if not reply.error and eof and not data else "EOF"
    expected = call.data
    if expected is None:
        expected = payload.pattern(connection.delivered, call.count or 0, session.key)
    connection.delivered += len(data)
    if not reply.error and data in (expected, *call.others):
        return ""
    if call.data is None:
        return f"{call.count} octets of the pattern"
    return " or ".join(map(quote, (call.data, *call.others)))
