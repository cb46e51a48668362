"""Checks with a connection of the agent with itself."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from conformance.model.payload import pattern
from conformance.target.agent_check.bench import Bench, Violation, demand, on_time, whole
from conformance.target.agent_check.catalogue import Catalogue
from conformance.target.agent_check.waiting import listen, state

CATALOGUE = Catalogue(loopback=True)
check = CATALOGUE.check

_SHORT = 0.2
_A_WHILE = 0.1
_MUCH = 4 << 20
_TOO_MUCH = 64 << 20
"""Octets that no stack holds for an application that does not read."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two handles of one connection: `near` was accepted, `far` connected."""

    listener: int
    near: int
    far: int
    near_port: int
    far_port: int


def connect(bench: Bench) -> Pair:
    listener, port = listen(bench)
    far = bench.ok("connect", family=bench.family, address=bench.address, port=port, timeout=bench.patience)
    demand(far.get("connected") is True, f"connected is {far.get('connected')}, not true")
    near = bench.ok("accept", handle=listener, timeout=bench.patience)
    _demand_peer(near.get("peer"), bench.address, whole(far, "port"))
    return Pair(listener, whole(near, "handle"), whole(far, "handle"), port, whole(far, "port"))


def _demand_peer(peer: object, address: str, port: int) -> None:
    otherwise = f"peer is {peer}, not {[address, port]}"
    demand(isinstance(peer, list) and len(peer) == 2 and peer[1] == port, otherwise)
    try:
        same = isinstance(peer, list) and ip_address(peer[0]) == ip_address(address)
    except ValueError:
        same = False
    demand(same, otherwise)


def send(bench: Bench, handle: int, octets: bytes) -> None:
    data = base64.b64encode(octets).decode()
    count = bench.ok("send", handle=handle, data=data).get("count")
    demand(count == len(octets), f"send of {len(octets)} octets gave count {count}")


def receive(bench: Bench, handle: int, count: int, expected: bytes, *, eof: bool = False) -> None:
    """Demand that so many octets are received, and that these are they."""
    _demand_data(bench.ok("receive", handle=handle, count=count, timeout=bench.patience), expected, eof)


def _demand_data(ok: Mapping[str, object], expected: bytes, eof: bool = False) -> None:
    try:
        octets = base64.b64decode(str(ok.get("data")), validate=True)
    except ValueError:
        raise Violation(f"data is not base64: {str(ok.get('data'))[:60]}") from None
    demand(octets == expected, f"received {_brief(octets)}, not {_brief(expected)}")
    demand(ok.get("eof") is eof, f"eof is {ok.get('eof')}, not {eof}")


def _brief(octets: bytes) -> str:
    return repr(octets) if len(octets) <= 32 else f"{len(octets)} octets, {octets[:16]!r}..."


# -- OPEN


@check("the reply comes when the connection is established")
def established(bench: Bench) -> None:
    connect(bench)


@check("The connection that has been established longest.")
def accepted_in_order(bench: Bench) -> None:
    listener, port = listen(bench)
    for _ in range(3):
        far = bench.ok("connect", family=bench.family, address=bench.address, port=port)
        near = bench.ok("accept", handle=listener)
        _demand_peer(near.get("peer"), bench.address, whole(far, "port"))
    ports = []
    for _ in range(2):
        far = bench.ok("connect", family=bench.family, address=bench.address, port=port)
        ports.append(whole(far, "port"))
    for far_port in ports:
        _demand_peer(bench.ok("accept", handle=listener).get("peer"), bench.address, far_port)


@check("With `timeout` 0 the reply comes as soon as the SYN is on its way, with `connected` false;")
def connect_at_once(bench: Bench) -> None:
    listener, port = listen(bench)
    far = bench.ok("connect", family=bench.family, address=bench.address, port=port, timeout=0)
    demand(far.get("connected") is False, f"connected is {far.get('connected')}, not false")
    send(bench, whole(far, "handle"), b"early")
    near = bench.ok("accept", handle=listener, timeout=bench.patience)
    receive(bench, whole(near, "handle"), 5, b"early")


@check("what the system said: `ECONNREFUSED`, `ECONNRESET`, `EPIPE`, `ENOTCONN`, ...")
def refused(bench: Bench) -> None:
    listener, port = listen(bench)
    bench.ok("close", handle=listener)
    where = {"family": bench.family, "address": bench.address, "port": port}
    bench.refused("ECONNREFUSED", "connect", **where)
    handle = whole(bench.ok("connect", **where, timeout=0), "handle")
    bench.refused("ECONNREFUSED", "receive", handle=handle, count=1)


# -- SEND and RECEIVE


@check("The reply comes when `count` octets are there")
def data(bench: Bench) -> None:
    pair = connect(bench)
    waiting = bench.post("receive", handle=pair.near, count=5, timeout=bench.patience)
    send(bench, pair.far, b"abc")
    bench.quiet(_A_WHILE)
    send(bench, pair.far, bytes(range(200, 210)))
    answer = bench.answer(waiting)
    _demand_data(answer.ok, b"abc" + bytes(range(200, 202)))
    receive(bench, pair.near, 8, bytes(range(202, 210)))
    send(bench, pair.near, b"back")
    receive(bench, pair.far, 4, b"back")


@check("the octet at place *i* of the stream is (*i* + `key`) modulo 251")
def pattern_sent(bench: Bench) -> None:
    pair = connect(bench)
    size, offset, key = 1000, 7, 300
    ok = bench.ok("send", handle=pair.near, size=size, offset=offset, key=key)
    demand(ok.get("count") == size, f"count is {ok.get('count')}, not {size}")
    receive(bench, pair.far, size, pattern(offset, size, key))
    bench.ok("send", handle=pair.near, size=10)
    receive(bench, pair.far, 10, pattern(0, 10, 0))


@check("A line may be long: a reply to `receive` holds its data.")
def much_data(bench: Bench) -> None:
    pair = connect(bench)
    sending = bench.post("send", handle=pair.far, size=_MUCH, timeout=bench.patience)
    ok = bench.ok("receive", handle=pair.near, count=_MUCH, timeout=bench.patience)
    _demand_data(ok, pattern(0, _MUCH, 0))
    demand(bench.answer(sending).ok.get("count") == _MUCH, "not all was sent")


@check("or when time runs out (`data` what has come; error")
def receive_times_out(bench: Bench) -> None:
    pair = connect(bench)
    asked = time.monotonic()
    answer = bench.ask("receive", handle=pair.near, count=9, timeout=_SHORT)
    demand(answer.error == "ETIMEDOUT", f"receive gave {answer}, not ETIMEDOUT")
    on_time(answer, asked, _SHORT)
    send(bench, pair.far, b"part")
    asked = time.monotonic()
    answer = bench.ask("receive", handle=pair.near, count=9, timeout=_SHORT)
    _demand_data(answer.ok, b"part")
    on_time(answer, asked, _SHORT)


@check("With `peek` the data stays.")
def peek(bench: Bench) -> None:
    pair = connect(bench)
    send(bench, pair.far, b"stays")
    for _ in range(2):
        _demand_data(bench.ok("receive", handle=pair.near, count=5, peek=True), b"stays")
    receive(bench, pair.near, 5, b"stays")


@check("are served\nin the order in which they came.")
def receives_in_order(bench: Bench) -> None:
    pair = connect(bench)
    numbers = [bench.post("receive", handle=pair.near, count=3, timeout=bench.patience) for _ in range(3)]
    send(bench, pair.far, b"abcdefghi")
    for number, expected in zip(numbers, (b"abc", b"def", b"ghi"), strict=True):
        _demand_data(bench.answer(number).ok, expected)


@check("The agent takes from the stack no more than was asked for")
def window_kept_closed(bench: Bench) -> None:
    pair = connect(bench)
    waiting = bench.post("receive", handle=pair.near, count=1, timeout=bench.patience)
    until, taken, count = time.monotonic() + bench.patience, 0, 1
    while count and time.monotonic() < until:
        ok = bench.ok("send", handle=pair.far, size=_MUCH, timeout=_SHORT)
        count = whole(ok, "count")
        taken += count
    demand(count == 0, f"{taken} octets were taken, and ever more, while nobody received more than one")
    _demand_data(bench.answer(waiting).ok, b"\0")


@check("if time runs out before, `count` says how much it took")
def send_times_out(bench: Bench) -> None:
    pair = connect(bench)
    asked = time.monotonic()
    answer = bench.ask("send", handle=pair.far, size=_TOO_MUCH, timeout=_SHORT)
    on_time(answer, asked, _SHORT)
    count = whole(answer.ok, "count")
    demand(0 < count < _TOO_MUCH, f"{count} of {_TOO_MUCH} octets were taken while nobody received any")
    receive(bench, pair.near, 10, pattern(0, 10, 0))


@check("The reply comes as soon as that is so (`urgent` true)", ops=("urgent", "set_option"))
def urgent_mode(bench: Bench) -> None:
    pair = connect(bench)
    bench.ok("set_option", handle=pair.near, name="oob_inline", value="on")
    _demand_mode(bench.ok("urgent", handle=pair.near, timeout=0), urgent=False)
    waiting = bench.post("urgent", handle=pair.near, timeout=bench.patience)
    send(bench, pair.far, b"calm")
    bench.quiet(_A_WHILE)
    bench.ok("send", handle=pair.far, data=base64.b64encode(b"stop").decode(), urgent=True)
    _demand_mode(bench.answer(waiting).ok, urgent=True)
    receive(bench, pair.near, 7, b"calmsto")
    _demand_mode(bench.ok("urgent", handle=pair.near, timeout=0), urgent=True)
    receive(bench, pair.near, 1, b"p")
    asked = time.monotonic()
    answer = bench.ask("urgent", handle=pair.near, timeout=_SHORT)
    _demand_mode(answer.ok, urgent=False)
    on_time(answer, asked, _SHORT)


@check("The reply comes when that octet is there, and takes it", ops=("receive_urgent", "set_option"))
def urgent_octet(bench: Bench) -> None:
    pair = connect(bench)
    bench.ok("set_option", handle=pair.near, name="oob_inline", value="off")
    waiting = bench.post("receive_urgent", handle=pair.near, timeout=bench.patience)
    send(bench, pair.far, b"calm")
    bench.quiet(_A_WHILE)
    bench.ok("send", handle=pair.far, data=base64.b64encode(b"stop").decode(), urgent=True)
    _demand_data(bench.answer(waiting).ok, b"p")
    asked = time.monotonic()
    answer = bench.ask("receive_urgent", handle=pair.near, timeout=_SHORT)
    demand(answer.error == "ETIMEDOUT", f"receive_urgent gave {answer}, not ETIMEDOUT")
    on_time(answer, asked, _SHORT)
    send(bench, pair.far, b", go")
    receive(bench, pair.near, 11, b"calmsto, go")


@check("With `oob_inline` on: `EINVAL`.", ops=("receive_urgent", "set_option"))
def urgent_octet_inline(bench: Bench) -> None:
    pair = connect(bench)
    bench.ok("set_option", handle=pair.near, name="oob_inline", value="on")
    bench.ok("send", handle=pair.far, data=base64.b64encode(b"stop").decode(), urgent=True)
    receive(bench, pair.near, 4, b"stop")
    bench.refused("EINVAL", "receive_urgent", handle=pair.near)


@check("has not taken yet, or `receive_urgent`.", ops=("urgent", "receive_urgent", "set_option"))
def urgent_mode_out_of_band(bench: Bench) -> None:
    pair = connect(bench)
    bench.ok("set_option", handle=pair.near, name="oob_inline", value="off")
    _demand_mode(bench.ok("urgent", handle=pair.near, timeout=0), urgent=False)
    waiting = bench.post("urgent", handle=pair.near, timeout=bench.patience)
    bench.ok("send", handle=pair.far, data=base64.b64encode(b"stop").decode(), urgent=True)
    _demand_mode(bench.answer(waiting).ok, urgent=True)
    _demand_mode(bench.ok("urgent", handle=pair.near, timeout=0), urgent=True)
    _demand_data(bench.ok("receive_urgent", handle=pair.near, timeout=bench.patience), b"p")
    _demand_mode(bench.ok("urgent", handle=pair.near, timeout=0), urgent=False)


def _demand_mode(ok: Mapping[str, object], *, urgent: bool) -> None:
    demand(ok.get("urgent") is urgent, f"urgent is {ok.get('urgent')}, not {urgent}")


# -- CLOSE and ABORT


@check("no more to send, but may still receive (`shutdown(SHUT_WR)`): the RFC's CLOSE.")
def close_write(bench: Bench) -> None:
    pair = connect(bench)
    send(bench, pair.near, b"last")
    bench.ok("close", handle=pair.near, how="write")
    receive(bench, pair.far, 9, b"last", eof=True)
    send(bench, pair.far, b"still")
    receive(bench, pair.near, 5, b"still")
    answer = bench.ask("send", handle=pair.near, size=1)
    demand(answer.error != "", "a send after close `write` succeeded")
    bench.ok("close", handle=pair.far, how="write")
    receive(bench, pair.near, 1, b"", eof=True)


@check("neither send nor receive any more (`close()`). The handle goes. The default.")
def close_half_duplex(bench: Bench) -> None:
    pair = connect(bench)
    waiting = bench.post("receive", handle=pair.near, count=1, timeout=None)
    bench.ok("close", handle=pair.near)
    demand(bench.answer(waiting).error == "ECANCELED", "a waiting receive was not canceled")
    receive(bench, pair.far, 1, b"", eof=True)
    bench.refused("EBADF", "receive", handle=pair.near, count=1)


@check("An error of the connection comes after the data before it")
def abort(bench: Bench) -> None:
    pair = connect(bench)
    send(bench, pair.near, b"data")
    bench.ok("receive", handle=pair.far, count=4, peek=True)
    bench.ok("close", handle=pair.near, how="abort")
    receive(bench, pair.far, 4, b"data")
    bench.refused("ECONNRESET", "receive", handle=pair.far, count=1)
    bench.refused("EBADF", "receive", handle=pair.near, count=1)


@check("abort and forget one handle.")
def release(bench: Bench) -> None:
    pair = connect(bench)
    waiting = bench.post("receive", handle=pair.far, count=1, timeout=bench.patience)
    bench.ok("release", handle=pair.near)
    demand(bench.answer(waiting).error == "ECONNRESET", "the other end was not reset")
    bench.refused("EBADF", "send", handle=pair.near, size=1)


# -- the rest


@check("the target's own word for the connection between\nthese sockets", ops=("state",))
def states(bench: Bench) -> None:
    pair = connect(bench)

    def demand_state(first: int, second: int, *expected: str) -> None:
        seen = state(bench, first, bench.address, second)
        demand(seen in expected, f"the state is {seen}, not {' or '.join(expected)}")

    demand_state(pair.near_port, pair.far_port, "ESTABLISHED")
    demand_state(pair.far_port, pair.near_port, "ESTABLISHED")
    bench.ok("close", handle=pair.near, how="write")
    receive(bench, pair.far, 1, b"", eof=True)
    demand_state(pair.near_port, pair.far_port, "FIN-WAIT-1", "FIN-WAIT-2")  # the ACK may be delayed
    demand_state(pair.far_port, pair.near_port, "CLOSE-WAIT")
    bench.ok("close", handle=pair.far)
    receive(bench, pair.near, 1, b"", eof=True)
    demand_state(pair.near_port, pair.far_port, "TIME-WAIT")


@check("An option that the system\nlacks: `ENOPROTOOPT`.", ops=("set_option",))
def options(bench: Bench) -> None:
    pair = connect(bench)
    bench.refused("ENOPROTOOPT", "set_option", handle=pair.near, name="colour", value=1)
    for value in ("on", 0):
        answer = bench.ask("set_option", handle=pair.near, name="nodelay", value=value)
        demand(answer.error in ("", "ENOPROTOOPT"), f"nodelay {value!r} gave {answer}")


@check("what the stack tells of the connection: `state`", ops=("tcp_info",))
def tcp_info(bench: Bench) -> None:
    pair = connect(bench)
    seen = bench.ok("tcp_info", handle=pair.near).get("state")
    demand(seen == "ESTABLISHED", f"state is {seen}, not ESTABLISHED")
