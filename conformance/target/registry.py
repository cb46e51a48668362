"""Which target --target means, and how one of its kind is started."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from conformance.model.description import Host, TargetDescription
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.target.base import Lab, TargetError
from conformance.target.description import describe_container, load_target, read_description


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of target: `lab` starts an instance of it with the given sysctls.

    `crossing` is how long, in seconds, its segments may be on their way to us.  Where time is
    `virtual` no case is slow, and nothing is gained by running two at once.  Where there is only
    `one`, what needs settings of its own comes after the rest, for it changes the same machine.
    A `fragile` one is not sent what could hurt it unless that is asked for.
    """

    description: TargetDescription
    lab: Callable[[Mapping[str, str]], Lab]
    crossing: float
    virtual: bool = False
    one: bool = False
    fragile: bool = False


def _netns(description: TargetDescription) -> Target:
    from conformance.target.netns import NetnsLab, enter_namespace

    enter_namespace()
    return Target(description, partial(NetnsLab, description=description), crossing=0.002)


def _reference(description: TargetDescription, profile: Profile = DEFAULT_PROFILE) -> Target:
    from conformance.target.reference.lab import ReferenceLab

    return Target(description, partial(ReferenceLab, profile=profile), crossing=0.0, virtual=True)


def _tap(description: TargetDescription) -> Target:
    from conformance.target.namespace import enter_namespace
    from conformance.target.tap import TapLab, prepare
    from conformance.target.turned import TurnedLab

    prepare(description)
    enter_namespace()
    if description.process is not None and description.process.turned:
        return Target(description, lambda sysctl: TurnedLab(description), crossing=0.0, virtual=True)
    return Target(description, lambda sysctl: TapLab(description), crossing=0.002)


def _container(description: TargetDescription) -> Target:
    from conformance.target.container import PARALLEL, ContainerLab, find_place

    modest = replace(description, parallel=description.parallel or PARALLEL)
    lab = partial(ContainerLab, find_place(modest.name), modest)
    return Target(modest, lab, crossing=0.002, one=True)


def _host(description: TargetDescription) -> Target:
    from conformance.target.host import PARALLEL, HostLab

    modest = replace(description, parallel=description.parallel or PARALLEL)
    return Target(modest, lambda sysctl: HostLab(modest), crossing=0.002, one=True, fragile=True)


_KINDS: dict[str, Callable[[TargetDescription], Target]] = {
    "netns": _netns,
    "reference": _reference,
    "tap": _tap,
    "container": _container,
    "host": _host,
}


def describe(spec: str) -> TargetDescription:
    """Return what is known beforehand of the target that `spec` names.

    `spec` is the name of a directory of targets/, the path of a target.yaml, `container`, with
    `:SERVICE` if the service is not `linux`, or ADDRESS[:PORT].
    Raises TargetError, with a remedy, where there is none.
    """
    if spec == "container" or spec.startswith("container:"):
        return describe_container(spec.partition(":")[2] or "linux")
    host = parse_host(spec)
    if host is not None:
        return TargetDescription(spec, "host", host=host)
    if spec.endswith((".yaml", ".yml")) or "/" in spec:
        path = Path(spec)
        return read_description(path / "target.yaml" if path.is_dir() else path)
    return load_target(spec)


def parse_host(spec: str) -> Host | None:
    """Return the host that ADDRESS[:PORT] or [ADDRESS][:PORT] means; None for what is no address."""
    found = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::(\d+))?|([0-9.]+)(?::(\d+))?|([0-9A-Fa-f:.]+)", spec)
    if found is None or not re.search(r"[.:]", spec):
        return None
    try:
        address = str(ip_address(found[1] or found[3] or found[5]))
    except ValueError:
        return None
    port = found[2] or found[4]
    if port and not 1 <= int(port) <= 65535:
        raise TargetError(f"{port} is no port", "name one from 1 to 65535")
    return Host((address,), int(port) if port else None)


def open_target(spec: str, host: Host | None = None, profile: Profile = DEFAULT_PROFILE) -> Target:
    """Return the target that `spec` names, as describe() has it.  Raises TargetError, with a remedy.

    `host` is what the command line says of a host, put over its description.  The reference
    follows `profile`; what others do is theirs.
    """
    description = describe(spec)
    if host is not None and description.host is not None:
        description = replace(description, host=description.host.over(host))
    elif host not in (None, Host()):
        raise TargetError(f"{spec} is no host", "--service, --agent, --tester-address are for ADDRESS[:PORT]")
    if description.kind not in _KINDS:
        raise TargetError(
            f"no target can be of the kind {description.kind}", f"known are {', '.join(_KINDS)}"
        )
    if description.kind == "reference":
        return _reference(description, profile)
    return _KINDS[description.kind](description)
