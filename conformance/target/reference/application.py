"""The reference's user: the agent's operations (docs/agent.md), on the reference's stack."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from conformance.model import payload
from conformance.model.case import CallError, CallName, UserCall
from conformance.model.flow import Event, Flow, Reply
from conformance.model.state import State
from conformance.target.base import ADDRESSES
from conformance.target.reference.core import NO_CONNECTION, OPENING
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.options import OPTIONS, set_option
from conformance.target.reference.stack import Stack

PROBES = frozenset({"state"})
_ERRNO = {
    CallError.ABSENT: "ENOTCONN",
    CallError.CLOSING: "EPIPE",
    CallError.EXISTS: "EISCONN",
    CallError.RESET: "ECONNRESET",
    CallError.REFUSED: "ECONNREFUSED",
    CallError.TIMEOUT: "ETIMEDOUT",
    CallError.INVALID: "ENETUNREACH",
}
Arguments = Mapping[str, object]
Answer = Callable[[], "Result | None"]


@dataclass(frozen=True, slots=True)
class Result:
    """What an operation came to: `ok`, or `error`, an errno name."""

    ok: Arguments = field(default_factory=dict)
    error: str = ""


@dataclass(slots=True)
class _Listener:
    family: int
    port: int
    waiting: list[Endpoint]


@dataclass(slots=True)
class _Pending:
    """A request that waits: `attempt` answers as soon as it can, `late` when `until` has come."""

    id: int
    handle: int
    until: float
    attempt: Answer
    late: Callable[[], Result]


class Application:
    """Serves requests; `replies` gets an event for each that is answered."""

    def __init__(self, stack: Stack, replies: list[Event], sysctl: Mapping[str, str]) -> None:
        self._stack = stack
        self._replies = replies
        self._sysctl = dict(sysctl)
        self._handles: dict[int, Endpoint | _Listener] = {}
        self._next = 1
        self._pending: list[_Pending] = []
        self._now = 0.0
        self._ops: dict[str, Callable[[int, Arguments], Result | None]] = {
            "hello": self._hello,
            "listen": self._listen,
            "accept": self._accept,
            "connect": self._connect,
            "send": self._send,
            "receive": self._receive,
            "receive_urgent": self._receive_urgent,
            "urgent": self._urgent,
            "close": self._close,
            "set_option": self._set_option,
            "state": self._state,
            "sysctl": self._sysctl_op,
            "release": self._release,
        }

    @property
    def ops(self) -> frozenset[str]:
        return frozenset(self._ops)

    # -- requests -----------------------------------------------------------------------
    def request(self, request_id: int, op: str, arguments: Arguments, now: float) -> None:
        """Begin one request; it is answered at once, or when `serve` can."""
        self._now = now
        if op not in self._ops:
            self._reply(request_id, Result(error="ENOSYS"))
            return
        try:
            result = self._ops[op](request_id, arguments)
        except KeyError:
            result = Result(error="EBADF")
        except (TypeError, ValueError, binascii.Error) as error:
            result = Result({"detail": str(error)}, "EINVAL")
        if result is not None:
            self._reply(request_id, result)

    def serve(self, now: float) -> None:
        """Answer what can be answered now, after something has happened."""
        self._now = now
        for pending in list(self._pending):
            result = pending.attempt()
            if result is None and now >= pending.until:
                result = pending.late()
            if result is not None and pending in self._pending:
                self._pending.remove(pending)
                self._reply(pending.id, result)

    def next_deadline(self) -> float | None:
        return min((item.until for item in self._pending if item.until < math.inf), default=None)

    def _reply(self, request_id: int, result: Result) -> None:
        self._replies.append(Reply(request_id, result.ok, result.error, self._now))

    def _later(
        self, request_id: int, arguments: Arguments, attempt: Answer, late: Callable[[], Result]
    ) -> Result | None:
        """Answer now if that is possible, else wait."""
        result = attempt()
        if result is not None:
            return result
        timeout = arguments.get("timeout", 1.0)
        until = math.inf if timeout is None else self._now + float(str(timeout))
        if until <= self._now:
            return late()
        self._pending.append(_Pending(request_id, _number(arguments, "handle"), until, attempt, late))
        return None

    def _add(self, item: "Endpoint | _Listener") -> int:
        handle, self._next = self._next, self._next + 1
        self._handles[handle] = item
        return handle

    def _outlive(self, endpoint: Endpoint) -> None:
        """It has taken the place of one in TIME-WAIT, whose handle is for nothing now."""
        for handle in [handle for handle, item in self._handles.items() if item is endpoint]:
            del self._handles[handle]

    def _connection(self, arguments: Arguments) -> Endpoint:
        """Return the connection of a handle.  Raises KeyError, ValueError for a listener."""
        found = self._handles[_number(arguments, "handle")]
        if isinstance(found, _Listener):
            raise ValueError("this handle listens")
        return found

    # -- operations ---------------------------------------------------------------------
    def _hello(self, _: int, arguments: Arguments) -> Result:
        return Result({"agent": 1, "system": "reference", "ops": sorted(self._ops), "probes": sorted(PROBES)})

    def _listen(self, _: int, arguments: Arguments) -> Result:
        family = _number(arguments, "family")
        port = self._stack.port(family, _number(arguments, "port", 0))
        if port is None:
            return Result(error="EADDRINUSE")
        address = str(arguments.get("address", ""))
        self._stack.about_to_listen(family, port)
        handle = self._add(_Listener(family, port, self._stack.listen(family, port, address)))
        return Result({"handle": handle, "port": port})

    def _accept(self, request_id: int, arguments: Arguments) -> Result | None:
        listener = self._handles[_number(arguments, "handle")]
        if not isinstance(listener, _Listener):
            return Result(error="EINVAL")

        def attempt() -> Result | None:
            for endpoint in listener.waiting:
                opening = endpoint.tcb.state in OPENING and not endpoint.tcb.fast_opened
                if not opening and (endpoint.tcb.iss is not None or endpoint.error):
                    listener.waiting.remove(endpoint)
                    self._outlive(endpoint)
                    peer = list(endpoint.around.flow.tester)
                    return Result({"handle": self._add(endpoint), "peer": peer})
            return None

        return self._later(request_id, arguments, attempt, lambda: Result(error="ETIMEDOUT"))

    def _connect(self, request_id: int, arguments: Arguments) -> Result | None:
        family = _number(arguments, "family")
        peer = str(arguments["address"]), _number(arguments, "port")
        port = self._stack.port(family, _number(arguments, "from_port", 0))
        if port is None:
            return Result(error="EADDRINUSE")
        # RFC 9293 3.9.1.1 MUST-44: where the user names no local address, it is the first.
        local = str(arguments.get("from_address", "")) or ADDRESSES[family][1]
        flow = Flow(peer, (local, port))
        known = self._stack.known(flow)
        if known is not None:
            return Result(error=_ERRNO[CallError.EXISTS])
        endpoint = self._stack.open(flow)
        if not endpoint.may_open(flow):
            return Result(error=_ERRNO[CallError.INVALID])
        options = arguments.get("options")
        for name, value in (options if isinstance(options, Mapping) else {}).items():
            if not set_option(endpoint, str(name), str(value)):
                return Result(error="ENOPROTOOPT")
        self._call(endpoint, UserCall(CallName.OPEN))
        return Result({"handle": self._add(endpoint), "port": port, "connected": False})

    def _call(self, endpoint: Endpoint, call: UserCall, sent: bytes = b"") -> CallError | None:
        error = endpoint.call(call, self._now, sent)
        self._stack.settle(endpoint)
        return error

    def _send(self, _: int, arguments: Arguments) -> Result:
        endpoint = self._connection(arguments)
        if "data" in arguments:
            data = base64.b64decode(str(arguments["data"]), validate=True)
        else:
            offset, key = _number(arguments, "offset", 0), _number(arguments, "key", 0)
            data = payload.pattern(offset, _number(arguments, "size"), key)
        if endpoint.error:
            return Result(error=_take_error(endpoint))
        call = UserCall(CallName.SEND, data, urgent=bool(arguments.get("urgent")))
        error = self._call(endpoint, call, data)
        return Result(error=_ERRNO[error]) if error else Result({"count": len(data)})

    def _receive(self, request_id: int, arguments: Arguments) -> Result | None:
        endpoint = self._connection(arguments)
        count = _number(arguments, "count")
        peek = bool(arguments.get("peek"))
        got = bytearray()

        def attempt() -> Result | None:
            if peek:
                got[:] = endpoint.next_octets(count)[0]
            else:
                got.extend(endpoint.receive(count - len(got), self._now))
                self._stack.settle(endpoint)
            if len(got) >= count:
                return _data(got)
            if endpoint.tcb.fin_received and not endpoint.error:
                return _data(got, eof=True)
            if endpoint.tcb.state not in NO_CONNECTION and not endpoint.error:
                return None
            if got:
                return _data(got)
            if endpoint.error:
                return Result(error=_take_error(endpoint))
            return _data(got, eof=True) if endpoint.ended else Result(error=_ERRNO[CallError.ABSENT])

        def late() -> Result:
            return _data(got) if got else Result(error="ETIMEDOUT")

        return self._later(request_id, arguments, attempt, late)

    def _receive_urgent(self, request_id: int, arguments: Arguments) -> Result | None:
        endpoint = self._connection(arguments)
        if endpoint.tcb.oob_inline:
            raise ValueError("oob_inline is on")

        def attempt() -> Result | None:
            octet = endpoint.receive_urgent(self._now)
            self._stack.settle(endpoint)
            over = endpoint.tcb.fin_received or endpoint.tcb.state in NO_CONNECTION
            return _data(bytearray(octet), eof=not octet) if octet or over else None

        return self._later(request_id, arguments, attempt, lambda: Result(error="ETIMEDOUT"))

    def _urgent(self, request_id: int, arguments: Arguments) -> Result | None:
        endpoint = self._connection(arguments)

        def attempt() -> Result | None:
            return Result({"urgent": True}) if endpoint.urgent_mode() else None

        return self._later(request_id, arguments, attempt, lambda: Result({"urgent": False}))

    def _close(self, _: int, arguments: Arguments) -> Result:
        handle = _number(arguments, "handle")
        found = self._handles[handle]
        how = str(arguments.get("how", "half-duplex"))
        if isinstance(found, _Listener):
            self._forget(handle)
            return Result()
        if how == "write":
            if found.tcb.state in NO_CONNECTION:
                return Result(error=_take_error(found) or _ERRNO[CallError.ABSENT])
            self._call(found, UserCall(CallName.CLOSE))
            return Result()
        name = CallName.ABORT if how == "abort" else CallName.CLOSE
        if found.tcb.state not in NO_CONNECTION:
            self._call(found, UserCall(name, half_duplex=name is CallName.CLOSE))
        self._cancel(handle)
        del self._handles[handle]
        return Result()

    def _set_option(self, _: int, arguments: Arguments) -> Result:
        name, value = str(arguments["name"]), str(arguments.get("value", ""))
        found = self._handles[_number(arguments, "handle")]
        if isinstance(found, _Listener):
            if name not in OPTIONS:
                return Result(error="ENOPROTOOPT")
            self._stack.inherit(found.family, found.port, lambda endpoint: set_option(endpoint, name, value))
            return Result()
        endpoint = self._connection(arguments)
        if not set_option(endpoint, name, value):
            return Result(error="ENOPROTOOPT")
        self._call(endpoint, UserCall(CallName.OPTION, option=(name, value)))
        return Result()

    def _state(self, _: int, arguments: Arguments) -> Result:
        flow = Flow(_socket(arguments["remote"]), _socket(arguments["local"]))
        endpoint = self._stack.known(flow)
        if endpoint is not None:
            return Result({"state": str(endpoint.tcb.state)})
        return Result({"state": str(State.LISTEN if self._stack.listens(flow) else State.CLOSED)})

    def _sysctl_op(self, _: int, arguments: Arguments) -> Result:
        name = str(arguments["name"])
        if "value" in arguments:
            self._sysctl[name] = str(arguments["value"])
        return Result({"value": self._sysctl.get(name, "")})

    def _release(self, _: int, arguments: Arguments) -> Result:
        handles = [_number(arguments, "handle")] if "handle" in arguments else list(self._handles)
        for handle in handles:
            self._forget(handle)
        return Result()

    def _forget(self, handle: int) -> None:
        """Abort what a handle stands for: of a listener, the connections nobody has accepted, too."""
        found = self._handles.pop(handle, None)
        self._cancel(handle)
        if isinstance(found, _Listener):
            self._stack.unlisten(found.family, found.port)
            for endpoint in found.waiting:
                endpoint.unaccepted(self._now)
                self._stack.settle(endpoint)
        elif found is not None:
            self._abort(found)

    def _abort(self, endpoint: Endpoint) -> None:
        if endpoint.tcb.state not in NO_CONNECTION:
            self._call(endpoint, UserCall(CallName.ABORT))

    def _cancel(self, handle: int) -> None:
        for pending in [item for item in self._pending if item.handle == handle]:
            self._pending.remove(pending)
            self._reply(pending.id, Result(error="ECANCELED"))


def _number(arguments: Arguments, name: str, default: int | None = None) -> int:
    """Return an argument that is a number.  Raises ValueError."""
    value = arguments.get(name, default)
    if value is None:
        value = default
    if isinstance(value, int):
        return value
    raise ValueError(f"{name} is missing or no number")


def _socket(value: object) -> tuple[str, int]:
    if isinstance(value, list) and len(value) == 2:
        return str(value[0]), int(value[1])
    raise ValueError("a socket is [address, port]")


def _data(octets: bytearray, *, eof: bool = False) -> Result:
    return Result({"data": base64.b64encode(bytes(octets)).decode(), "eof": eof})


def _take_error(endpoint: Endpoint) -> str:
    """Return the error that the user has not been told of, and forget it."""
    error, endpoint.error = endpoint.error, ""
    return error
