"""Target `netns`: this machine's own TCP, in a network namespace of its own."""

import contextlib
import itertools
import os
import platform
import socket
from collections.abc import Mapping
from dataclasses import replace

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from conformance.model.flow import other
from conformance.target.agent_client import AgentClient, local_agent
from conformance.target.base import TargetError
from conformance.target.description import load_target
from conformance.target.namespace import enter_namespace, entered, new_namespace
from conformance.target.network import (
    TELLING,
    bring_up,
    has_ipv6,
    link_news,
    switch_offloads_off,
    sysctl_path,
)
from conformance.target.wired import WireLab
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
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_NODAD = 0x02  # IFA_F_NODAD
_numbers = itertools.count()


class NetnsLab(WireLab):
    """One target in a namespace of its own, on a wire of its own.

    enter_namespace() must have been called.  `sysctl` is set in the target's namespace, over
    the defaults of targets/netns/target.yaml; TargetError for one that cannot be set.
    To be made in a thread that lives as long: the agent ends with it.
    """

    def __init__(self, sysctl: Mapping[str, str] | None = None) -> None:
        if not entered():
            raise TargetError("the tester is not in a network namespace of its own")
        interface = f"lab{next(_numbers)}"
        details: dict[str, str] = {}
        try:
            with contextlib.ExitStack() as undo:
                news = undo.enter_context(link_news())
                agent = undo.enter_context(contextlib.closing(_build(interface, sysctl or {}, details)))
                self.agent_pid = agent.pid
                """The process whose end is the end of the namespace."""
                families = [family for family in ADDRESSES if family == 4 or has_ipv6()]
                bring_up(interface)
                # Not before: a packet socket bound to an interface that is down begins with an error.
                testers = [ADDRESSES[family][0] for family in families]
                link = undo.enter_context(contextlib.closing(Link(interface, testers)))
                capture = undo.enter_context(contextlib.closing(Capture(interface, testers)))
                targets = [ADDRESSES[family][1] for family in families]
                link.resolve([*targets, *map(other, targets)], _READY_TIMEOUT, news)
                details = {"kernel": platform.release(), "version": platform.version(), **details}
                addresses = {family: ADDRESSES[family] for family in families}
                facts = replace(agent.facts("netns", addresses, details), multihomed=True)
                news.close()
                super().__init__(facts, link, capture, agent, undo.pop_all())
        except (OSError, NetlinkError, LinkError) as error:
            raise TargetError(f"cannot set up the namespace: {error}") from error


def _build(interface: str, sysctl: Mapping[str, str], details: dict[str, str]) -> AgentClient:
    """Make the namespace, with the agent in it, and the wire to `interface`, down on our side."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with new_namespace(), contextlib.ExitStack() as undo:
            agent = AgentClient(local_agent(private=True))
            undo.callback(agent.close)
            with IPRoute() as route:
                tester = {"ifname": interface, "net_ns_fd": home, "address": _TESTER_MAC, "mtu": _MTU}
                target = {"ifname": _TARGET_INTERFACE, "address": _TARGET_MAC, "mtu": _MTU}
                route.link("add", kind="veth", peer=tester, **target)
                _configure(sysctl, details)
                switch_offloads_off(_TARGET_INTERFACE)
                _address(route, socket.if_nametoindex(_TARGET_INTERFACE))
            undo.pop_all()
            return agent
    finally:
        os.close(home)


def _configure(sysctl: Mapping[str, str], details: dict[str, str]) -> None:
    """Set the sysctls of the namespace that this thread is in, and note what tells of it."""
    for name, value in load_target("netns").sysctl.items():
        if sysctl_path(name).exists():  # kernels differ in what they offer, and what per namespace
            sysctl_path(name).write_text(value)
    for name, value in sysctl.items():
        try:
            sysctl_path(name).write_text(value)
        except OSError as error:
            raise TargetError(f"cannot set sysctl {name} to {value}: {error.strerror}") from error
    for name in (*TELLING, *sysctl):
        if sysctl_path(name).exists():
            details[name] = " ".join(sysctl_path(name).read_text().split())


def _address(route: IPRoute, index: int) -> None:
    for family, (_, first) in ADDRESSES.items():
        # Left the choice, Linux takes the IPv4 address that came first, and the IPv6 address that came last.
        if family == 4:
            for address in (first, other(first)):
                route.addr("add", index=index, address=address, prefixlen=24)
        elif has_ipv6():
            for address in (other(first), first):
                route.addr("add", index=index, address=address, prefixlen=64, flags=_NODAD)
    for link in (_LOOPBACK, index):
        route.link("set", index=link, state="up")
    # As hosts have one; without it a stack has no way to answer what a forged source should not draw.
    for family, (tester, _) in ADDRESSES.items():
        if family == 4 or has_ipv6():
            route.route("add", dst="default", gateway=tester, family=_FAMILIES[family])
