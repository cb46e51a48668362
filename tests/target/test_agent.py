"""The agent's protocol, between two agents' sockets on the loopback interface."""

import base64
import json
import os
import platform
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.model.flow import Died, Event, Reply
from conformance.model.payload import pattern
from conformance.target import agent
from conformance.target.agent_client import BOOTSTRAP, AgentClient, agent_parcel
from conformance.target.base import TargetError

LOOPBACK = "127.0.0.1"
COMMAND = [sys.executable, "-I", "-S", str(Path(agent.__file__))]
PIPED = [sys.executable, "-I", "-S", "-c", BOOTSTRAP]


@pytest.fixture
def client() -> Iterator[AgentClient]:
    started = AgentClient(COMMAND)
    yield started
    started.close()


def gather(client: AgentClient, count: int, seconds: float = 30.0) -> list[Event]:
    """Return the next `count` events, in the order of their coming."""
    events = client.events()
    end = time.monotonic() + seconds
    while len(events) < count:
        left = end - time.monotonic()
        assert left > 0, events
        select.select(client.filenos(), [], [], left)
        events += client.events()
    return events


def ask(client: AgentClient, op: str, **arguments: object) -> dict[str, object]:
    reply = client.call(op, arguments)
    assert not reply.error, reply
    return dict(reply.ok)


def pair(client: AgentClient) -> tuple[int, int, int, int]:
    """Return connected handles (server, client) and their ports."""
    listener = ask(client, "listen", family=4, address=LOOPBACK)
    far = ask(client, "connect", family=4, address=LOOPBACK, port=listener["port"])
    assert far["connected"] is True
    near = ask(client, "accept", handle=listener["handle"])
    assert near["peer"] == [LOOPBACK, far["port"]]
    values = (near["handle"], far["handle"], listener["port"], far["port"])
    numbers = [value for value in values if isinstance(value, int)]
    return numbers[0], numbers[1], numbers[2], numbers[3]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("command", [COMMAND, PIPED], ids=["file", "pipe"])
def test_hello(command: list[str]) -> None:
    client = AgentClient(command, agent_parcel() if command is PIPED else b"")
    hello = ask(client, "hello")
    client.close()
    assert hello["agent"] == 1
    ops = hello["ops"]
    assert isinstance(ops, list)
    assert {"listen", "accept", "connect", "send", "receive", "close", "release"} <= set(ops)


def test_the_kernel_is_known_of_whatever_has_an_agent(client: AgentClient) -> None:
    facts = client.facts("mine", {}, {"container": "small"})
    assert facts.details == {"kernel": platform.release(), "container": "small"}


def test_data_both_ways_then_end(client: AgentClient) -> None:
    near, far, _, _ = pair(client)
    assert ask(client, "send", handle=near, data=b64(b"hello")) == {"count": 5}
    assert ask(client, "receive", handle=far, count=5, peek=True) == {"data": b64(b"hello"), "eof": False}
    assert ask(client, "receive", handle=far, count=2) == {"data": b64(b"he"), "eof": False}
    assert ask(client, "close", handle=near, how="write") == {}
    assert ask(client, "receive", handle=far, count=9) == {"data": b64(b"llo"), "eof": True}
    assert ask(client, "send", handle=far, size=300, offset=7, key=3) == {"count": 300}
    assert ask(client, "receive", handle=near, count=300)["data"] == b64(pattern(7, 300, 3))


def test_requests_wait_side_by_side(client: AgentClient) -> None:
    near, far, _, _ = pair(client)
    client.request(1, "receive", {"handle": far, "count": 3, "timeout": 5})
    client.request(2, "receive", {"handle": far, "count": 3, "timeout": 5})
    client.request(3, "receive", {"handle": near, "count": 1, "timeout": 0.01})
    client.request(4, "send", {"handle": near, "data": b64(b"abcdef")})
    replies = {event.id: event for event in gather(client, 4) if isinstance(event, Reply)}
    assert replies[1].ok["data"] == b64(b"abc")
    assert replies[2].ok["data"] == b64(b"def")
    assert replies[3].error == "ETIMEDOUT"
    assert replies[4].ok == {"count": 6}


def test_a_timeout_hands_over_what_has_come(client: AgentClient) -> None:
    near, far, _, _ = pair(client)
    ask(client, "send", handle=near, data=b64(b"part"))
    assert ask(client, "receive", handle=far, count=9, timeout=0.05) == {"data": b64(b"part"), "eof": False}


def test_a_large_send_goes_on_while_the_other_side_reads(client: AgentClient) -> None:
    near, far, _, _ = pair(client)
    size = 8 << 20
    client.request(1, "send", {"handle": near, "size": size, "timeout": None})
    client.request(2, "receive", {"handle": far, "count": size, "timeout": 20})
    replies = {event.id: event for event in gather(client, 2) if isinstance(event, Reply)}
    assert replies[1].ok == {"count": size}
    assert len(base64.b64decode(str(replies[2].ok["data"]))) == size
    stuck = client.call("send", {"handle": near, "size": size * 4, "timeout": 0.05})
    count = stuck.ok["count"]
    assert isinstance(count, int)
    assert 0 < count < size * 4


def test_urgent_mode_lasts_until_the_last_urgent_octet_is_received(client: AgentClient) -> None:
    near, far, _, _ = pair(client)
    ask(client, "set_option", handle=near, name="oob_inline", value="on")
    assert ask(client, "urgent", handle=near, timeout=0) == {"urgent": False}
    ask(client, "send", handle=far, data=b64(b"stop"), urgent=True)
    assert ask(client, "urgent", handle=near) == {"urgent": True}
    ask(client, "receive", handle=near, count=4)
    assert ask(client, "urgent", handle=near, timeout=0) == {"urgent": False}


def test_who_waits_for_urgent_mode_is_answered_when_the_connection_is_over(client: AgentClient) -> None:
    near, far, _, _ = pair(client)
    client.request(90, "urgent", {"handle": near, "timeout": None})
    ask(client, "close", handle=far, how="abort")
    (reply,) = gather(client, 1)
    assert isinstance(reply, Reply)
    assert (reply.id, dict(reply.ok)) == (90, {"urgent": False})


def test_the_last_urgent_octet_is_out_of_band_or_in_the_stream(client: AgentClient) -> None:
    near, far, _, _ = pair(client)
    ask(client, "set_option", handle=near, name="oob_inline", value="off")
    ask(client, "send", handle=far, data=b64(b"stop"), urgent=True)
    assert ask(client, "urgent", handle=near) == {"urgent": True}
    assert ask(client, "receive_urgent", handle=near) == {"data": b64(b"p"), "eof": False}
    assert ask(client, "urgent", handle=near, timeout=0) == {"urgent": False}
    ask(client, "send", handle=far, data=b64(b"go"))
    assert ask(client, "receive", handle=near, count=5)["data"] == b64(b"stogo")
    ask(client, "set_option", handle=near, name="oob_inline", value="on")
    assert client.call("receive_urgent", {"handle": near}).error == "EINVAL"


def test_urgent_data_is_told_of_before_its_last_octet_can_come(client: AgentClient) -> None:
    """The window is too small for all of it, and the pointer comes with the first segment."""
    size = 60_000
    options = {"receive_buffer": 4096, "oob_inline": "off"}
    listener = ask(client, "listen", family=4, address=LOOPBACK, options=options)
    far = ask(client, "connect", family=4, address=LOOPBACK, port=listener["port"])["handle"]
    near = ask(client, "accept", handle=listener["handle"])["handle"]
    client.request(90, "urgent", {"handle": near, "timeout": None})
    client.request(91, "receive_urgent", {"handle": near, "timeout": None})
    client.request(92, "send", {"handle": far, "size": size, "urgent": True, "timeout": 30})
    replies = {event.id: event for event in gather(client, 2) if isinstance(event, Reply)}
    assert (replies.keys(), replies[90].ok) == ({90, 92}, {"urgent": True})
    client.request(93, "receive", {"handle": near, "count": size - 1, "timeout": 30})
    replies = {event.id: event for event in gather(client, 2) if isinstance(event, Reply)}
    assert replies[91].ok == {"data": b64(pattern(size - 1, 1)), "eof": False}
    assert replies[93].ok["data"] == b64(pattern(0, size - 1))


def test_who_waits_for_an_urgent_octet_is_answered_when_the_connection_is_over(client: AgentClient) -> None:
    near, far, _, _ = pair(client)
    client.request(90, "receive_urgent", {"handle": near, "timeout": None})
    client.request(91, "close", {"handle": far, "how": "abort"})
    replies = {event.id: event for event in gather(client, 2) if isinstance(event, Reply)}
    assert replies[90].ok == {"data": "", "eof": True}


def test_abort_resets_after_the_data(client: AgentClient) -> None:
    near, far, _, _ = pair(client)
    client.request(1, "receive", {"handle": far, "count": 9, "timeout": 5})
    assert ask(client, "close", handle=near, how="abort") == {}
    (reply,) = gather(client, 1)
    assert isinstance(reply, Reply)
    assert reply.error == "ECONNRESET"


def test_closing_cancels_what_waits(client: AgentClient) -> None:
    near, _, _, _ = pair(client)
    client.request(1, "receive", {"handle": near, "count": 1, "timeout": None})
    client.request(2, "close", {"handle": near, "how": "half-duplex"})
    replies = {event.id: event for event in gather(client, 2) if isinstance(event, Reply)}
    assert replies[1].error == "ECANCELED"
    assert client.call("receive", {"handle": near, "count": 1}).error == "EBADF"


def test_what_was_canceled_is_not_answered_by_what_came_meanwhile(client: AgentClient) -> None:
    listener = ask(client, "listen", family=4, address=LOOPBACK)
    with socket.create_connection((LOOPBACK, int(str(listener["port"])))) as peer:
        near = ask(client, "accept", handle=listener["handle"])["handle"]
        client.request(1, "receive", {"handle": near, "count": 1, "timeout": None})
        ask(client, "hello")
        os.kill(client.pid, signal.SIGSTOP)  # so that it meets both at once
        client.request(2, "release", {"handle": near})
        peer.sendall(b"x")
        os.kill(client.pid, signal.SIGCONT)
        events = gather(client, 2)
        ask(client, "hello")
    replies = [(event.id, event.error) for event in events + client.events() if isinstance(event, Reply)]
    assert replies == [(1, "ECANCELED"), (2, "")]


def test_states_are_seen(client: AgentClient) -> None:
    near, far, port, far_port = pair(client)

    def state(first: int, second: int) -> object:
        return ask(client, "state", local=[LOOPBACK, first], remote=[LOOPBACK, second])["state"]

    assert state(port, far_port) == state(far_port, port) == "ESTABLISHED"
    ask(client, "close", handle=near, how="write")
    assert state(port, far_port) in ("FIN-WAIT-1", "FIN-WAIT-2")  # the ACK may be delayed
    assert state(far_port, port) == "CLOSE-WAIT"
    ask(client, "close", handle=far, how="half-duplex")
    assert (state(port, far_port), state(far_port, port)) == ("TIME-WAIT", "CLOSED")
    assert state(port, 1) == "LISTEN"


def test_connect_refused_and_at_once(client: AgentClient) -> None:
    listener = ask(client, "listen", family=4, address=LOOPBACK)
    free = ask(client, "release", handle=listener["handle"])
    assert free == {}
    arguments = {"family": 4, "address": LOOPBACK, "port": listener["port"]}
    assert client.call("connect", arguments).error == "ECONNREFUSED"
    begun = ask(client, "connect", **arguments, timeout=0)
    assert begun["connected"] is False
    assert client.call("receive", {"handle": begun["handle"], "count": 1}).error == "ECONNREFUSED"


def test_options_and_tcp_info(client: AgentClient) -> None:
    near, _, _, _ = pair(client)
    for name, value in [
        ("nodelay", "on"),
        ("linger", 0),
        ("linger", "off"),
        ("ttl", 9),
        ("keepalive_idle", 7),
    ]:
        assert ask(client, "set_option", handle=near, name=name, value=value) == {}
    assert client.call("set_option", {"handle": near, "name": "colour", "value": 1}).error == "ENOPROTOOPT"
    assert client.call("set_option", {"handle": near, "name": "ttl", "value": "green"}).error == "EINVAL"
    info = ask(client, "tcp_info", handle=near)
    assert info["state"] == "ESTABLISHED"
    assert {"rto", "rtt", "snd_mss", "rcv_mss", "unacked", "retransmits", "snd_cwnd"} <= set(info)


@pytest.mark.parametrize(
    ("op", "arguments", "error"),
    [
        ("fly", {}, "ENOSYS"),
        ("listen", {"family": 5, "address": LOOPBACK}, "EAFNOSUPPORT"),
        ("listen", {"family": 4, "address": 7}, "EINVAL"),
        ("accept", {"handle": 99}, "EBADF"),
        ("accept", {}, "EINVAL"),
        ("state", {"local": ["192.0.2.2"], "remote": [LOOPBACK, 1]}, "EINVAL"),
        ("sysctl", {"name": "kernel.hostname"}, "EINVAL"),
        ("connect", {"family": 4, "address": LOOPBACK, "port": 1, "timeout": "soon"}, "EINVAL"),
        ("connect", {"family": 4, "address": LOOPBACK, "port": 99999}, "EINVAL"),
    ],
)
def test_bad_requests(client: AgentClient, op: str, arguments: dict[str, object], error: str) -> None:
    assert client.call(op, arguments).error == error
    assert ask(client, "release") == {}


def test_malformed_lines_are_answered_and_survived() -> None:
    lines = b'nonsense\n[1]\n{"op":"hello"}\n{"id":6}\n\n{"id":7,"op":"release"}\n'
    done = subprocess.run(COMMAND, input=lines, capture_output=True, check=True, timeout=20)
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [reply["id"] for reply in replies] == [None, None, None, 6, 7]
    assert [reply.get("error") for reply in replies] == ["EPROTO"] * 4 + [None]
    assert done.stderr == b""


def test_ctrl_c_is_not_the_agents(client: AgentClient) -> None:
    ask(client, "hello")
    os.kill(client.pid, signal.SIGINT)
    assert ask(client, "release") == {}


def test_its_end_is_an_event_with_the_last_words() -> None:
    client = AgentClient([sys.executable, "-c", "import sys; sys.exit('no route to the stack')"])
    (event,) = gather(client, 1)
    client.close()
    assert isinstance(event, Died)
    assert event.reason == "the agent ended with exit code 1\nno route to the stack"


def test_what_is_no_reply_is_its_end() -> None:
    client = AgentClient([sys.executable, "-c", "print('Welcome!')"])
    events = gather(client, 1)
    client.close()
    assert isinstance(events[0], Died)
    assert "Welcome!" in events[0].reason


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(TargetError, match="cannot start the agent /nowhere/agent"):
        AgentClient(["/nowhere/agent"])


def test_the_program_keeps_to_old_pythons() -> None:
    """Down the pipe goes to machines whose Python we do not choose."""
    source = Path(agent.__file__).read_text()
    for late in (":= ", "match ", "removeprefix", " strict="):
        assert late not in source
    imports = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert not {name for name in imports if name.split(".")[0] in ("conformance", "scapy", "pyroute2")}


BOXED = """
import os, sys
from pyroute2 import IPRoute
IPRoute().link("set", index=1, state="up")
with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as range:
    range.write("40000 40001")
os.execv(sys.executable, [sys.executable, "-I", "-S", sys.argv[1]])
"""


@pytest.mark.netns
def test_nobody_listens_where_a_connection_was() -> None:
    boxed = AgentClient(["unshare", "-rn", sys.executable, "-c", BOXED, str(Path(agent.__file__))])
    try:
        where = {"family": 4, "address": LOOPBACK}
        opened = ask(boxed, "connect", **where, port=9, from_address=LOOPBACK, timeout=0)
        refused = boxed.call("receive", {"handle": opened["handle"], "count": 1, "timeout": 5.0})
        assert refused.error == "ECONNREFUSED"
        assert ask(boxed, "listen", **where)["port"] != opened["port"]
        assert boxed.call("listen", where).error == "EADDRINUSE"
        assert ask(boxed, "listen", **where, port=opened["port"])["port"] == opened["port"]
    finally:
        boxed.close()
