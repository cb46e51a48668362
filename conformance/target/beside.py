"""A container on the same network as the container that the tester is in, without Docker's help."""

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from pathlib import Path
from types import MappingProxyType

from pyroute2.iproute.linux import IPRoute

from conformance.target import relay
from conformance.target.agent_client import AgentClient, agent_parcel
from conformance.target.base import TargetError
from conformance.target.place import Network, Place, Watch

_Address = IPv4Address | IPv6Address
_AGENTS = "CONFORMANCE_AGENTS"
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def is_beside() -> bool:
    """Tell whether the tester runs in a container where agents are at sockets: the service `runner`."""
    return _AGENTS in os.environ


class Beside(Place):
    """Frames go over the tester's own interface, socket calls over a Unix socket in a shared volume.

    The service's name leads to its addresses; it switches off the offloads itself
    (targets/linux/start).
    """

    lacks: Mapping[str, str] = MappingProxyType(
        {"own-link": "what goes to others on the bridge is not seen from a container beside it"}
    )

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._socket = Path(os.environ[_AGENTS]) / f"{service}.sock"
        if not self._socket.exists():
            raise TargetError(
                f"there is no agent of a service {service}: {self._socket} does not exist",
                "the service's container is to run serve.py: docs/targets.md",
            )
        self.interface, shared = _shared(service)
        self.networks = {ip: network for ip, (network, _) in shared.items()}
        # Each tester on this network its own: the top is for one that is no container.
        self.skip = max(int(own) & 0xFF for _, own in shared.values())
        self.details = {"agent": str(self._socket)}

    def agent(self) -> AgentClient:
        command = (sys.executable, "-I", "-S", relay.__file__, str(self._socket))
        return AgentClient(command, agent_parcel())

    def keeper(self, agent: AgentClient) -> AgentClient:
        return agent

    def watch(self) -> Watch:
        return _Listening(self, self._socket, self._service)

    def prepare(self, undo: ExitStack) -> list[str]:
        return []


class _Listening(Watch):
    """Finds out whether anybody still listens at the socket, once asked."""

    def __init__(self, place: Beside, path: Path, service: str) -> None:
        self._place, self._path, self._service = place, path, service

    def stopped(self, patience: float) -> str:
        if not self._place.lost and patience and not _is_listened_on(self._path, patience):
            self._place.lost = f"the container of the service {self._service} has stopped"
        return self._place.lost


def _is_listened_on(path: Path, patience: float) -> bool:
    """Tell whether somebody accepts connections here, and keeps them: one who is ending does not."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        try:
            connection.connect(str(path))
            return bool(connection.recv(1))
        except TimeoutError:
            return True
        except OSError:
            return False


def _shared(service: str) -> tuple[str, dict[int, tuple[Network, _Address]]]:
    """Return the interface that has the service's subnets; these and its own addresses, by IP version."""
    names: dict[str, dict[int, tuple[Network, _Address]]] = {}
    targets = {ip: _resolve(service, family) for ip, family in _FAMILIES.items()}
    with IPRoute() as route:
        for ip, family in _FAMILIES.items():
            for found in route.get_addr(family=family):
                own = ip_interface(f"{found.get('address')}/{found['prefixlen']}")
                for target in targets[ip]:
                    if ip_address(target) in own.network:
                        name = socket.if_indextoname(found["index"])
                        gateway = str(own.network[1])
                        network = Network(target, str(own.network), frozenset({str(own.ip), gateway}))
                        names.setdefault(name, {})[ip] = network, own.ip
    if not names:
        raise TargetError(
            f"the service {service} is on no network of the tester's container",
            "give both services a network in common, as in docker-compose.yml",
        )
    return max(names.items(), key=lambda item: len(item[1]))


def _resolve(service: str, family: socket.AddressFamily) -> list[str]:
    try:
        found = socket.getaddrinfo(service, None, family, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return [str(address[0]) for *_, address in found]
