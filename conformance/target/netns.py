"""Target `netns`: this machine's own TCP, in a network namespace of its own."""

import contextlib
import itertools
import os
import platform
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from pyroute2.ethtool.ioctl import IoctlEthtool
from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

import conformance
from conformance.model.flow import Event, Flow
from conformance.model.segment import Segment
from conformance.target.agent_client import AgentClient
from conformance.target.base import Facts, Lab, TargetError
from conformance.target.description import load_target
from conformance.target.namespace import enter_namespace, entered, new_namespace
from conformance.wire.capture import Capture
from conformance.wire.link import Link, LinkError

__all__ = ["NetnsLab", "enter_namespace"]

ADDRESSES = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
_TARGET_INTERFACE = "eth0"
# The same in each lab, for each has a wire of its own: captures are then easily compared.
_TESTER_MAC, _TARGET_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
_MTU = 1500
_READY_TIMEOUT = 5.0
_LOOPBACK = 1
_LINK_GROUP = 1  # RTMGRP_LINK
_NODAD = 0x02  # IFA_F_NODAD
_numbers = itertools.count()

# What the report says of the target, beside what target.yaml and the cases set.
_TELLING = (
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_rfc1337",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
)


def _sysctl_path(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


class NetnsLab(Lab):
    """One target in a namespace of its own, on a wire of its own.

    enter_namespace() must have been called.  `sysctl` is set in the target's namespace, over
    the defaults of targets/netns/target.yaml; TargetError for one that cannot be set.
    To be made in a thread that lives as long: the agent ends with it.
    Times are seconds of time.monotonic().
    """

    def __init__(self, sysctl: Mapping[str, str] | None = None) -> None:
        if not entered():
            raise TargetError("the tester is not in a network namespace of its own")
        interface = f"lab{next(_numbers)}"
        details: dict[str, str] = {}
        self._closed = False
        try:
            with contextlib.ExitStack() as undo:
                news = undo.enter_context(_link_news())
                self._agent = undo.enter_context(contextlib.closing(_build(interface, sysctl or {}, details)))
                families = [family for family in ADDRESSES if family == 4 or _has_ipv6()]
                _bring_up(interface)
                # Not before: a packet socket bound to an interface that is down begins with an error.
                testers = [ADDRESSES[family][0] for family in families]
                self._link = undo.enter_context(contextlib.closing(Link(interface, testers)))
                self._capture = undo.enter_context(contextlib.closing(Capture(interface, testers)))
                self._link.resolve([ADDRESSES[family][1] for family in families], _READY_TIMEOUT, news)
                self.facts = _facts(self._agent, families, details)
                news.close()
                self._undo = undo.pop_all()
        except (OSError, NetlinkError, LinkError) as error:
            raise TargetError(f"cannot set up the namespace: {error}") from error

    @property
    def agent_pid(self) -> int:
        """The process whose end is the end of the namespace."""
        return self._agent.pid

    def now(self) -> float:
        return time.monotonic()

    def send(self, flow: Flow, segment: Segment) -> float:
        try:
            return self._link.send(flow, segment)
        except LinkError as error:
            raise TargetError(str(error)) from error

    def send_raw(self, flow: Flow, octets: bytes) -> float:
        try:
            return self._link.send_raw(flow, octets)
        except LinkError as error:
            raise TargetError(str(error)) from error

    def request(self, request_id: int, op: str, arguments: Mapping[str, object]) -> None:
        self._agent.request(request_id, op, arguments)

    def filenos(self) -> Iterable[int]:
        if self._closed:
            return []
        return [self._link.fileno(), self._capture.fileno(), *self._agent.filenos()]

    def events(self) -> list[Event]:
        if self._closed:
            return []
        events: list[Event] = [*self._link.receive(), *self._agent.events()]
        self._capture.drain()
        return sorted(events, key=lambda event: event.time)

    def frames(self, ports: Iterable[int]) -> list[tuple[float, bytes, bool]]:
        if self._closed:
            return []
        return [(frame.wall / 1e9, frame.octets, frame.sent) for frame in self._capture.frames(ports)]

    def dropped(self) -> int:
        """Return how many frames the kernel could not hand to the tester: the tester's failure."""
        return 0 if self._closed else self._link.dropped()

    def close(self) -> None:
        """End the agent, and with it the namespace and the wire."""
        if not self._closed:
            self._closed = True
            self._undo.close()


def _has_ipv6() -> bool:
    return _sysctl_path("net.ipv6").is_dir()


def _link_news() -> socket.socket:
    """Return a socket that tells of the tester's links going up and down."""
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    news.bind((0, _LINK_GROUP))
    return news


def _build(interface: str, sysctl: Mapping[str, str], details: dict[str, str]) -> AgentClient:
    """Make the namespace, with the agent in it, and the wire to `interface`, down on our side."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with new_namespace(), contextlib.ExitStack() as undo:
            agent = AgentClient(_agent_command())
            undo.callback(agent.close)
            with IPRoute() as route:
                tester = {"ifname": interface, "net_ns_fd": home, "address": _TESTER_MAC, "mtu": _MTU}
                target = {"ifname": _TARGET_INTERFACE, "address": _TARGET_MAC, "mtu": _MTU}
                route.link("add", kind="veth", peer=tester, **target)
                _configure(sysctl, details)
                _switch_offloads_off(_TARGET_INTERFACE)
                _address(route, socket.if_nametoindex(_TARGET_INTERFACE))
            undo.pop_all()
            return agent
    finally:
        os.close(home)


def _configure(sysctl: Mapping[str, str], details: dict[str, str]) -> None:
    """Set the sysctls of the namespace that this thread is in, and note what tells of it."""
    for name, value in load_target("netns").sysctl.items():
        if _sysctl_path(name).exists():  # kernels differ in what they offer, and what per namespace
            _sysctl_path(name).write_text(value)
    for name, value in sysctl.items():
        try:
            _sysctl_path(name).write_text(value)
        except OSError as error:
            raise TargetError(f"cannot set sysctl {name} to {value}: {error.strerror}") from error
    for name in (*_TELLING, *sysctl):
        if _sysctl_path(name).exists():
            details[name] = " ".join(_sysctl_path(name).read_text().split())


def _address(route: IPRoute, index: int) -> None:
    for family, (_, address) in ADDRESSES.items():
        if family == 4:
            route.addr("add", index=index, address=address, prefixlen=24)
        elif _has_ipv6():
            route.addr("add", index=index, address=address, prefixlen=64, flags=_NODAD)
    for link in (_LOOPBACK, index):
        route.link("set", index=link, state="up")


def _bring_up(interface: str) -> None:
    """Bring up the tester's end, with no address, not even a link-local one."""
    quiet = _sysctl_path("net.ipv6.conf") / interface / "disable_ipv6"
    if quiet.exists():
        quiet.write_text("1")
    _switch_offloads_off(interface)
    with IPRoute() as route:
        route.link("set", index=socket.if_nametoindex(interface), state="up")


def _facts(agent: AgentClient, families: Iterable[int], details: Mapping[str, str]) -> Facts:
    hello = agent.call("hello", timeout=10.0).ok
    words = {key: value if isinstance(value, list) else [] for key, value in hello.items()}
    return Facts(
        name="netns",
        system=str(hello.get("system", "")),
        ops=frozenset(map(str, words.get("ops", []))),
        probes=frozenset(map(str, words.get("probes", []))),
        addresses={family: ADDRESSES[family] for family in families},
        details={"kernel": platform.release(), "version": platform.version(), **details},
    )


def _agent_command() -> list[str]:
    """Run the agent from its file: quicker than down the pipe, for its compiled form is kept."""
    root = str(Path(conformance.__file__).parent.parent)
    load = f"import sys; sys.path.insert(0, {root!r})"
    program = f"{load}; from conformance.target.agent import main; main(private=True)"
    return [sys.executable, "-I", "-S", "-c", program]


def _switch_offloads_off(interface: str) -> None:
    """Have every segment cross the wire as the target made it, with its checksum."""
    ethtool = IoctlEthtool(interface)
    try:
        features = ethtool.get_features()
        for name in list(features.keys()):
            if features.is_active(name) and not features.is_never_changed(name):
                features[name] = False
        ethtool.set_features(features)
    finally:
        ethtool.close()
