"""User calls at the target, made by the agent and held against what RFC 9293 3.10 lets them return."""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from conformance.model import payload
from conformance.model.case import DEFAULT_WITHIN, CallError, CallName, Step, UserCall
from conformance.model.flow import Reply
from conformance.model.pattern import quote
from conformance.model.state import State
from conformance.model.trace import Kind
from conformance.session import diagnose
from conformance.session.actions import Connection
from conformance.session.failure import Inconclusive, Mistake

if TYPE_CHECKING:
    from conformance.session.session import Session

Task = Generator[float, None, None]

_ERRNO: Mapping[str, frozenset[CallError]] = {
    "ECONNRESET": frozenset({CallError.RESET, CallError.ABSENT}),
    "EPIPE": frozenset({CallError.CLOSING, CallError.RESET, CallError.ABSENT}),
    "ECONNREFUSED": frozenset({CallError.REFUSED, CallError.RESET}),
    "ECONNABORTED": frozenset({CallError.RESET}),
    "ENOTCONN": frozenset({CallError.ABSENT, CallError.CLOSING}),
    "EBADF": frozenset({CallError.ABSENT}),
    "EISCONN": frozenset({CallError.EXISTS}),
    "EADDRINUSE": frozenset({CallError.EXISTS}),
    "EADDRNOTAVAIL": frozenset({CallError.EXISTS}),
    "ETIMEDOUT": frozenset({CallError.TIMEOUT}),
}
"""What an errno of the sockets API says in the RFC's words (RFC 9293 3.9.1)."""
SEND_PATIENCE = 60.0
"""Seconds the agent goes on to queue what the user has sent."""
CLOSE_MANNERS = {False: "write", True: "half-duplex"}


def run(session: Session, connection: Connection, step: Step, call: UserCall) -> Task:
    """Make one call; what it returns must be what the step says."""
    session.record(Kind.CALL, str(call), connection=connection.index)
    timeout = step.within if step.within is not None else DEFAULT_WITHIN
    op, arguments = yield from _request(session, connection, call, timeout)
    sent = _octets(session, connection, call)
    connection.stimulate(session.now)
    number = session.post(op, arguments)
    patience = session.now + timeout
    hopeless = connection.oracle.state is State.SYN_SENT
    connection.oracle.call(call, session.now, sent)
    if call.name is CallName.SEND:
        # RFC 9293 3.10.2: SEND queues.  The sockets API may answer later, when there is room,
        # and surely not before ESTABLISHED.
        while not hopeless and number not in session.replies and session.now < patience:
            yield patience
        if number not in session.replies:
            session.record(Kind.RETURN, "queued", connection=connection.index)
            session.moment = session.now
            return
    reply = yield from session.answer(number, arguments)
    session.moment = session.now
    _note_handle(session, connection, call, reply)
    _judge(session, connection, step, call, reply)


def _request(
    session: Session, connection: Connection, call: UserCall, timeout: float
) -> Generator[float, None, tuple[str, dict[str, object]]]:
    if call.name is CallName.OPEN:
        return "connect", _open(session, connection)
    if call.name in (CallName.CLOSE, CallName.ABORT) and connection.oracle.state is State.LISTEN:
        handle, session.listener = session.listener, None
        return "close", {"handle": handle, "how": "half-duplex"}
    handle = yield from _handle(session, connection)
    match call.name:
        case CallName.SEND:
            data = base64.b64encode(_octets(session, connection, call)).decode()
            return "send", {"handle": handle, "data": data, "timeout": SEND_PATIENCE}
        case CallName.RECEIVE:
            return "receive", {"handle": handle, "count": _wanted(call), "timeout": timeout}
        case CallName.CLOSE:
            return "close", {"handle": handle, "how": CLOSE_MANNERS[call.half_duplex]}
        case CallName.ABORT:
            return "close", {"handle": handle, "how": "abort"}
        case _:
            name, value = call.option or ("", "")
            return "set_option", {"handle": handle, "name": name, "value": int(value)}


def _open(session: Session, connection: Connection) -> dict[str, object]:
    """An active OPEN; a further one on the same connection takes the same sockets."""
    ends = session.endpoints
    return {
        "family": ends.family,
        "address": ends.tester,
        "port": connection.tester_port,
        "from_address": ends.target,
        "from_port": connection.target_port or 0,
        "timeout": 0,
    }


def _octets(session: Session, connection: Connection, call: UserCall) -> bytes:
    if call.name is not CallName.SEND:
        return b""
    if call.data is not None:
        return call.data
    offset = len(connection.oracle.tcb.stream)
    return payload.pattern(offset, call.count or 0, session.key)


def _wanted(call: UserCall) -> int:
    if call.data is not None:
        return len(call.data)
    return call.count or 1


def _handle(session: Session, connection: Connection) -> Generator[float, None, int]:
    """Return the agent's handle of the connection, accepting it first where it is passive."""
    while connection.handle is None:
        if session.listener is None:
            raise Inconclusive("the user has no connection to make this call on")
        arguments = {"handle": session.listener, "timeout": DEFAULT_WITHIN}
        reply = yield from session.ask("accept", arguments)
        if reply.error:
            state = connection.oracle.state
            raise Inconclusive(f"the sockets API gives the user no connection in {state}: {reply.error}")
        peer = reply.ok["peer"]
        assert isinstance(peer, list)
        for other in session.connections.values():
            if other.tester_port == peer[1]:
                other.handle = int(str(reply.ok["handle"]))
    return connection.handle


def _note_handle(session: Session, connection: Connection, call: UserCall, reply: Reply) -> None:
    if call.name is CallName.OPEN and not reply.error:
        connection.handle = int(str(reply.ok["handle"]))
        if connection.target_port is None:
            connection.target_port = int(str(reply.ok["port"]))


# -- what the call returned -------------------------------------------------------------
def _judge(session: Session, connection: Connection, step: Step, call: UserCall, reply: Reply) -> None:
    if reply.error in ("ENOSYS", "EINVAL", "EPROTO"):
        raise Mistake(f"the agent refuses {call}: {reply.error} {reply.ok.get('detail', '')}".rstrip())
    returned = _show(call, reply)
    wrong = _difference(session, connection, call, reply)
    session.record(Kind.RETURN, returned, connection=connection.index, wrong=bool(wrong))
    if wrong:
        raise diagnose.call_failed(session, step, wrong, returned)


def _data(reply: Reply) -> bytes:
    return base64.b64decode(str(reply.ok.get("data", "")))


def _show(call: UserCall, reply: Reply) -> str:
    if reply.error:
        words = _ERRNO.get(reply.error)
        return (
            f"{min(words, key=lambda w: list(CallError).index(w))} ({reply.error})" if words else reply.error
        )
    if call.name is CallName.RECEIVE:
        data = _data(reply)
        if reply.ok.get("eof") and not data:
            return "EOF"
        return quote(data) if len(data) <= 40 else f"{len(data)} octets"
    return "ok"


def _difference(session: Session, connection: Connection, call: UserCall, reply: Reply) -> str:
    """Return what the call should have returned, where it did not; else an empty string."""
    if call.error is not None:
        return "" if call.error in _ERRNO.get(reply.error, ()) else str(call.error)
    if call.name is CallName.RECEIVE:
        return _received(session, connection, call, reply)
    return "ok" if reply.error else ""


def _received(session: Session, connection: Connection, call: UserCall, reply: Reply) -> str:
    data = _data(reply)
    eof = bool(reply.ok.get("eof"))
    if call.eof:
        return "" if not reply.error and eof and not data else "EOF"
    expected = call.data
    if expected is None:
        expected = payload.pattern(connection.delivered, call.count or 0, session.key)
    connection.delivered += len(data)
    if not reply.error and data == expected:
        return ""
    return quote(call.data) if call.data is not None else f"{call.count} octets of the pattern"
