"""Target `netns`: this machine's own TCP, in a network namespace of its own."""

import contextlib
import itertools
import platform
import socket
from collections.abc import Mapping
from dataclasses import replace

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_NODAD

from conformance.model.description import TargetDescription
from conformance.model.flow import other
from conformance.target.agent_client import AgentClient, local_agent
from conformance.target.base import ADDRESSES, TargetError
from conformance.target.description import load_target
from conformance.target.namespace import enter_namespace, entered, new_namespace
from conformance.target.network import (
    TELLING,
    bring_up,
    has_ipv6,
    switch_offloads_off,
    sysctl_path,
)
from conformance.target.wired import WireLab, attach
from conformance.wire.link import LinkError

__all__ = ["NetnsLab", "enter_namespace"]

_TARGET_INTERFACE = "eth0"
# The same in each lab, for each has a wire of its own: captures are then easily compared.
_TESTER_MAC, _TARGET_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
_MTU = 1500
_READY_TIMEOUT = 5.0
_LOOPBACK = 1
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

_numbers = itertools.count()


class NetnsLab(WireLab):
    """One target in a namespace of its own, on a wire of its own.

    enter_namespace() must have been called.  `sysctl` is set in the target's namespace, over
    what the description has, which is targets/netns/target.yaml unless another is given;
    TargetError for one that cannot be set.
    To be made in a thread that lives as long: the agent ends with it.
    """

    def __init__(
        self, sysctl: Mapping[str, str] | None = None, description: TargetDescription | None = None
    ) -> None:
        description = description or load_target("netns")
        if not entered():
            raise TargetError("the tester is not in a network namespace of its own")
        interface = f"lab{next(_numbers)}"
        details: dict[str, str] = {}
        try:
            with contextlib.ExitStack() as undo:
                agent = undo.enter_context(
                    contextlib.closing(_build(interface, description.sysctl, sysctl or {}, details))
                )
                self.agent_pid = agent.pid
                """The process whose end is the end of the namespace."""
                addresses = {ip: pair for ip, pair in ADDRESSES.items() if ip == 4 or has_ipv6()}
                bring_up(interface)
                homes = [other(target) for _, target in addresses.values()]
                link, capture = attach(undo, interface, addresses.values(), _READY_TIMEOUT, homes=homes)
                details = {"version": platform.version(), **details}
                facts = replace(agent.facts(description.name, addresses, details), multihomed=True)
                super().__init__(facts, link, capture, agent, undo.pop_all())
        except (OSError, NetlinkError, LinkError) as error:
            raise TargetError(f"cannot set up the namespace: {error}") from error


def _build(
    interface: str, usual: Mapping[str, str], sysctl: Mapping[str, str], details: dict[str, str]
) -> AgentClient:
    """Make the namespace, with the agent in it, and the wire to `interface`, down on our side."""
    with new_namespace() as home, contextlib.ExitStack() as undo:
        agent = AgentClient(local_agent(private=True))
        undo.callback(agent.close)
        with IPRoute() as route:
            tester = {"ifname": interface, "net_ns_fd": home, "address": _TESTER_MAC, "mtu": _MTU}
            target = {"ifname": _TARGET_INTERFACE, "address": _TARGET_MAC, "mtu": _MTU}
            route.link("add", kind="veth", peer=tester, **target)
            _configure(usual, sysctl, details)
            switch_offloads_off(_TARGET_INTERFACE)
            _address(route, socket.if_nametoindex(_TARGET_INTERFACE))
        undo.pop_all()
        return agent


def _configure(usual: Mapping[str, str], sysctl: Mapping[str, str], details: dict[str, str]) -> None:
    """Set the sysctls of the namespace that this thread is in, and note what tells of it."""
    for name, value in usual.items():
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
                route.addr("add", index=index, address=address, prefixlen=64, flags=IFA_F_NODAD)
    for link in (_LOOPBACK, index):
        route.link("set", index=link, state="up")
    # As hosts have one; without it a stack has no way to answer what a forged source should not draw.
    for family, (tester, _) in ADDRESSES.items():
        if family == 4 or has_ipv6():
            route.route("add", dst="default", gateway=tester, family=_FAMILIES[family])
