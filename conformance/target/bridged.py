"""A container on a bridge of this machine, as its administrator reaches it."""

import os
import select
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_NODAD

from conformance.model.flow import other
from conformance.target.agent_client import BOOTSTRAP, AgentClient, agent_parcel, local_agent
from conformance.target.base import TargetError
from conformance.target.compose import Container, can_run, compose_command, find, has_stopped
from conformance.target.namespace import visiting
from conformance.target.network import switch_offloads_off
from conformance.target.place import Place, Watch

_KERNELS_OWN = ("", "runc", "crun", "io.containerd.runc.v2")
"""Runtimes whose containers have this machine's kernel for a stack."""
_WAIT = 'docker wait "$0" & exec >&-; read -r _; kill $!'
"""Ends with the tester, whose end is the end of the input, however it comes."""
_NO_ROOT = "run it as root (sudo), or run the tester in a container, too: docker compose run --rm runner"


class Bridged(Place):
    """Frames go over the bridge, socket calls by `docker exec -i`, all else by setns(2).

    An image without python3 gets the agent from outside: its process is this machine's, its
    sockets are the container's.
    """

    skip = 0

    def __init__(self, service: str) -> None:
        super().__init__()
        compose_command()  # that there is no Docker is said first
        try:
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        except PermissionError as error:
            raise TargetError("the tester may not attach to the container's network", _NO_ROOT) from error
        self._container = find(service)
        self.interface = self._container.bridge
        self.networks = self._container.networks
        self._has_python = can_run(self._container.id, "python3", "-c", "pass")
        self.details = {
            "container": self._container.name,
            "image": self._container.image,
            "bridge": self._container.bridge,
            "agent": "docker exec"
            if self._has_python
            else "from outside: there is no python3 in the container",
        }

    def agent(self) -> AgentClient:
        if self._has_python:
            command = ("docker", "exec", "-i", self._container.id, "python3", "-c", BOOTSTRAP)
            return AgentClient(command, agent_parcel())
        return self._outside()

    def keeper(self, agent: AgentClient) -> AgentClient:
        if self._container.runtime not in _KERNELS_OWN:
            return agent
        return self._outside()

    def _outside(self) -> AgentClient:
        with self._visiting():
            return AgentClient(local_agent())

    def watch(self) -> Watch:
        return _Waiting(self, self._container)

    def prepare(self, undo: ExitStack) -> list[str]:
        homes = {ip: other(network.address) for ip, network in self.networks.items()}
        free = not any(homes[ip] in network.taken for ip, network in self.networks.items())
        first = ip_address(next(iter(self.networks.values())).address)
        with self._visiting(), IPRoute() as route:
            own = {ip_address(found.get("address")): found["index"] for found in route.get_addr()}
            switch_offloads_off(socket.if_indextoname(own[first]))
            if free:
                undo.callback(self._forget, own[first], homes.values())
                for home in homes.values():
                    # Deprecated (RFC 4862 5.5.4), so that it is not the one taken where the choice is left.
                    route.addr("replace", index=own[first], address=home, preferred=0, flags=IFA_F_NODAD)
        return list(homes.values()) if free else []

    def _forget(self, index: int, homes: Iterable[str]) -> None:
        """Take second addresses away again, unless they are gone with the container."""
        with suppress(TargetError), self._visiting(), IPRoute() as route:
            for home in homes:
                with suppress(NetlinkError):
                    route.addr("del", index=index, address=home)

    @contextmanager
    def _visiting(self) -> Iterator[None]:
        """Be in the container's network namespace."""
        try:
            with visiting(self._container.pid):
                yield
        except PermissionError as error:
            raise TargetError("the tester may not enter the container's network", _NO_ROOT) from error
        except (FileNotFoundError, ProcessLookupError) as error:
            how = has_stopped(self._container.id) or "cannot be entered"
            self.lost = f"the container {self._container.name} {how}"
            raise TargetError(self.lost) from error


class _Waiting(Watch):
    """`docker wait`, whose output comes when the container stops."""

    def __init__(self, place: Bridged, container: Container) -> None:
        self._place = place
        self._container = container
        self._child = subprocess.Popen(
            ("sh", "-c", _WAIT, container.id),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._input, self._output = self._child.stdin, self._child.stdout

    def filenos(self) -> list[int]:
        return [] if self._place.lost else [self._output.fileno()]

    def stopped(self, patience: float) -> str:
        if not self._place.lost and select.select([self._output], [], [], patience)[0]:
            code = os.read(self._output.fileno(), 64).decode().strip()
            how = f"has stopped (exit code {code})" if code else has_stopped(self._container.id)
            self._place.lost = f"the container {self._container.name} {how or 'is no longer known to Docker'}"
        return self._place.lost

    def close(self) -> None:
        self._input.close()
        self._child.wait()
        self._output.close()
