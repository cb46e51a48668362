"""Where the tester meets a container: the link they share, their addresses on it, and the agent."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from types import MappingProxyType

from conformance.target.agent_client import AgentClient
from conformance.target.base import TargetError


@dataclass(frozen=True, slots=True)
class Network:
    """One IP version on a link: the target's address, the subnet, and what is somebody's of it."""

    address: str
    subnet: str
    taken: frozenset[str] = frozenset()


def spare(network: Network, skip: int = 0) -> str:
    """Return an address for the tester: from the top of the subnet, leaving out `skip`, none that is taken.

    Of a large IPv6 subnet the top of its first 2^16 addresses, for its own last ones are anycast
    (RFC 2526).  TargetError where none is left.
    """
    subnet = ip_network(network.subnet)
    size = min(subnet.num_addresses, 1 << 16)
    first = subnet.num_addresses - size if subnet.version == 4 else 0
    for at in range(size - 2 - skip, 0, -1):
        address = str(subnet[first + at])
        if address not in network.taken and address != network.address:
            return address
    raise TargetError(f"the subnet {subnet} has no address left for the tester", "choose a larger one")


def spare_mac(addresses: Iterable[str]) -> str:
    """Return a locally administered link-layer address that goes with the tester's addresses."""
    last = max(int(ip_address(address)) & 0xFFFFFFFF for address in sorted(addresses))
    return "02:fe:" + ":".join(f"{octet:02x}" for octet in IPv4Address(last).packed)


class Watch(ABC):
    """Tells when a container has stopped."""

    def filenos(self) -> list[int]:
        """Return what becomes readable then."""
        return []

    @abstractmethod
    def stopped(self, patience: float) -> str:
        """Return how it stopped, or "" if it still runs; waits for at most `patience` seconds."""

    def close(self) -> None:
        """End what watches."""
        return


_BEGINNINGS = 60000


class Place(ABC):
    """How the tester reaches a container.

    `networks` is by IP version; `lost` says why, once the container has been seen to be gone: a
    run is of one instance of the target, and does not go on with another.
    """

    interface: str
    networks: Mapping[int, Network]
    skip: int
    details: Mapping[str, str]
    lost: str = ""
    lacks: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        self._began = time.time()

    def take_addresses(self) -> dict[int, tuple[str, str]]:
        """Return (tester's address, target's address) by IP version, the former another one each time.

        What a stack has learnt of the way to an address (RFC 1191, RFC 8201) must not show in the
        next lab, nor in the next run.  An agent can make Linux forget it over IPv4 alone; over IPv6 there
        are addresses enough for each run to begin elsewhere.
        """
        skip, self.skip = self.skip, self.skip + 1
        begin = {4: 0, 6: int(self._began) % _BEGINNINGS}
        return {
            ip: (spare(network, skip + begin[ip]), network.address) for ip, network in self.networks.items()
        }

    @abstractmethod
    def agent(self) -> AgentClient:
        """Start an agent in the container.  Raises TargetError."""

    @abstractmethod
    def keeper(self, agent: AgentClient) -> AgentClient:
        """Return who sets sysctls in the container's network namespace: `agent`, or one started for it."""

    @abstractmethod
    def watch(self) -> Watch:
        """Return what tells that the container has stopped."""

    @abstractmethod
    def prepare(self, undo: ExitStack) -> list[str]:
        """Have segments cross the link as the target's TCP made them; return the target's second addresses.

        It has one for each IP version, or none at all.  `undo` takes them away.  Raises TargetError.
        """
