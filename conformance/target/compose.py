"""Docker and Compose, by their commands: which container is a service's, and what it is attached to."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_interface

from conformance.target.base import TargetError
from conformance.target.place import Network

_PATIENCE = 60.0
_NAMED_BRIDGE = "com.docker.network.bridge.name"
_ADDRESS_KEYS = {4: ("IPAddress", "IPPrefixLen"), 6: ("GlobalIPv6Address", "GlobalIPv6PrefixLen")}
_RUNNER = "run the tester in a container, too: docker compose run --rm runner"

_Tree = dict[str, object]
"""A JSON object as Docker writes it."""


@dataclass(frozen=True, slots=True)
class Container:
    """A running container on a bridge of this machine.  `networks` is by IP version."""

    id: str
    name: str
    image: str
    pid: int
    runtime: str
    bridge: str
    networks: dict[int, Network]


def find(service: str) -> Container:
    """Return the container of a service of the Compose project here, which is started if it is not up.

    Raises TargetError, with a remedy: no Docker, no Compose, no such service, no bridge here.
    """
    services = _compose("config", "--services").split()
    if service not in services:
        raise TargetError(
            f"the Compose project here has no service {service}",
            f"choose --target container:SERVICE of {', '.join(services) or 'those in docker-compose.yml'}",
        )
    inspected = _running(service)
    if inspected is None:
        command = [*compose_command(), "up", "-d", service]
        print(f"the service {service} is not up; starting it: {' '.join(command)}", file=sys.stderr)
        # Its own words are shown as they come, for an image may have to be built.
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode:
            raise TargetError(f"the service {service} could not be started", "see what Compose says above")
        inspected = _running(service)
    if inspected is None:
        words = " ".join((*compose_command(), "logs", service))
        raise TargetError(f"the service {service} ended as soon as it was started", f"see {words}")
    return _container(service, inspected)


def has_stopped(container: str) -> str:
    """Return how a container ended, or that it is gone; empty if it runs."""
    try:
        inspected = _inspect("container", container)
    except TargetError:
        return "is gone"
    if _at(inspected, "State", "Running"):
        return ""
    return f"has stopped (exit code {_at(inspected, 'State', 'ExitCode')})"


def can_run(container: str, *command: str) -> bool:
    """Tell whether a command succeeds in a container."""
    return not _run(("docker", "exec", container, *command)).returncode


@cache
def compose_command() -> tuple[str, ...]:
    """Return how Compose is called here: v2 is a plugin of docker, 1.29 a program of its own.

    Raises TargetError where there is no Docker, where its daemon does not answer, or no Compose.
    """
    if shutil.which("docker") is None:
        raise TargetError(
            "Docker is not installed: there is no command docker",
            "install it (https://docs.docker.com/engine/install/), or choose another --target",
        )
    version = _run(("docker", "version", "--format", "{{.Server.Version}}"))
    if version.returncode:
        raise TargetError(
            f"Docker's daemon does not answer: {_last_line(version)}",
            "start it (sudo systemctl start docker), or run as one who may ask it (sudo)",
        )
    if not _run(("docker", "compose", "version")).returncode:
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    raise TargetError(
        "Docker Compose is not installed: neither docker compose nor docker-compose works",
        "install it (https://docs.docker.com/compose/install/)",
    )


def _compose(*words: str) -> str:
    done = _run((*compose_command(), *words))
    if done.returncode:
        raise TargetError(
            f"Compose cannot read the project here: {_last_line(done)}",
            "run the tester where docker-compose.yml is, or name the file in COMPOSE_FILE",
        )
    return done.stdout


def _running(service: str) -> _Tree | None:
    """Return what Docker knows of the service's container if there is one that runs."""
    # Compose v2 says that there is no such service where there is only no container.
    done = _run((*compose_command(), "ps", "-q", service))
    for container in done.stdout.split():
        inspected = _inspect("container", container)
        if _at(inspected, "State", "Running") and not _at(inspected, "State", "Paused"):
            return inspected
    return None


def _container(service: str, inspected: _Tree) -> Container:
    reasons = []
    for name, endpoint in _table(inspected, "NetworkSettings", "Networks").items():
        network = _inspect("network", name)
        bridge = _text(network, "Options", _NAMED_BRIDGE) or f"br-{_text(network, 'Id')[:12]}"
        if _text(network, "Driver") != "bridge":
            reasons.append(f"{name} is of the kind {_text(network, 'Driver')}")
        elif not _is_here(bridge):
            reasons.append(f"the bridge {bridge} of {name} is not on this machine")
        else:
            return Container(
                id=_text(inspected, "Id"),
                name=_text(inspected, "Name").lstrip("/"),
                image=_text(inspected, "Config", "Image"),
                pid=int(_text(inspected, "State", "Pid")),
                runtime=_text(inspected, "HostConfig", "Runtime"),
                bridge=bridge,
                networks=_networks(endpoint, network),
            )
    raise TargetError(
        f"the tester cannot reach a network of the service {service}: {'; '.join(reasons) or 'it has none'}",
        f"give it a bridge network, as docs/targets.md shows; if Docker is elsewhere, {_RUNNER}",
    )


def _is_here(interface: str) -> bool:
    try:
        socket.if_nametoindex(interface)
    except OSError:
        return False
    return True


def _networks(endpoint: object, network: _Tree) -> dict[int, Network]:
    """Return the target's address, its subnet, and all that is known to be somebody's, by IP version."""
    taken: set[str] = set()
    pools = _at(network, "IPAM", "Config")
    for pool in pools if isinstance(pools, list) else []:
        taken |= {_text(pool, "Gateway"), *map(str, _table(pool, "AuxiliaryAddresses").values())}
    for other in _table(network, "Containers").values():
        taken |= {_text(other, key).partition("/")[0] for key in ("IPv4Address", "IPv6Address")}
    found = {}
    for version, (address, length) in _ADDRESS_KEYS.items():
        if own := _text(endpoint, address):
            subnet = ip_interface(f"{own}/{_text(endpoint, length)}").network
            found[version] = Network(own, str(subnet), frozenset(taken))
    return found


def _inspect(kind: str, name: str) -> _Tree:
    done = _run(("docker", kind, "inspect", name))
    if done.returncode:
        raise TargetError(f"Docker does not know the {kind} {name}: {_last_line(done)}")
    found: _Tree = json.loads(done.stdout)[0]
    return found


def _at(tree: object, *path: str) -> object:
    """Return what is at a place of a JSON document, None if nothing is."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _text(tree: object, *path: str) -> str:
    value = _at(tree, *path)
    return "" if value is None else str(value)


def _table(tree: object, *path: str) -> _Tree:
    value = _at(tree, *path)
    return value if isinstance(value, dict) else {}


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise TargetError(f"no answer in {_PATIENCE:g} s: {' '.join(command)}", "restart Docker") from None


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit code {done.returncode}"
