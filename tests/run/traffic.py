"""Ordinary traffic between two kernels, recorded: `traffic.py NAME DIRECTORY` writes captures there.

Two namespaces are joined by a wire of our own, which loses, delays and repeats frames as a seeded
generator says, and is recorded at both of its ends; or by a veth pair with all offloads on.
A process of its own, for entering a namespace cannot be undone.
"""

import contextlib
import heapq
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyroute2.iproute.linux import IPRoute

from conformance.model.payload import pattern
from conformance.target.namespace import enter_namespace, new_namespace
from conformance.target.network import switch_offloads_off
from conformance.wire.capture import write_pcapng
from conformance.wire.packet_socket import Frame, PacketSocket

CLIENT = {4: "192.0.2.1", 6: "2001:db8::1"}
SERVER = {4: "192.0.2.2", 6: "2001:db8::2"}
PORT = 8080
ABORT = struct.pack("ii", 1, 0)
TCP_FASTOPEN_CONNECT = 30
"""Not in Python's socket module."""
DEADLINE = 30.0
PROPAGATION = 0.002
"""Seconds that a frame is on its way: more than a busy machine takes to answer one."""


@dataclass(eq=False)
class Stream:
    """One end of a connection, with a user: sends `left` octets, then ends as it is told to."""

    sock: socket.socket
    left: int
    ending: str = "close"
    patience: int = 1 << 40
    """Octets after which it stops reading, or, where the ending is an abort, aborts."""
    pause: float = 0.0
    """Seconds before it reads at all: the window closes."""
    waits: bool = False
    """Whether what it sends begins in SYN-SENT, where an end would be the end of all."""
    got: int = 0
    sent: int = 0
    done: bool = False
    eof: bool = False
    began: float = field(default_factory=time.monotonic)

    def wants_read(self) -> bool:
        return not self.eof and time.monotonic() - self.began >= self.pause

    def read(self) -> None:
        data = self.sock.recv(65536)
        self.got += len(data)
        self.eof = not data
        if self.got >= self.patience:
            self.abort()

    def write(self) -> None:
        if self.left:
            count = self.sock.send(pattern(self.sent, min(self.left, 65536)))
            self.sent, self.left = self.sent + count, self.left - count
            if self.waits:
                return
        if not self.left and self.ending == "abort":
            self.abort()
        elif not self.left:
            self.left = -1
            self.sock.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self.close()

    def close(self) -> None:
        self.done = True
        self.sock.close()

    def step(self, readable: bool, writable: bool) -> None:
        try:
            if readable and not self.done:
                self.read()
            if writable and not self.done and self.left >= 0:
                self.write()
        except BlockingIOError:
            return
        except OSError:
            self.close()
        if not self.done and self.eof and self.left < 0:
            self.close()


class Wire:
    """Carries frames between two interfaces, badly: `loss`, `twice` and `late` are probabilities."""

    def __init__(self, ends: tuple[str, str], loss: float, twice: float, late: float) -> None:
        self.sockets = [PacketSocket(name) for name in ends]
        self.taps = [PacketSocket(name, outgoing=True) for name in ends]
        self.records: list[list[Frame]] = [[], []]
        self.odds = loss, twice, late
        self.random = random.Random(7)
        self.held: list[tuple[float, int, int, bytes]] = []
        self.count = 0

    def filenos(self) -> list[int]:
        return [item.fileno() for item in (*self.sockets, *self.taps)]

    def pump(self) -> None:
        now = time.monotonic()
        for side, end in enumerate(self.sockets):
            for frame in end.receive():
                self.carry(1 - side, frame.octets, now)
        while self.held and self.held[0][0] <= now:
            _, _, side, octets = heapq.heappop(self.held)
            self.sockets[side].send(octets)
        self.record()

    def carry(self, side: int, octets: bytes, now: float) -> None:
        loss, twice, late = self.odds
        draw = self.random.random()
        if draw < loss:
            return
        copies = 2 if draw < loss + twice else 1
        for _ in range(copies):
            delay = self.random.uniform(0.0005, 0.005) if self.random.random() < late else 0.0
            self.count += 1
            heapq.heappush(self.held, (now + PROPAGATION + delay, self.count, side, octets))

    def record(self) -> None:
        for record, tap in zip(self.records, self.taps, strict=True):
            record += tap.receive()

    def timeout(self) -> float:
        return max(0.0, self.held[0][0] - time.monotonic()) if self.held else 0.05


class Veth(Wire):
    """A pair of interfaces with nothing between them; one of them is recorded."""

    def __init__(self, tap: PacketSocket) -> None:
        self.sockets, self.taps, self.records, self.held = [], [tap], [[]], []


def interface(name: str, address: dict[int, str], home: int | None, peer: str, offloads: bool) -> None:
    """Make the interface of the namespace that this thread is in, with its other end in `home`."""
    with IPRoute() as route:
        if home is not None:
            route.link("add", kind="veth", ifname=name, peer={"ifname": peer, "net_ns_fd": home})
        if not offloads:
            switch_offloads_off(name)
        index = socket.if_nametoindex(name)
        route.addr("add", index=index, address=address[4], prefixlen=24)
        route.addr("add", index=index, address=address[6], prefixlen=64, flags=2)
        route.link("set", index=index, state="up")
    for setting, value in (("congestion_control", "reno"), ("fastopen", "3")):
        Path(f"/proc/sys/net/ipv4/tcp_{setting}").write_text(value)


def made(family: int) -> socket.socket:
    """Return a socket that soon finds out that the other end's RST was lost."""
    sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    return sock


def listener(family: int) -> socket.socket:
    sock = made(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 256)
    sock.bind((SERVER[family], PORT))
    sock.listen(512)
    return sock


def clients(plan: list["Plan"]) -> list[socket.socket]:
    socks = [made(item.family) for item in plan]
    for item, sock in zip(plan, socks, strict=True):
        if item.buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, item.buffer)
        if item.fast_open:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    return socks


@dataclass
class Plan:
    """One connection: what each end sends, and how it ends."""

    family: int
    up: int
    down: int
    client: str = "close"
    server: str = "close"
    patience: int = 1 << 40
    pause: float = 0.0
    buffer: int = 0
    port: int = PORT
    fast_open: bool = False


def converse(plans: list[Plan], socks: list[socket.socket], servers: list[socket.socket], wire: Wire) -> None:
    """Play all plans, at most 40 at once, and carry their frames."""
    streams: list[Stream] = []
    waiting = list(zip(plans, socks, strict=True))
    by_name: dict[tuple[str, int], Plan] = {}
    accepted = 0
    deadline = time.monotonic() + DEADLINE
    while waiting or any(not stream.done for stream in streams):
        assert time.monotonic() < deadline, f"{sum(not stream.done for stream in streams)} streams hang"
        streams = [stream for stream in streams if not stream.done]
        while waiting and len(streams) < 80:
            plan, sock = waiting.pop(0)
            with contextlib.suppress(BlockingIOError):
                sock.connect((SERVER[plan.family], plan.port))
            by_name[sock.getsockname()[:2]] = plan
            user = Stream(sock, plan.up, plan.client, plan.patience, plan.pause, plan.fast_open)
            streams.append(user)
        reads = [stream.sock for stream in streams if stream.wants_read()]
        writes = [stream.sock for stream in streams if stream.left >= 0]
        ready = select.select([*reads, *servers, *wire.filenos()], writes, [], min(wire.timeout(), 0.02))
        wire.pump()
        for server in servers:
            with contextlib.suppress(BlockingIOError):
                while True:
                    sock, name = server.accept()
                    sock.setblocking(False)
                    accepted += 1
                    plan = by_name[name[:2]]
                    streams.append(Stream(sock, plan.down, plan.server))
        for stream in streams:
            if not stream.done:
                stream.step(stream.sock in ready[0], stream.sock in ready[1])
    quiet = time.monotonic() + 0.05
    while time.monotonic() < quiet or wire.held:
        select.select(wire.filenos(), [], [], 0.01)
        wire.pump()


def bulk() -> list[Plan]:
    return [
        Plan(4, 0, 1_500_000),
        Plan(6, 700_000, 700_000),
        Plan(4, 300_000, 0, client="abort"),
        Plan(6, 0, 3_000_000, patience=200_000),
        Plan(4, 10, 120_000, pause=0.7, buffer=8192),
    ]


def short(number: int = 240) -> list[Plan]:
    kinds = [
        Plan(4, 100, 2000),
        Plan(4, 0, 0),
        Plan(4, 3000, 100, client="abort"),
        Plan(4, 10, 5000, server="abort"),
        Plan(4, 10, 60_000, patience=1),
        Plan(4, 1, 1, port=9),
    ]
    return [replace(kinds[at % 6], family=(4, 6)[at // 6 % 2]) for at in range(number)]


def fast_open(number: int = 240) -> list[Plan]:
    """Connections of which the first few ask for a cookie; later ones send it, with what they have to say."""
    kinds = [
        Plan(4, 100, 2000),
        Plan(4, 1200, 60_000),
        Plan(4, 3000, 100, client="abort"),
        Plan(4, 10, 5000, server="abort"),
        Plan(4, 10, 60_000, patience=1),
        Plan(4, 1, 0),
    ]
    return [replace(kinds[at % 6], family=(4, 6)[at // 6 % 2], fast_open=at % 7 != 0) for at in range(number)]


def over_wire(plans: list[Plan], directory: Path, odds: tuple[float, float, float]) -> None:
    with ends(plans) as (socks, servers):
        wire = Wire(("left", "right"), *odds)
        converse(plans, socks, servers, wire)
    for record, name, tap in zip(wire.records, ("client", "server"), wire.taps, strict=True):
        assert not tap.dropped()
        write_pcapng(
            directory / f"{name}.pcapng", [(item.wall / 1e9, item.octets, item.sent) for item in record]
        )


@contextlib.contextmanager
def ends(plans: list[Plan]) -> Iterator[tuple[list[socket.socket], list[socket.socket]]]:
    with open("/proc/thread-self/ns/net") as home:
        with new_namespace():
            interface("eth0", CLIENT, home.fileno(), "left", False)
            socks = clients(plans)
            anchor = socket.socket()  # keeps the namespace when all connections are over
        with new_namespace():
            interface("eth0", SERVER, home.fileno(), "right", False)
            servers = [listener(family) for family in (4, 6)]
        with IPRoute() as route:
            for name in ("left", "right"):
                Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
                switch_offloads_off(name)
                route.link("set", index=socket.if_nametoindex(name), state="up")
        with anchor:
            yield socks, servers


def offloaded(directory: Path) -> None:
    """Both ends' offloads on: segments of 64 KiB, checksums that nobody completes."""
    plans = [Plan(4, 0, 4_000_000), Plan(6, 2_000_000, 2_000_000), *short(60)]
    with new_namespace():
        with open("/proc/thread-self/ns/net") as there, new_namespace():
            interface("eth0", CLIENT, there.fileno(), "eth0", True)
            socks = clients(plans)
            tap = PacketSocket("eth0", outgoing=True)
        interface("eth0", SERVER, None, "", True)
        servers = [listener(family) for family in (4, 6)]
    wire = Veth(tap)
    converse(plans, socks, servers, wire)
    assert not tap.dropped()
    frames = [(item.wall / 1e9, item.octets, item.sent) for item in wire.records[0]]
    write_pcapng(directory / "client.pcapng", frames)


def main(name: str, directory: Path) -> None:
    enter_namespace()
    if name == "offload":
        offloaded(directory)
    elif name == "bulk":
        over_wire(bulk(), directory, (0.01, 0.01, 0.03))
    elif name == "fast-open":
        # Who has lost two SYNs with data sends no more of them for some minutes.
        over_wire(fast_open(), directory, (0.002, 0.02, 0.05))
    else:
        over_wire(short(), directory, (0.01, 0.02, 0.05))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
