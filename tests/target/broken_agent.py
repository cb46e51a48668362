"""Our agent with one defect, named by the first argument: each is what one check is there to find."""

import base64
import itertools
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from conformance.target import agent
from conformance.target.agent import Accept, Agent, Handle, Receive

Message = dict[str, Any]
DEFECTS: dict[str, Callable[[], None]] = {}


def defect(function: Callable[[], None]) -> Callable[[], None]:
    DEFECTS[function.__name__.replace("_", "-")] = function
    return function


def change_replies(change: Callable[[Message], object]) -> None:
    """Have every reply changed before it is written."""
    write = Agent.write

    def changed(self: Agent, message: Message) -> None:
        change(message)
        write(self, message)

    Agent.write = changed  # type: ignore[method-assign]


def rename_error(name: str, other: str) -> None:
    change_replies(lambda message: message.get("error") == name and message.update(error=other))


def replace(name: str, function: object, owner: type = Agent) -> None:
    setattr(owner, name, function)


def read_with(serve: Callable[[Agent, bytes], None]) -> None:
    """Have what is read served by `serve`, chunk by chunk."""

    def read(self: Agent) -> bool:
        octets = os.read(self.source, agent.CHUNK)
        serve(self, octets)
        return bool(octets)

    replace("read", read)


# -- the protocol


@defect
def hello() -> None:
    change_replies(lambda message: message["ok"]["ops"].remove("release"))


@defect
def empty_lines() -> None:
    read_with(lambda self, octets: [self.serve(line) for line in octets.split(b"\n")[:-1]] and None)


@defect
def lines_in_pieces() -> None:
    read_with(lambda self, octets: [self.serve(line) for line in octets.split(b"\n") if line] and None)


@defect
def identifiers() -> None:
    change_replies(lambda message: message.update(id=message["id"] % 65536))


@defect
def no_request() -> None:
    rename_error("EPROTO", "EINVAL")


@defect
def unknown_operation() -> None:
    rename_error("ENOSYS", "EINVAL")


@defect
def unknown_arguments() -> None:
    serve = Agent.serve
    replace("serve", lambda self, line: serve(self, b"strange" if b"colour" in line else line))


@defect
def wrong_arguments() -> None:
    rename_error("EINVAL", "EIO")


@defect
def no_handle() -> None:
    rename_error("EBADF", "ENOTSOCK")


@defect
def long_line() -> None:
    agent.LONGEST_LINE = 1 << 20


@defect
def replies_not_read() -> None:
    flush = Agent.flush

    def blocking(self: Agent) -> bool:
        os.set_blocking(self.sink, True)
        return flush(self)

    replace("flush", blocking)


@defect
def interrupt() -> None:
    signal.signal = lambda number, handler: None  # type: ignore[assignment]


@defect
def end_of_input() -> None:
    run = Agent.run

    def failing(self: Agent) -> None:
        run(self)
        sys.exit(1)

    replace("run", failing)


@defect
def foreign_parameter() -> None:
    replace("op_sysctl", lambda self, request: {"value": "secret"})


# -- listeners, and what waits


@defect
def free_port() -> None:
    change_replies(lambda message: "port" in message.get("ok", {}) and message["ok"].update(port=0))


@defect
def new_handles() -> None:
    start = Agent.__init__

    def forgetful(self: Agent, *arguments: int, private: bool = False) -> None:
        start(self, *arguments, private=private)
        self.numbers = itertools.repeat(1)  # type: ignore[assignment]

    replace("__init__", forgetful)


@defect
def timeout_kept() -> None:
    agent.deadline = lambda request: time.monotonic() + request["timeout"] / 2  # type: ignore[operator,assignment]


@defect
def timeout_absent() -> None:
    agent.DEFAULT_TIMEOUT = 0.1


@defect
def side_by_side() -> None:
    start = Agent.start

    def blocking(self: Agent, operation: agent.Operation) -> None:
        time.sleep(0.7)
        start(self, operation)

    replace("start", blocking)


@defect
def canceled() -> None:
    rename_error("ECANCELED", "EBADF")


@defect
def release_all() -> None:
    release = Agent.op_release
    replace("op_release", lambda self, request: release(self, request) if "handle" in request else {})


@defect
def listener_closed() -> None:
    close = Agent.op_close
    replace("op_close", lambda self, request: {} if request.get("how") == "write" else close(self, request))


@defect
def state_of_listener() -> None:
    replace("op_state", lambda self, request: {"state": "CLOSED"})


def no_syn(answer: Message) -> None:
    """Have connect make a socket, and answer without a SYN."""

    def connect(self: Agent, request: Message) -> Message:
        return {"handle": self.adopt(self.open(request)).number, "port": 1, **answer}

    replace("op_connect", connect)


@defect
def state_of_opening() -> None:
    no_syn({"connected": False})


@defect
def opening_waits() -> None:
    no_syn({"connected": False})


@defect
def opening_times_out() -> None:
    no_syn({"connected": True})


# -- connections


@defect
def established() -> None:
    change_replies(lambda message: "connected" in message["ok"] and message["ok"].update(connected=False))


@defect
def accepted_in_order() -> None:
    def last(self: Accept) -> Message | None:
        pile = self.agent.__dict__.setdefault("pile", [])
        while True:
            try:
                pile.append(self.handle.sock.accept())
            except BlockingIOError:
                break
        if not pile:
            return None
        sock, peer = pile.pop()
        return {"handle": self.agent.adopt(sock).number, "peer": list(peer[:2])}

    replace("attempt", last, Accept)


@defect
def connect_at_once() -> None:
    change_replies(lambda message: "connected" in message["ok"] and message["ok"].update(connected=True))


@defect
def refused() -> None:
    rename_error("ECONNREFUSED", "ECONNRESET")


@defect
def data() -> None:
    attempt = Receive.attempt
    replace("attempt", lambda self: attempt(self) or (self.answer(False) if self.data else None), Receive)


@defect
def pattern_sent() -> None:
    agent.PERIOD = 256


@defect
def much_data() -> None:
    answer = Receive.answer

    def cut(self: Receive, eof: bool) -> Message:
        del self.data[1 << 20 :]
        return dict(answer(self, eof))

    replace("answer", cut, Receive)


@defect
def receive_times_out() -> None:
    replace("expire", lambda self: self.answer(eof=True), Receive)


@defect
def peek() -> None:
    serve = Agent.serve
    replace("serve", lambda self, line: serve(self, line.replace(b'"peek"', b'"look"')))


@defect
def urgent_mode() -> None:
    replace("attempt", lambda self: {"urgent": True}, agent.Urgent)


@defect
def urgent_octet() -> None:
    """Takes the octet, and gives it again."""

    def attempt(self: agent.ReceiveUrgent) -> Message | None:
        octet = self.handle.out_of_band(agent.socket.MSG_PEEK)
        return None if octet is None else {"data": base64.b64encode(octet).decode(), "eof": not octet}

    replace("attempt", attempt, agent.ReceiveUrgent)


@defect
def urgent_octet_inline() -> None:
    replace("inline", lambda self: False, Handle)


@defect
def urgent_mode_out_of_band() -> None:
    """Looks at what has come, and not at what has been taken."""

    def look(self: agent.Urgent) -> Message:
        return {"urgent": bool(self.handle.sock.recv(1, agent.socket.MSG_PEEK))}

    replace("look", look, agent.Urgent)


@defect
def receives_in_order() -> None:
    def start(self: Agent, operation: agent.Operation) -> None:
        operation.handle.waiting[operation.event].insert(0, operation)
        self.progress(operation.handle, operation.event)

    replace("start", start)


@defect
def window_kept_closed() -> None:
    adopt = Agent.adopt

    def greedy(self: Agent, sock: agent.socket.socket, listener: bool = False) -> Handle:
        def drain() -> None:
            while select.select([sock], [], []):
                sock.recv(agent.CHUNK)

        if not listener:
            threading.Thread(target=drain, daemon=True).start()
        return adopt(self, sock, listener)

    replace("adopt", greedy)


@defect
def send_times_out() -> None:
    replace("expire", lambda self: {"count": self.count + len(self.left)}, agent.Send)


@defect
def close_write() -> None:
    close = Agent.op_close
    replace("op_close", lambda self, request: close(self, {**request, "how": "half-duplex"}))


@defect
def close_half_duplex() -> None:
    close = Agent.op_close
    replace("op_close", lambda self, request: close(self, {**request, "how": "abort"}))


@defect
def abort() -> None:
    forget = Agent.forget
    replace("forget", lambda self, handle, abort=False: forget(self, handle, abort=False))


@defect
def release() -> None:
    abort()


@defect
def states() -> None:
    replace("op_state", lambda self, request: {"state": "ESTABLISHED"})


@defect
def options() -> None:
    replace("op_set_option", lambda self, request: {})


@defect
def tcp_info() -> None:
    replace("op_tcp_info", lambda self, request: {"rto": 200000})


# -- replies that are none


@defect
def noise() -> None:
    print("Welcome!", flush=True)


@defect
def two_replies() -> None:
    write = Agent.write
    replace("write", lambda self, message: (write(self, message), write(self, message)))


@defect
def unasked() -> None:
    write = Agent.write
    replace("write", lambda self, message: (write(self, message), write(self, {"id": 99, "ok": {}})))


@defect
def both_ok_and_error() -> None:
    change_replies(lambda message: message.update(error="EIO"))


@defect
def neither_ok_nor_error() -> None:
    change_replies(lambda message: message.pop("ok"))


@defect
def no_errno() -> None:
    change_replies(lambda message: message.update(error=message.pop("ok") and "EVERYTHING"))


@defect
def no_identifier() -> None:
    change_replies(lambda message: message.pop("id"))


@defect
def identifier_as_text() -> None:
    change_replies(lambda message: message.update(id=str(message["id"])))


if __name__ == "__main__":
    DEFECTS[sys.argv[1]]()
    agent.main()
