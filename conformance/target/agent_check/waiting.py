"""Checks of listeners and of requests that wait: no connection is made."""

import time
from itertools import pairwise

from conformance.target.agent_check.bench import Bench, demand, on_time, whole
from conformance.target.agent_check.catalogue import Catalogue

CATALOGUE = Catalogue()
check = CATALOGUE.check

_HIGHEST_PORT = 65535
_SHORT, _LONG = 0.2, 0.6
_DEFAULT = 1.0
_FOREIGN_PORT = 9


def listen(bench: Bench) -> tuple[int, int]:
    """Return a listener's handle and port."""
    ok = bench.ok("listen", family=bench.family, address=bench.address, port=0)
    handle, port = whole(ok, "handle"), whole(ok, "port")
    demand(0 < port <= _HIGHEST_PORT, f"listen on port 0 gave port {port}")
    return handle, port


@check("`port` 0 or absent: any that is free.")
def free_port(bench: Bench) -> None:
    _, first = listen(bench)
    ok = bench.ok("listen", family=bench.family, address=bench.address)
    demand(whole(ok, "port") not in (0, first), "two listeners have the same port, or none")


@check("A **handle** is a number that stands for a socket, and is not given out twice.")
def new_handles(bench: Bench) -> None:
    handles = []
    for _ in range(3):
        handles.append(listen(bench)[0])
        bench.ok("close", handle=handles[-1])
    demand(all(before != after for before, after in pairwise(handles)), f"given out twice: {handles}")
    bench.refused("EBADF", "accept", handle=handles[-1])


@check("the request's `timeout` passed")
def timeout_kept(bench: Bench) -> None:
    handle, _ = listen(bench)
    asked = time.monotonic()
    answer = bench.ask("accept", handle=handle, timeout=_SHORT)
    demand(answer.error == "ETIMEDOUT", f"accept gave {answer}, not ETIMEDOUT")
    on_time(answer, asked, _SHORT)


@check("`timeout` is in seconds from the arrival of the request, `null` for never; 1.0 if absent.")
def timeout_absent(bench: Bench) -> None:
    handle, _ = listen(bench)
    asked = time.monotonic()
    forever = bench.post("accept", handle=listen(bench)[0], timeout=None)
    answer = bench.ask("accept", handle=handle)
    demand(answer.error == "ETIMEDOUT", f"accept gave {answer}, not ETIMEDOUT")
    on_time(answer, asked, _DEFAULT)
    demand(forever not in bench.answers, "a request that may wait for ever was answered")


@check("any number of requests may be waiting at once, each with its own deadline")
def side_by_side(bench: Bench) -> None:
    handles = [listen(bench)[0] for _ in range(3)]
    asked = time.monotonic()
    slow = [bench.post("accept", handle=handle, timeout=_LONG) for handle in handles[:2]]
    fast = bench.post("accept", handle=handles[2], timeout=_SHORT)
    meanwhile = bench.answer(bench.post("hello"))
    on_time(bench.answer(fast), asked, _SHORT)
    for number in slow:
        on_time(bench.answer(number), asked, _LONG)
    places = [meanwhile.place, bench.answers[fast].place, min(bench.answers[number].place for number in slow)]
    demand(places == sorted(places), "a request that need not wait had to wait for another")


@check("the handle was closed or released while the request waited")
def canceled(bench: Bench) -> None:
    for op in ("release", "close"):
        handle, _ = listen(bench)
        waiting = bench.post("accept", handle=handle, timeout=None)
        bench.ok(op, handle=handle)
        answer = bench.answer(waiting)
        demand(answer.error == "ECANCELED", f"after {op}, accept gave {answer}, not ECANCELED")


@check("Without `handle`: all of them.")
def release_all(bench: Bench) -> None:
    handles = [listen(bench)[0] for _ in range(2)]
    waiting = bench.post("accept", handle=handles[0], timeout=None)
    bench.ok("release")
    demand(bench.answer(waiting).error == "ECANCELED", "a waiting accept was not canceled")
    for handle in handles:
        bench.refused("EBADF", "accept", handle=handle)


@check("A listener is closed by any of them.")
def listener_closed(bench: Bench) -> None:
    for how in ("write", "half-duplex", "abort"):
        handle, _ = listen(bench)
        bench.ok("close", handle=handle, how=how)
        bench.refused("EBADF", "accept", handle=handle)
    bench.refused("EINVAL", "close", handle=listen(bench)[0], how="gently")


def state(bench: Bench, port: int, remote: str, remote_port: int) -> object:
    return bench.ok("state", local=[bench.address, port], remote=[remote, remote_port]).get("state")


@check("`LISTEN` if somebody listens on the local socket, else `CLOSED`.", ops=("state",))
def state_of_listener(bench: Bench) -> None:
    handle, port = listen(bench)
    seen = state(bench, port, bench.address, _FOREIGN_PORT)
    demand(seen == "LISTEN", f"the state of a listener is {seen}")
    bench.ok("close", handle=handle)
    seen = state(bench, port, bench.address, _FOREIGN_PORT)
    demand(seen == "CLOSED", f"the state of a closed listener is {seen}")


def _begin(bench: Bench) -> tuple[int, int]:
    """Send a SYN that nobody answers; return handle and port."""
    family = 6 if ":" in bench.silent else 4
    ok = bench.ok("connect", family=family, address=bench.silent, port=_FOREIGN_PORT, timeout=0)
    demand(ok.get("connected") is False, f"connected is {ok.get('connected')}, not false")
    return whole(ok, "handle"), whole(ok, "port")


@check("`CLOSING`, `LAST-ACK`, `TIME-WAIT`, `CLOSED`.", ops=("state",), silence=True)
def state_of_opening(bench: Bench) -> None:
    handle, port = _begin(bench)
    seen = state(bench, port, bench.silent, _FOREIGN_PORT)
    demand(seen == "SYN-SENT", f"after a SYN that is not answered the state is {seen}")
    bench.ok("release", handle=handle)
    seen = state(bench, port, bench.silent, _FOREIGN_PORT)
    demand(seen == "CLOSED", f"after release the state is {seen}")


@check("the handle can be used at once, and `send` and `receive` on it wait for the connection", silence=True)
def opening_waits(bench: Bench) -> None:
    handle, _ = _begin(bench)
    asked = time.monotonic()
    answer = bench.ask("receive", handle=handle, count=1, timeout=_SHORT)
    demand(answer.error == "ETIMEDOUT", f"receive gave {answer}, not ETIMEDOUT")
    on_time(answer, asked, _SHORT)
    waiting = bench.post("receive", handle=handle, count=1, timeout=None)
    bench.ok("close", handle=handle, how="abort")
    demand(bench.answer(waiting).error == "ECANCELED", "a waiting receive was not canceled")


@check("if it fails or time runs out, the reply is the error", silence=True)
def opening_times_out(bench: Bench) -> None:
    family = 6 if ":" in bench.silent else 4
    asked = time.monotonic()
    answer = bench.ask(
        "connect", family=family, address=bench.silent, port=_FOREIGN_PORT, timeout=_SHORT, options={}
    )
    demand(answer.error == "ETIMEDOUT", f"connect gave {answer}, not ETIMEDOUT")
    on_time(answer, asked, _SHORT)
