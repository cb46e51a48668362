"""By which way a host is reached: interface, source address and next hop, asked of the kernel."""

import errno
import os
import socket
from dataclasses import dataclass
from ipaddress import ip_address

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from conformance.target.base import TargetError

_ETHERNET = 1  # ARPHRD_ETHER
_KINDS = {
    2: "is an address of this machine: it is not reached over a wire (--target netns tests this kernel)",
    3: "is a broadcast address",
    5: "is a multicast address",
    6: "is blackholed by this machine's routes",
    7: "is unreachable by this machine's routes",
    8: "is prohibited by this machine's routes",
}
"""rtm_type of linux/rtnetlink.h."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the packets to `target` leave: on `interface`, to `hop` (the target itself if on the link)."""

    target: str
    interface: str
    source: str
    hop: str

    @property
    def family(self) -> int:
        """4 or 6."""
        return ip_address(self.target).version

    def __str__(self) -> str:
        via = "on the link" if self.hop == self.target else f"by {self.hop}"
        return f"{self.target} {via}, {self.interface}"


def way_to(target: str) -> Way:
    """Return how `target`, an address, is reached; TargetError where it is not."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with IPRoute() as netlink:
        try:
            route = next(iter(netlink.route("get", dst=target, family=family)))
            kind = route["type"]
            if kind in _KINDS:
                raise TargetError(f"{target} {_KINDS[kind]}", "name another address")
            index = route.get_attr("RTA_OIF")
            link = next(iter(netlink.get_links(index)))
        except NetlinkError as error:
            reason = os.strerror(error.code) if error.code else str(error)
            raise TargetError(f"no route leads to {target}: {reason}", "ip route get " + target) from error
    name = link.get_attr("IFLA_IFNAME")
    if link["ifi_type"] != _ETHERNET:
        raise TargetError(
            f"{target} is reached by {name}, which is no Ethernet",
            "test it from a machine that reaches it by Ethernet (wired, a bridge, veth)",
        )
    source = route.get_attr("RTA_PREFSRC")
    if not source:
        raise TargetError(f"this machine has no address on {name}", "give it one, or name a --tester-address")
    via = route.get_attr("RTA_VIA") or {}
    return Way(target, name, source, route.get_attr("RTA_GATEWAY") or via.get("addr") or target)


def must_be_raw() -> None:
    """Raise TargetError, once and clearly, where packet sockets are not allowed."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EACCES):
            raise
        raise TargetError(
            "testing a host takes CAP_NET_RAW and CAP_NET_ADMIN, which this process has not",
            "run as root (sudo), or in a container with --cap-add NET_RAW --cap-add NET_ADMIN --network host",
        ) from error
