#!/usr/bin/env python3
"""The agent: makes socket calls beside the target for a tester elsewhere.

One file (longer than others for that), standard library only, Python 3.7 or later, so that
it can be sent down any pipe.  It speaks JSON, one message a line, on stdin and stdout;
docs/agent.md specifies it.  One thread, and nothing blocks: each request is answered when
its socket or its deadline says so.
"""

# ruff: noqa: B905, SIM105, UP031  it must run on old Pythons

from __future__ import annotations

import base64
import errno
import fcntl
import heapq
import itertools
import json
import os
import platform
import select
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator

VERSION = 1
PERIOD = 251  # of the pattern that "size" asks for
CHUNK = 1 << 16
LONGEST_LINE = 64 << 20
DEFAULT_TIMEOUT = 1.0
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
URGENT, OUT_OF_BAND = "urgent", "out of band"  # what the selector does not know: it watches a poll that does
LINGER = struct.Struct("ii")
# Where there is one that may be written to, in a container whose own may only be read.
SYSCTLS = os.environ.get("CONFORMANCE_SYSCTL", "/proc/sys")

# ---------------------------------------------------------------- requests


class Refused(Exception):
    """A request that failed: an errno name, and details in words."""

    def __init__(self, error: str, detail: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.detail = detail


def integer(request: dict[str, object], name: str, default: int | None = None) -> int:
    value = request.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused("EINVAL", name + " must be a whole number")
    return value


def text(request: dict[str, object], name: str, default: str | None = None) -> str:
    value = request.get(name, default)
    if not isinstance(value, str):
        raise Refused("EINVAL", name + " must be text")
    return value


def deadline(request: dict[str, object]) -> float | None:
    """Return when the request's time is over; None for never ("timeout": null)."""
    value = request.get("timeout", DEFAULT_TIMEOUT)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or value < 0:
        raise Refused("EINVAL", "timeout must be seconds, or null")
    return time.monotonic() + value


def endpoint(request: dict[str, object], name: str) -> tuple[str, int]:
    value = request.get(name)
    if not isinstance(value, list) or [type(part) for part in value] != [str, int]:
        raise Refused("EINVAL", name + " must be [address, port]")
    return value[0], value[1]


# ---------------------------------------------------------------- socket options

TCP, IP, IPV6, SOCKET = socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.SOL_SOCKET


def constant(name: str, linux: int) -> int | None:
    """Return socket's constant, or its number on Linux where this Python has no name for it."""
    value = getattr(socket, name, linux if sys.platform == "linux" else None)
    return None if value is None else int(value)


OPTIONS = {
    "nodelay": (TCP, constant("TCP_NODELAY", 1)),
    "mss": (TCP, constant("TCP_MAXSEG", 2)),
    "cork": (TCP, constant("TCP_CORK", 3)),
    "keepalive_idle": (TCP, constant("TCP_KEEPIDLE", 4)),
    "keepalive_interval": (TCP, constant("TCP_KEEPINTVL", 5)),
    "keepalive_count": (TCP, constant("TCP_KEEPCNT", 6)),
    "syn_count": (TCP, constant("TCP_SYNCNT", 7)),
    "linger2": (TCP, constant("TCP_LINGER2", 8)),
    "defer_accept": (TCP, constant("TCP_DEFER_ACCEPT", 9)),
    "window_clamp": (TCP, constant("TCP_WINDOW_CLAMP", 10)),
    "quickack": (TCP, constant("TCP_QUICKACK", 12)),
    "congestion": (TCP, constant("TCP_CONGESTION", 13)),
    "fast_open_connect": (TCP, constant("TCP_FASTOPEN_CONNECT", 30)),
    "fast_open": (TCP, constant("TCP_FASTOPEN", 23)),
    "user_timeout": (TCP, constant("TCP_USER_TIMEOUT", 18)),
    "keepalive": (SOCKET, socket.SO_KEEPALIVE),
    "receive_buffer": (SOCKET, socket.SO_RCVBUF),
    "send_buffer": (SOCKET, socket.SO_SNDBUF),
    "receive_low_water": (SOCKET, socket.SO_RCVLOWAT),
    "oob_inline": (SOCKET, socket.SO_OOBINLINE),
    "reuse_address": (SOCKET, socket.SO_REUSEADDR),
    "ttl": (IP, socket.IP_TTL),
    "tos": (IP, socket.IP_TOS),
    "report_errors": (IP, constant("IP_RECVERR", 11)),
}
IPV6_OPTIONS = {
    "ttl": (IPV6, socket.IPV6_UNICAST_HOPS),
    "tos": (IPV6, constant("IPV6_TCLASS", 67)),
    "report_errors": (IPV6, constant("IPV6_RECVERR", 25)),
}
WORDS = {"on": 1, "true": 1, "yes": 1, "off": 0, "false": 0, "no": 0}


def set_option(sock: socket.socket, name: str, value: object) -> None:
    word = str(value).lower()
    if name == "ip_options":  # in hex
        sock.setsockopt(IP, socket.IP_OPTIONS, bytes.fromhex(str(value)))
        return
    if name == "linger":  # in seconds; "off" switches it off
        lingering = (0, 0) if word == "off" else (1, int(word))
        sock.setsockopt(SOCKET, socket.SO_LINGER, LINGER.pack(*lingering))
        return
    table = {**OPTIONS, **IPV6_OPTIONS} if sock.family == socket.AF_INET6 else OPTIONS
    level, option = table.get(name, (0, None))
    if option is None:
        raise Refused("ENOPROTOOPT", "no option is named " + name)
    if name == "congestion":
        sock.setsockopt(level, option, word.encode())
    else:
        sock.setsockopt(level, option, WORDS[word] if word in WORDS else int(word, 0))


def options(request: dict[str, object]) -> dict[str, object]:
    value = request.get("options") or {}
    if not isinstance(value, dict):
        raise Refused("EINVAL", "options must be an object")
    return value


# ---------------------------------------------------------------- handles and what waits for them


class Handle:
    """One socket, with the operations that wait to read from it or write to it, oldest first."""

    def __init__(self, number: int, sock: socket.socket, listener: bool) -> None:
        self.number = number
        self.sock = sock
        self.listener = listener
        self.error: OSError | None = None  # met while there was still data to hand over
        self.waiting: dict[object, list[Operation]] = {READ: [], WRITE: [], URGENT: [], OUT_OF_BAND: []}
        self.urgency: select.epoll | None = None

    def urgent_poll(self) -> select.epoll:
        """Return what can be read when there is an urgent octet to receive, or the connection is over."""
        if self.urgency is None:
            self.urgency = select.epoll()
            self.urgency.register(self.sock.fileno(), select.EPOLLPRI)
            # A pointer to what is still to come is told by SIGURG alone.
            fcntl.fcntl(self.sock.fileno(), fcntl.F_SETOWN, os.getpid())
        return self.urgency

    def inline(self) -> bool:
        """Tell whether urgent data is received in the stream."""
        return bool(self.sock.getsockopt(SOCKET, socket.SO_OOBINLINE))

    def out_of_band(self, flags: int = 0) -> bytes | None:
        """Receive the urgent octet: None where none is announced, and nothing where none can come any more.

        Raises BlockingIOError if it is announced, and still to come.
        """
        poll = self.urgent_poll()
        try:
            return self.sock.recv(1, socket.MSG_OOB | flags)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTCONN):
                raise
        return b"" if poll.poll(0) else None  # it tells of the end, too


class Operation:
    """A request that waits for its socket."""

    event: object = READ

    def __init__(self, agent: Agent, handle: Handle, request: dict[str, object]) -> None:
        self.agent = agent
        self.handle = handle
        self.ident = request["id"]
        self.deadline = deadline(request)
        self.done = False

    def attempt(self) -> dict[str, object] | None:
        """Return the answer, or None (or raise BlockingIOError) for "not yet"."""
        raise NotImplementedError

    def expire(self) -> dict[str, object]:
        """Return what to answer when the time is over."""
        raise Refused("ETIMEDOUT")


def pattern(first: int, size: int) -> bytes:
    """Return `size` octets from place `first` of the stream 0, 1, ... 250, 0, 1, ..."""
    period = bytes((first + at) % PERIOD for at in range(PERIOD))
    return (period * (size // PERIOD + 1))[:size]


class Accept(Operation):
    def attempt(self) -> dict[str, object] | None:
        sock, peer = self.handle.sock.accept()
        return {"handle": self.agent.adopt(sock).number, "peer": list(peer[:2])}


class Connect(Operation):
    event = WRITE

    def attempt(self) -> dict[str, object] | None:
        sock = self.handle.sock
        error = sock.getsockopt(SOCKET, socket.SO_ERROR)
        if error:
            self.give_up()
            raise OSError(error, os.strerror(error))
        try:
            sock.getpeername()
        except OSError:
            return None
        return {"handle": self.handle.number, "port": sock.getsockname()[1], "connected": True}

    def expire(self) -> dict[str, object]:
        self.give_up()
        raise Refused("ETIMEDOUT")

    def give_up(self) -> None:
        self.done = True  # so that forget() leaves the answer to us
        self.agent.forget(self.handle, abort=True)


class Send(Operation):
    event = WRITE

    def __init__(self, agent: Agent, handle: Handle, request: dict[str, object]) -> None:
        super().__init__(agent, handle, request)
        if "data" in request:
            data = base64.b64decode(text(request, "data"), validate=True)
        else:
            first = integer(request, "offset", 0) + integer(request, "key", 0)
            data = pattern(first, integer(request, "size"))
        self.left = memoryview(data)
        self.count = 0
        self.flags = socket.MSG_OOB if request.get("urgent") else 0

    def attempt(self) -> dict[str, object] | None:
        while self.left:
            sent = self.handle.sock.send(self.left, self.flags)
            self.left = self.left[sent:]
            self.count += sent
        return {"count": self.count}

    def expire(self) -> dict[str, object]:
        return {"count": self.count}


class Receive(Operation):
    def __init__(self, agent: Agent, handle: Handle, request: dict[str, object]) -> None:
        super().__init__(agent, handle, request)
        self.count = integer(request, "count")
        self.peek = bool(request.get("peek", False))
        self.data = bytearray()

    def attempt(self) -> dict[str, object] | None:
        handle = self.handle
        if handle.error is not None and not self.data:
            error, handle.error = handle.error, None
            raise error
        try:
            if self.peek:
                return self.look()
            # Never more than asked for: what is not read keeps the window closed.
            while len(self.data) < self.count:
                octets = handle.sock.recv(min(self.count - len(self.data), CHUNK))
                if not octets:
                    return self.answer(eof=True)
                self.data += octets
        except BlockingIOError:
            return None
        except OSError as failure:
            if not self.data:
                raise
            handle.error = failure  # the data first; whoever asks next gets the error
        return self.answer(eof=False)

    def look(self) -> dict[str, object] | None:
        self.data = bytearray(self.handle.sock.recv(self.count, socket.MSG_PEEK))
        if not self.data and self.count:
            return self.answer(eof=True)
        return self.answer(eof=False) if len(self.data) >= self.count else None

    def answer(self, eof: bool) -> dict[str, object]:
        return {"data": base64.b64encode(self.data).decode(), "eof": eof}

    def expire(self) -> dict[str, object]:
        if not self.data:
            raise Refused("ETIMEDOUT")
        return self.answer(eof=False)


class Urgent(Operation):
    """Waits for urgent mode.  Inline, POLLPRI lasts until the last urgent octet is received."""

    event = URGENT

    def attempt(self) -> dict[str, object] | None:
        if not self.handle.inline():
            return self.look()
        found = self.handle.urgent_poll().poll(0)
        return {"urgent": bool(found[0][1] & select.EPOLLPRI)} if found else None

    def look(self) -> dict[str, object] | None:
        try:
            octet = self.handle.out_of_band(socket.MSG_PEEK)
        except BlockingIOError:
            return {"urgent": True}
        return None if octet is None else {"urgent": bool(octet)}

    def expire(self) -> dict[str, object]:
        return {"urgent": False}


class ReceiveUrgent(Operation):
    """Waits for the urgent octet that is out of band."""

    event = OUT_OF_BAND

    def attempt(self) -> dict[str, object] | None:
        if self.handle.inline():
            raise Refused("EINVAL", "oob_inline is on")
        octet = self.handle.out_of_band()
        return None if octet is None else {"data": base64.b64encode(octet).decode(), "eof": not octet}


# ---------------------------------------------------------------- the agent


class Agent:
    """Serves one tester on two descriptors, until the first reaches its end.

    `private`: nobody else lives in this network namespace, so that at the end all of its
    connections may be destroyed.
    """

    def __init__(self, source: int = 0, sink: int = 1, private: bool = False) -> None:
        self.source, self.sink, self.private = source, sink, private
        self.alarm = -1
        self.selector = selectors.DefaultSelector()
        self.handles: dict[int, Handle] = {}
        self.opened: set[int] = set()  # the ports of all connections that were ever opened from here
        self.numbers = itertools.count(1)
        self.deadlines: list[tuple[float, int, Operation]] = []
        self.order = itertools.count()
        self.found: dict[str, str] = {}
        self.input = bytearray()
        self.output = bytearray()
        self.diag = Diag() if sys.platform == "linux" else None
        absent = {
            "state": self.diag is None,
            "tcp_info": not hasattr(socket, "TCP_INFO"),
            "sysctl": not os.path.isdir(SYSCTLS + "/net"),
            "forget": sys.platform != "linux",
            "urgent": not hasattr(select, "epoll"),
            "receive_urgent": not hasattr(select, "epoll"),
        }
        self.ops: dict[str, Callable[[dict[str, object]], dict[str, object] | None]] = {
            name[3:]: getattr(self, name)
            for name in dir(self)
            if name.startswith("op_") and not absent.get(name[3:], False)
        }

    # -- the loop

    def run(self) -> None:
        for descriptor in (self.source, self.sink):
            os.set_blocking(descriptor, False)
        self.selector.register(self.source, READ, None)
        self.hear_of_urgent()
        try:
            while self.turn():
                pass
        finally:
            self.op_release({})
            self.restore()
            if self.private and self.diag:
                self.diag.destroy_all()

    def hear_of_urgent(self) -> None:
        """Have SIGURG, which does not say for which socket it is, wake us."""
        self.alarm, waker = os.pipe()
        for descriptor in (self.alarm, waker):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGURG, lambda number, frame: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        self.selector.register(self.alarm, READ, None)

    def turn(self) -> bool:
        """Wait for an event or a deadline and serve it; False when the tester has gone."""
        for key, events in self.selector.select(self.patience()):
            if key.fd == self.source:
                if not self.read():
                    return False
            elif key.fd == self.sink:
                if not self.flush():
                    return False
            elif key.fd == self.alarm:
                os.read(self.alarm, CHUNK)
                for handle in list(self.handles.values()):
                    self.look_for_urgent(handle)
            elif key.fd != key.data.sock.fileno():
                self.look_for_urgent(key.data)
            else:
                for event in (READ, WRITE):
                    if events & event:
                        self.progress(key.data, event)
        self.expire(time.monotonic())
        return True

    def expire(self, now: float) -> None:
        while self.deadlines and self.deadlines[0][0] <= now:
            operation = heapq.heappop(self.deadlines)[2]
            if not operation.done:
                self.progress(operation.handle, operation.event)  # what came at the last moment counts
            if not operation.done:
                self.conclude(operation, operation.expire)
                self.attend(operation.handle)

    def patience(self) -> float | None:
        while self.deadlines and self.deadlines[0][2].done:
            heapq.heappop(self.deadlines)
        return max(0.0, self.deadlines[0][0] - time.monotonic()) if self.deadlines else None

    def read(self) -> bool:
        try:
            octets = os.read(self.source, CHUNK)
        except BlockingIOError:
            return True
        if not octets:
            return False
        self.input += octets
        if b"\n" in octets:
            *lines, rest = bytes(self.input).split(b"\n")
            self.input = bytearray(rest)
            for line in lines:
                if line.strip():
                    self.serve(line)
        return len(self.input) <= LONGEST_LINE

    def serve(self, line: bytes) -> None:
        ident = None
        try:
            request = json.loads(line.decode())
            ident = request["id"]
            op = request["op"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.write({"id": ident, "error": "EPROTO", "detail": "not a request: " + repr(error)})
            return
        handler = self.ops.get(op) if isinstance(op, str) else None
        if handler is None:
            self.write({"id": ident, "error": "ENOSYS", "detail": "no operation is named " + str(op)})
        else:
            self.respond(ident, lambda: handler(request))

    def respond(self, ident: object, function: Callable[[], dict[str, object] | None]) -> bool:
        """Write what `function` returns or raises; False if it has no answer yet."""
        try:
            ok = function()
        except Refused as refusal:
            self.write({"id": ident, "error": refusal.error, "detail": refusal.detail})
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "EINVAL" if error.errno is None else "EIO")
            self.write({"id": ident, "error": name, "detail": str(error.strerror or error)})
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self.write({"id": ident, "error": "EINVAL", "detail": repr(error)})
        else:
            if ok is None:
                return False
            self.write({"id": ident, "ok": ok})
        return True

    def write(self, message: dict[str, object]) -> None:
        self.output += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self.flush()

    def flush(self) -> bool:
        try:
            while self.output:
                del self.output[: os.write(self.sink, self.output)]
        except BlockingIOError:
            pass
        except OSError:
            return False
        self.watch(self.sink, WRITE if self.output else 0, None)
        return True

    def watch(self, descriptor: int, mask: int, data: Handle | None) -> None:
        known = self.selector.get_map().get(descriptor)
        if not mask:
            if known:
                self.selector.unregister(descriptor)
        elif not known:
            self.selector.register(descriptor, mask, data)
        elif known.events != mask:
            self.selector.modify(descriptor, mask, data)

    # -- operations that wait

    def start(self, operation: Operation) -> None:
        """Queue an operation behind those on the same socket, and try it at once."""
        operation.handle.waiting[operation.event].append(operation)
        if operation.deadline is not None:
            heapq.heappush(self.deadlines, (operation.deadline, next(self.order), operation))
        self.progress(operation.handle, operation.event)

    def progress(self, handle: Handle, event: object) -> None:
        """Serve the operations that wait for `event`, in their order, as far as they get."""
        queue = handle.waiting[event]
        while handle.number in self.handles and queue and self.conclude(queue[0], queue[0].attempt):
            pass
        self.attend(handle)

    def look_for_urgent(self, handle: Handle) -> None:
        for event in (URGENT, OUT_OF_BAND):
            self.progress(handle, event)

    def conclude(self, operation: Operation, function: Callable[[], dict[str, object] | None]) -> bool:
        def patiently() -> dict[str, object] | None:
            try:
                return function()
            except BlockingIOError:
                return None

        if not self.respond(operation.ident, patiently):
            return False
        operation.done = True
        operation.handle.waiting[operation.event].remove(operation)
        return True

    def attend(self, handle: Handle) -> None:
        if handle.number in self.handles:
            mask = sum(event for event in (READ, WRITE) if handle.waiting[event])
            self.watch(handle.sock.fileno(), mask, handle)
            if handle.urgency is not None:
                waits = handle.waiting[URGENT] or handle.waiting[OUT_OF_BAND]
                self.watch(handle.urgency.fileno(), READ if waits else 0, handle)

    # -- handles

    def adopt(self, sock: socket.socket, listener: bool = False) -> Handle:
        sock.setblocking(False)
        handle = Handle(next(self.numbers), sock, listener)
        self.handles[handle.number] = handle
        return handle

    def handle(self, request: dict[str, object]) -> Handle:
        number = integer(request, "handle")
        if number not in self.handles:
            raise Refused("EBADF", "no handle " + str(number))
        return self.handles[number]

    def forget(self, handle: Handle, abort: bool = False) -> None:
        """Close a handle's socket; what still waits for it fails with ECANCELED."""
        del self.handles[handle.number]
        self.watch(handle.sock.fileno(), 0, None)
        if handle.urgency is not None:
            self.watch(handle.urgency.fileno(), 0, None)
            handle.urgency.close()
        if abort and not handle.listener:
            handle.sock.setsockopt(SOCKET, socket.SO_LINGER, LINGER.pack(1, 0))
        handle.sock.close()
        for queue in handle.waiting.values():
            for operation in queue:
                if not operation.done:
                    operation.done = True
                    self.write({"id": operation.ident, "error": "ECANCELED", "detail": "closed meanwhile"})

    # -- the requests

    def op_hello(self, request: dict[str, object]) -> dict[str, object]:
        system = platform.system() + " " + platform.release()
        probes = [name for name in ("state", "tcp_info") if name in self.ops]
        return {"agent": VERSION, "system": system, "ops": sorted(self.ops), "probes": probes}

    @staticmethod
    def open(request: dict[str, object]) -> socket.socket:
        family = integer(request, "family")
        if family not in FAMILIES:
            raise Refused("EAFNOSUPPORT", "family: 4 or 6")
        sock = socket.socket(FAMILIES[family], socket.SOCK_STREAM)
        try:
            sock.setsockopt(SOCKET, socket.SO_REUSEADDR, 1)
            if family == 6:
                sock.setsockopt(IPV6, socket.IPV6_V6ONLY, 1)
            for name, value in options(request).items():
                set_option(sock, name, value)
        except BaseException:
            sock.close()
            raise
        return sock

    def op_listen(self, request: dict[str, object]) -> dict[str, object]:
        passed_over: list[socket.socket] = []
        sock = self.bound(request)
        try:
            # What is sent to a connection that was must not come to somebody who listens now.
            while not integer(request, "port", 0) and sock.getsockname()[1] in self.opened:
                passed_over.append(sock)
                sock = self.bound(request)
            sock.listen(integer(request, "backlog", 8))
        except BaseException:
            sock.close()
            raise
        finally:
            for other in passed_over:
                other.close()
        return {"handle": self.adopt(sock, listener=True).number, "port": sock.getsockname()[1]}

    def bound(self, request: dict[str, object]) -> socket.socket:
        sock = self.open(request)
        try:
            sock.bind((text(request, "address"), integer(request, "port", 0)))
        except BaseException:
            sock.close()
            raise
        return sock

    def op_accept(self, request: dict[str, object]) -> None:
        handle = self.handle(request)
        if not handle.listener:
            raise Refused("EINVAL", "not a listener")
        self.start(Accept(self, handle, request))

    def op_connect(self, request: dict[str, object]) -> dict[str, object] | None:
        sock = self.open(request)
        try:
            sock.setblocking(False)
            origin = text(request, "from_address", ""), integer(request, "from_port", 0)
            if any(origin):
                sock.bind((origin[0] or ("::" if sock.family == socket.AF_INET6 else ""), origin[1]))
            error = sock.connect_ex((text(request, "address"), integer(request, "port")))
            if error not in (0, errno.EINPROGRESS):
                raise Refused(errno.errorcode.get(error, "EIO"), os.strerror(error))
        except BaseException:
            sock.close()
            raise
        handle = self.adopt(sock)
        self.opened.add(sock.getsockname()[1])
        if request.get("timeout") == 0:
            return {"handle": handle.number, "port": sock.getsockname()[1], "connected": False}
        self.start(Connect(self, handle, request))
        return None

    def op_send(self, request: dict[str, object]) -> None:
        self.start(Send(self, self.handle(request), request))

    def op_receive(self, request: dict[str, object]) -> None:
        self.start(Receive(self, self.handle(request), request))

    def op_receive_urgent(self, request: dict[str, object]) -> None:
        self.start(ReceiveUrgent(self, self.handle(request), request))

    def op_urgent(self, request: dict[str, object]) -> None:
        self.start(Urgent(self, self.handle(request), request))

    def op_close(self, request: dict[str, object]) -> dict[str, object]:
        handle = self.handle(request)
        how = text(request, "how", "half-duplex")
        if how not in ("write", "half-duplex", "abort"):
            raise Refused("EINVAL", "how: write, half-duplex or abort")
        if how == "write" and not handle.listener:
            handle.sock.shutdown(socket.SHUT_WR)
        else:
            self.forget(handle, abort=how == "abort")
        return {}

    def op_set_option(self, request: dict[str, object]) -> dict[str, object]:
        set_option(self.handle(request).sock, text(request, "name"), request["value"])
        return {}

    def op_state(self, request: dict[str, object]) -> dict[str, object]:
        if self.diag is None:
            raise Refused("ENOSYS")
        return {"state": self.diag.state(endpoint(request, "local"), endpoint(request, "remote"))}

    def op_tcp_info(self, request: dict[str, object]) -> dict[str, object]:
        return tcp_info(self.handle(request).sock)

    def op_sysctl(self, request: dict[str, object]) -> dict[str, object]:
        name = text(request, "name")
        if not name.startswith("net.") or "/" in name or ".." in name:
            raise Refused("EINVAL", "only names under net.")
        path = SYSCTLS + "/" + name.replace(".", "/")
        if request.get("value") is None:
            return {"value": read_setting(path)}
        if os.stat(path).st_mode & 0o444:  # what can only be written is an order, and no setting
            self.found.setdefault(path, read_setting(path))
        with open(path, "w") as file:
            file.write(str(request["value"]))
        return {"value": read_setting(path) if path in self.found else ""}

    def op_forget(self, request: dict[str, object]) -> dict[str, object]:
        try:
            with open(SYSCTLS + "/net/ipv4/route/flush", "w") as file:
                file.write("1")
        finally:
            forget_peers()
        return {}

    def restore(self) -> None:
        """Set the sysctls as they were found."""
        for path, value in self.found.items():
            try:
                with open(path, "w") as file:
                    file.write(value)
            except OSError:  # gone with the interface that it was of
                pass

    def op_release(self, request: dict[str, object]) -> dict[str, object]:
        handles = list(self.handles.values()) if request.get("handle") is None else [self.handle(request)]
        for handle in handles:
            self.forget(handle, abort=True)
        return {}


def read_setting(path: str) -> str:
    with open(path) as file:
        return " ".join(file.read().split())


# ---------------------------------------------------------------- what Linux tells of a connection

# By number (linux/tcp_states.h); the last is a connection request, which a listener keeps apart.
# fmt: off
STATES = (
    "", "ESTABLISHED", "SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED",
    "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", "SYN-RECEIVED",
)
TCP_INFO = (
    "rto", "ato", "snd_mss", "rcv_mss", "unacked", "sacked", "lost", "retrans", "fackets",
    "last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv", "pmtu", "rcv_ssthresh",
    "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss", "reordering", "rcv_rtt", "rcv_space",
    "total_retrans",
)
# fmt: on


def state_name(number: int) -> str:
    return STATES[number] if 0 < number < len(STATES) else "unknown (%d)" % number


def tcp_info(sock: socket.socket) -> dict[str, object]:
    """Return struct tcp_info (linux/tcp.h) by the names of its fields."""
    raw = sock.getsockopt(TCP, socket.TCP_INFO, 256)
    info: dict[str, object] = {"state": state_name(raw[0])}
    info.update(zip(("ca_state", "retransmits", "probes", "backoff", "options"), raw[1:6]))
    info["snd_wscale"], info["rcv_wscale"] = raw[6] & 15, raw[6] >> 4
    count = min(len(TCP_INFO), (len(raw) - 8) // 4)
    info.update(zip(TCP_INFO, struct.unpack_from("=%dI" % count, raw, 8)))
    return info


class Diag:
    """Asks sock_diag(7) for the state of connections, by addresses and ports."""

    BY_FAMILY, DESTROY = 20, 21
    REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
    ERROR, DONE = 2, 3
    HEADER = struct.Struct("=IHHII")
    ANY_INTERFACE_NO_COOKIE = bytes(4) + b"\xff" * 8

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)  # NETLINK_SOCK_DIAG
        self.sequence = 0

    def ask(self, kind: int, flags: int, family: int, connection: bytes) -> Iterator[bytes]:
        """Yield the bodies of the replies; OSError if the kernel says so."""
        self.sequence += 1
        body = struct.pack("=BBBxI", family, TCP, 0, 0xFFFFFFFF) + connection
        header = self.HEADER.pack(16 + len(body), kind, self.REQUEST | flags, self.sequence, 0)
        self.sock.send(header + body)
        while True:
            replies, at = self.sock.recv(CHUNK), 0
            while at + 16 <= len(replies):
                length, reply, _, sequence, _ = self.HEADER.unpack_from(replies, at)
                content = replies[at + 16 : at + length]
                at += max(16, (length + 3) & ~3)
                if sequence != self.sequence:
                    continue
                if reply == self.DONE:
                    return
                if reply == self.ERROR:
                    code = -struct.unpack_from("=i", content)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                yield content
                if not flags & self.DUMP:
                    return

    def state(self, local: tuple[str, int], remote: tuple[str, int]) -> str:
        """Return the state of the connection; that of the listener if there is none."""
        family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
        addresses = [socket.inet_pton(family, end[0]).ljust(16, b"\0") for end in (local, remote)]
        connection = struct.pack("!HH", local[1], remote[1]) + b"".join(addresses)
        try:
            for reply in self.ask(self.BY_FAMILY, 0, family, connection + self.ANY_INTERFACE_NO_COOKIE):
                return state_name(reply[1])
        except FileNotFoundError:
            pass
        return "CLOSED"

    def destroy_all(self) -> None:
        """End what sockets long closed have left, which would keep a network namespace alive."""
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                for reply in list(self.ask(self.BY_FAMILY, self.DUMP, family, bytes(48))):
                    self.destroy(reply)
            except OSError:  # a kernel without it (CONFIG_INET_DIAG_DESTROY): they time out
                pass

    def destroy(self, reply: bytes) -> None:
        try:
            list(self.ask(self.DESTROY, self.ACK, reply[0], reply[4:52]))
        except FileNotFoundError:
            pass  # it ended by itself


def forget_peers() -> None:
    """Have Linux forget its tcp_metrics (generic netlink): cookies of Fast Open, round trips."""
    get_family, family_id, delete = 3, 1, 2
    name = b"tcp_metrics\0"
    asked = struct.pack("=BBxxHH", get_family, 1, 4 + len(name), 2) + name
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:  # NETLINK_GENERIC
        sock.send(Diag.HEADER.pack(16 + len(asked), 16, Diag.REQUEST, 1, 0) + asked)
        family, attributes = 0, answer(sock)[4:]
        while len(attributes) >= 4 and not family:
            length, kind = struct.unpack_from("=HH", attributes)
            family = struct.unpack_from("=H", attributes, 4)[0] if kind == family_id else 0
            attributes = attributes[max(4, (length + 3) & ~3) :]
        sock.send(Diag.HEADER.pack(20, family, Diag.REQUEST | Diag.ACK, 2, 0) + bytes([delete, 1, 0, 0]))
        answer(sock)


def answer(sock: socket.socket) -> bytes:
    """Return the body of a netlink message; OSError if the kernel says so."""
    reply = sock.recv(CHUNK)
    code = -struct.unpack_from("=i", reply, 16)[0] if Diag.HEADER.unpack_from(reply)[1] == Diag.ERROR else 0
    if code:
        raise OSError(code, os.strerror(code))
    return reply[16:]


def leave_with_parent() -> None:
    """Have Linux end this process with its parent (prctl(2)), should the end of stdin not do it."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    except Exception:
        pass


def main(private: bool = False) -> None:
    """Serve stdin and stdout; `private` as in Agent."""
    # Ctrl-C is the tester's, which then ends us by closing our stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if private:
        leave_with_parent()
    Agent(private=private).run()


if __name__ == "__main__":
    main()
