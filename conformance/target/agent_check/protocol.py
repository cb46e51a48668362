"""Checks that need nothing but the pipe."""

import base64
import os
import signal

from conformance.target.agent_check.bench import MUST_HAVE, Bench, demand
from conformance.target.agent_check.catalogue import Catalogue
from conformance.target.agent_check.pipe import Gone

CATALOGUE = Catalogue()
check = CATALOGUE.check

_VERSION = 1
_NO_HANDLE = 999_999_999
_LONG_LINE = 3 << 20
_UNREAD = 20_000
_END_TIMEOUT = 3.0


@check("Must be there, as must `listen`, `accept`, `connect`, `send`, `receive`, `close`, `release`.")
def hello(bench: Bench) -> None:
    ok = bench.ok("hello")
    demand(ok.get("agent") == _VERSION, f"agent is {ok.get('agent')}, not {_VERSION}")
    system, ops, probes = ok.get("system"), ok.get("ops"), ok.get("probes")
    demand(isinstance(system, str) and "\n" not in system, f"system is not one line: {system!r}")
    for name, value in (("ops", ops), ("probes", probes)):
        good = isinstance(value, list) and all(isinstance(item, str) for item in value)
        demand(good, f"{name} is not a list of names: {value!r}")
    missing = [op for op in MUST_HAVE if not isinstance(ops, list) or op not in ops]
    demand(not missing, f"not offered: {', '.join(missing)}")


@check("Empty lines are ignored.")
def empty_lines(bench: Bench) -> None:
    bench.write_line(b"\n")
    bench.ok("hello")
    demand(not bench.unaddressed, "an empty line was answered")


@check("JSON (RFC 8259), UTF-8, one message a line, ended by a line feed.")
def lines_in_pieces(bench: Bench) -> None:
    bench.ok("hello")  # so that it reads each piece by itself
    bench.asked |= {71, 72}
    bench.pipe.write(b'{"id": 71, "op": "hel', bench.patience)
    bench.quiet(0.1)
    bench.pipe.write(b'lo"}\n{"id": 72, "op": "hello", "x": "\xc3\xa9"}\n', bench.patience)
    for number in (71, 72):
        demand(not bench.answer(number).error, f"request {number} failed")


@check("A request is an object with `id` (a number; the reply repeats it)")
def identifiers(bench: Bench) -> None:
    for number in (-1, 0, 1 << 40):
        bench.write({"id": number, "op": "hello"})
        demand(not bench.answer(number).error, f"hello with id {number} failed")


@check("the line was no request; `id` is `null`, unless it could be read")
def no_request(bench: Bench) -> None:
    for line in (b"nonsense", b"[1]", b'"hello"', b'{"op": "hello"}', b"\xff\xfe", b'{"id": 1,'):
        bench.write_line(line)
        answer = bench.next_unaddressed()
        demand(answer.error == "EPROTO", f"{line!r} was answered with {answer}, not EPROTO")
    bench.write({"id": 71})
    demand(bench.answer(71).error == "EPROTO", f"a request without op was answered with {bench.answer(71)}")
    bench.ok("hello")


@check("no such operation")
def unknown_operation(bench: Bench) -> None:
    bench.refused("ENOSYS", "fly")


@check("Unknown arguments are ignored.")
def unknown_arguments(bench: Bench) -> None:
    bench.ok("hello", colour="green", deep={"list": [1, None, {}]})


@check("an argument is missing or wrong")
def wrong_arguments(bench: Bench) -> None:
    bench.refused("EINVAL", "accept")
    bench.refused("EINVAL", "receive", handle="one", count=1)
    bench.refused("EINVAL", "listen", family=4, address=7)
    bench.refused("EINVAL", "connect", family=4, address=bench.address, port=1, timeout="soon")


@check("no such handle")
def no_handle(bench: Bench) -> None:
    data = base64.b64encode(b"data").decode()
    for op, arguments in (
        ("accept", {}),
        ("send", {"data": data}),
        ("receive", {"count": 1}),
        ("close", {"how": "abort"}),
        ("release", {}),
    ):
        bench.refused("EBADF", op, handle=_NO_HANDLE, **arguments)


@check("Be ready for lines of several megabytes.")
def long_line(bench: Bench) -> None:
    data = base64.b64encode(bytes(_LONG_LINE)).decode()
    bench.refused("EBADF", "send", handle=_NO_HANDLE, data=data)


@check("it goes on reading requests while replies cannot be written")
def replies_not_read(bench: Bench) -> None:
    numbers = range(1, _UNREAD + 1)
    bench.asked |= {*numbers}
    requests = b"".join(b'{"id": %d, "op": "hello"}\n' % number for number in numbers)
    try:
        taken = bench.pipe.write(requests, bench.patience, reading=False)
    except Gone:
        bench.mourn()
    demand(taken, "it stopped reading when its output was full")
    for number in numbers:
        bench.answer(number)


@check("It ignores SIGINT")
def interrupt(bench: Bench) -> None:
    bench.ok("hello")  # so that it has come as far as to ignore it
    os.kill(bench.pipe.pid, signal.SIGINT)
    bench.ok("hello")


@check("The end of stdin is the end: the agent aborts what it has open and exits with 0.")
def end_of_input(bench: Bench) -> None:
    bench.ok("hello")
    bench.pipe.end_input()
    code = bench.pipe.wait(_END_TIMEOUT)
    demand(code is not None, f"it still runs {_END_TIMEOUT:g} s after the end of its input")
    demand(code == 0, f"it ended with exit code {code}: {bench.pipe.words()}")


@check("a kernel parameter under `net.`", ops=("sysctl",))
def foreign_parameter(bench: Bench) -> None:
    bench.refused("EINVAL", "sysctl", name="kernel.hostname")
