"""Target `host`: a machine that can only be reached, by the wire and what it offers there."""

import contextlib
import itertools
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from random import Random

from pyroute2.netlink.exceptions import NetlinkError

from conformance.model.description import Host, TargetDescription
from conformance.model.flow import Arrival, Event, Flow, Reply
from conformance.model.segment import Control, Segment
from conformance.model.service import Service, ServiceKind
from conformance.target.agent_client import BOOTSTRAP, AgentClient, agent_parcel
from conformance.target.base import Facts, TargetError
from conformance.target.contact import Contact, meet
from conformance.target.guard import Guard, sweep
from conformance.target.network import received_as_sent, sysctl_path
from conformance.target.route import Way, must_be_raw, way_to
from conformance.target.services import find_service
from conformance.target.wired import Agent, WireLab, attach
from conformance.wire.capture import Capture
from conformance.wire.link import Link, LinkError

DEFAULT_PORT = 80
DEFAULT_RATE = 100
PARALLEL = 20
"""Cases at once: one port of the target serves all of them, and its backlog may be short."""
_RESOLVE_TIMEOUT = 3.0
_SILENT_AFTER = 3.0
_SILENT_SYNS = 4
"""SYNs without any answer, within so many seconds at least, that make a target silent."""
_FEWEST_PORTS = 2000
_SYSCTL = "its settings are its owner's"
_OTHERS = "others may be on the way, who would answer, drop it or get the answers"


class HostLab(WireLab):
    """One connection of this machine to the host, over the interface that leads there."""

    def __init__(self, description: TargetDescription) -> None:
        host = description.host
        if host is None or not host.addresses:
            raise TargetError(
                f"{description.name} has no address",
                f"write a target.yaml with kind: host, inherits: {description.name} and address: ...",
            )
        must_be_raw()
        try:
            with contextlib.ExitStack() as undo:
                ways = [_tester_way(way_to(address), host) for address in host.addresses]
                ports = _tester_ports()
                guarded = _keep_kernel_out(undo, ways, ports, host)
                link, capture = _wire(undo, ways, owned=not host.tester_address)
                probes = itertools.cycle(ports[::-1][:200])
                contacts = [_contact(link, way, host, probes) for way in ways]
                agent, facts = _upper(undo, description, ways, contacts)
                facts = _known(facts, ports, ways, contacts, guarded)
                super().__init__(facts, link, capture, agent, undo.pop_all())
        except (OSError, NetlinkError, LinkError) as error:
            where = ", ".join(host.addresses)
            raise TargetError(
                f"{where} cannot be reached: {error}", "is it connected and switched on?"
            ) from error
        self._rate = host.rate or DEFAULT_RATE
        self._tokens, self._counted = float(self._rate), time.monotonic()
        self._heard, self._heard_port, self._unanswered = time.monotonic(), 0, 0

    # -- the packet rate ----------------------------------------------------------------
    def send(self, flow: Flow, segment: Segment) -> float:
        self._count(segment.has(Control.SYN))
        return super().send(flow, segment)

    def send_raw(self, flow: Flow, octets: bytes) -> float:
        self._count(False)
        return super().send_raw(flow, octets)

    def _count(self, syn: bool) -> None:
        """A case is not held up in its course, which would make it late: who starts next waits for it."""
        self._refill()
        self._tokens -= 1
        self._unanswered += syn

    def _refill(self) -> None:
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._counted) * self._rate)
        self._counted = now

    def pause(self) -> float:
        self._refill()
        return max(0.0, -self._tokens / self._rate)

    # -- whether it is still there ------------------------------------------------------
    def events(self) -> list[Event]:
        events = super().events()
        arrivals = [event for event in events if isinstance(event, Arrival)]
        if arrivals:
            self._heard, self._unanswered = arrivals[-1].time, 0
            self._heard_port = arrivals[-1].flow.tester[1]
        return events

    def silent(self) -> int | None:
        for_long = time.monotonic() > self._heard + _SILENT_AFTER
        return self._heard_port if for_long and self._unanswered >= _SILENT_SYNS else None


class NoAgent:
    """Stands where an agent would be: a target that can only be reached answers no questions."""

    def __init__(self) -> None:
        self._replies: list[Event] = []

    def request(self, request_id: int, op: str, arguments: Mapping[str, object]) -> None:
        self._replies.append(Reply(request_id, {}, "ENOSYS", time.monotonic()))

    def filenos(self) -> list[int]:
        return []

    def events(self) -> list[Event]:
        events, self._replies = self._replies, []
        return events


def _tester_way(way: Way, host: Host) -> Way:
    """Put the spare address, if there is one of this IP version, for this machine's own."""
    if not host.tester_address:
        return way
    spare = ip_address(host.tester_address)
    if spare.version != way.family:
        raise TargetError(
            f"{spare} cannot reach {way.target}", f"name a free IPv{way.family} address of the LAN"
        )
    if str(spare) in (way.source, way.target):
        raise TargetError(f"{spare} is not free", "name an address that nobody on the LAN has")
    return Way(way.target, way.interface, str(spare), way.hop)


def _tester_ports() -> range:
    """Return the longest range of ports from which this machine's kernel opens no connections."""
    low, high = map(int, sysctl_path("net.ipv4.ip_local_port_range").read_text().split())
    ports = max(range(10000, low), range(max(high + 1, 10000), 65536), key=len)
    if len(ports) < _FEWEST_PORTS:
        raise TargetError(
            f"this machine's kernel connects from ports {low} to {high}, which leaves the tester too few",
            "sysctl -w net.ipv4.ip_local_port_range='32768 60999'",
        )
    return ports


def _keep_kernel_out(undo: contextlib.ExitStack, ways: Sequence[Way], ports: range, host: Host) -> str:
    """Make sure that no kernel answers in the tester's place; return how, for the user."""
    if not host.tester_address:
        guard = Guard(ways, ports)
        undo.callback(guard.close)
        return f"ports {ports[0]}-{ports[-1]} of {', '.join(way.source for way in ways)} by {guard.how}"
    sweep()
    how = f"the spare address {host.tester_address}"
    if any(_forwards(way) for way in ways):
        # A router would send on what comes for the address, or say that there is no such host.
        guard = Guard(ways, None)
        undo.callback(guard.close)
        how += f", kept from being forwarded by {guard.how}"
    return how


def _forwards(way: Way) -> bool:
    path = sysctl_path(f"net.ipv{way.family}.conf") / way.interface / "forwarding"
    return path.exists() and path.read_text().strip() != "0"


def _wire(undo: contextlib.ExitStack, ways: Sequence[Way], *, owned: bool) -> tuple[Link, Capture]:
    interfaces = {way.interface for way in ways}
    if len(interfaces) > 1:
        raise TargetError(
            f"the target's addresses are reached by different interfaces: {', '.join(sorted(interfaces))}",
            "test one address at a time",
        )
    interface = ways[0].interface
    undo.enter_context(received_as_sent(interface))
    pairs = [(way.source, way.target) for way in ways]
    hops = {way.target: way.hop for way in ways}
    return attach(undo, interface, pairs, _RESOLVE_TIMEOUT, hops=hops, owned=owned)


def _contact(link: Link, way: Way, host: Host, probes: "itertools.cycle[int]") -> Contact:
    port = None if host.agent else host.port or DEFAULT_PORT
    return meet(link, way, port, probes, Random(os.getpid()))


def _upper(
    undo: contextlib.ExitStack,
    description: TargetDescription,
    ways: Sequence[Way],
    contacts: Sequence[Contact],
) -> tuple[Agent, Facts]:
    """Return who makes the target's user calls, an agent or nobody, and what is known by that."""
    host = description.host
    assert host is not None
    addresses = {way.family: (way.source, way.target) for way in ways}
    if host.agent:
        command, parcel = _agent_command(host.agent)
        agent = undo.enter_context(contextlib.closing(AgentClient(command, parcel)))
        return agent, agent.facts(description.name, addresses, {})
    port = host.port or DEFAULT_PORT
    services = [_service(way, contact, host, port) for way, contact in zip(ways, contacts, strict=True)]
    # What drives the cases of both IP versions is what both offer.
    service = services[0] if len(set(services)) == 1 else Service(ServiceKind.BARE, port)
    return NoAgent(), Facts(
        name=description.name,
        system=f"{service.kind} on port {port} of {' and '.join(host.addresses)}",
        ops=frozenset(),
        probes=frozenset(),
        addresses=addresses,
        service=service,
    )


def _service(way: Way, contact: Contact, host: Host, port: int) -> Service:
    try:
        service, note = find_service(way.target, port, host.service)
    except TargetError as error:
        if host.service or not contact.blocked:
            raise
        # The kernel's SYN has the very options with which ours was not answered.
        service, note = Service(ServiceKind.BARE, port), f"{error}: taken for a bare port"
    if note:
        contact.notes.append(note)
    return service


def _known(
    facts: Facts, ports: range, ways: Sequence[Way], contacts: Sequence[Contact], guarded: str
) -> Facts:
    """Add to what the upper side knows what the wire has shown."""
    split = ports[0] + len(ports) * 4 // 5
    closed = [contact.closed_port for contact in contacts]
    notes = [f"{', '.join(map(str, ways))}; {facts.system}", f"the tester's kernel is kept out: {guarded}"]
    notes += [note for contact in contacts for note in contact.notes]
    blocked = {name: why for contact in contacts for name, why in contact.blocked.items()}
    return replace(
        facts,
        details={**facts.details, "way": ", ".join(map(str, ways)), "guard": guarded},
        lacks={**facts.lacks, "sysctl": _SYSCTL, "own-link": _OTHERS},
        blocked=blocked,
        tester_ports=(range(ports[0], split), range(split, ports[-1] - 200)),
        closed_port=closed[0] if len(set(closed)) == 1 else None,
        ttls={way.family: contact.ttls for way, contact in zip(ways, contacts, strict=True)},
        round_trip=max(contact.round_trip for contact in contacts),
        notes=tuple(notes),
    )


def _agent_command(text: str) -> tuple[list[str], bytes]:
    """Return the command of an agent, and what it reads first: the agent itself, where it ends in `-`.

    `python3 -` would read its program to the end of the input, which never comes.
    """
    words = shlex.split(text)
    if not words or words[-1] != "-":
        return words, b""
    # ssh hands its words to a shell over there, the others to the program as they are.
    program = shlex.quote(BOOTSTRAP) if Path(words[0]).name == "ssh" else BOOTSTRAP
    return [*words[:-1], "-c", program], agent_parcel()
