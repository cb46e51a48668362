"""Kind `tap`: a stack that is a process on a TAP (or TUN) device of a network namespace of ours."""

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from conformance.model.description import Process, TargetDescription
from conformance.model.flow import Event
from conformance.model.places import cache_root
from conformance.target.agent_client import AgentClient
from conformance.target.base import ADDRESSES, TargetError
from conformance.target.namespace import entered
from conformance.target.network import bring_up
from conformance.target.program import Program, build, filled
from conformance.target.wired import WireLab, attach
from conformance.wire.link import LinkError

_MODES = {2: "tap", 3: "tun"}
_READY_TIMEOUT = 5.0
_TUN = Path("/dev/net/tun")
_numbers = itertools.count()


def prepare(description: TargetDescription) -> None:
    """Build the stack, if its description says how.  Raises TargetError."""
    process = _process(description)
    if process.build:
        build(filled(process.build, _values(description)), Path(description.directory))


class TapLab(WireLab):
    """One run of the stack, on a device of its own.

    enter_namespace() and prepare() must have been called.  The stack's process ends with the lab.
    """

    def __init__(self, description: TargetDescription) -> None:
        if not entered():
            raise TargetError("the tester is not in a network namespace of its own")
        process = _process(description)
        if not _TUN.exists():
            raise TargetError(f"{_TUN} is missing", "load the kernel's tun module: modprobe tun")
        interface = f"{_MODES[process.layer]}{next(_numbers)}"
        addresses = {ip: pair for ip, pair in ADDRESSES.items() if f"ipv{ip}" not in description.lacks}
        try:
            with contextlib.ExitStack() as undo:
                undo.enter_context(_device(interface, process.layer))
                values = _values(description) | {"interface": interface}
                self._program, self._client = _start(undo, process, values, Path(description.directory))
                bring_up(interface)
                facts = self._client.facts(description.name, addresses, {})
                facts = replace(facts, lacks={"sysctl": "it is no kernel"}, settled=description.sysctl)
                link, capture = attach(undo, interface, addresses.values(), _READY_TIMEOUT)
                super().__init__(facts, link, capture, self._client, undo.pop_all())
        except (OSError, NetlinkError, LinkError) as error:
            raise TargetError(f"cannot set up the target {description.name}: {error}") from error

    def filenos(self) -> Iterable[int]:
        return [*super().filenos(), *(self._program.filenos() if self._program else [])]

    def events(self) -> list[Event]:
        return [*super().events(), *(self._program.events() if self._program else [])]


def _process(description: TargetDescription) -> Process:
    if description.process is None:
        raise TargetError(f"the target {description.name} has no program to start", "give it start:")
    return description.process


def build_directory(description: TargetDescription) -> Path:
    """Return where a stack is built: two copies of its sources, which may differ, share nothing."""
    place = blake2b(os.fsencode(description.directory), digest_size=4).hexdigest()
    return cache_root() / "targets" / f"{description.name}-{place}"


def _values(description: TargetDescription) -> dict[str, str]:
    """Return what the placeholders of commands stand for, but for the interface."""
    values = {"directory": description.directory, "build": str(build_directory(description))}
    for family, (tester, target) in ADDRESSES.items():
        values |= {f"tester{family}": tester, f"address{family}": target}
    return values


def _start(
    undo: contextlib.ExitStack, process: Process, values: Mapping[str, str], directory: Path
) -> tuple[Program | None, AgentClient]:
    """Start the stack, and the agent where that is another program."""
    start = filled(process.start, values)
    if not process.agent:
        agent = AgentClient(start, directory=directory, is_stack=True)
        return None, undo.enter_context(contextlib.closing(agent))
    program = undo.enter_context(contextlib.closing(Program(start, directory)))
    agent = AgentClient(filled(process.agent, values), directory=directory)
    return program, undo.enter_context(contextlib.closing(agent))


@contextlib.contextmanager
def _device(interface: str, layer: int) -> Iterator[None]:
    """Make a TAP or TUN device to which the stack can attach by name."""
    with IPRoute() as route:
        route.link("add", ifname=interface, kind="tuntap", mode=_MODES[layer])
    try:
        yield
    finally:
        with IPRoute() as route, contextlib.suppress(NetlinkError):
            route.link("del", index=route.link_lookup(ifname=interface)[0])
