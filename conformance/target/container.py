"""Target `container`: the stack in a container, a service of docker-compose.yml."""

import contextlib
import select
import time
from collections.abc import Mapping
from dataclasses import replace

from pyroute2.netlink.exceptions import NetlinkError

from conformance.model.description import TargetDescription
from conformance.model.flow import Died, Event, Reply
from conformance.target.agent_client import AgentClient
from conformance.target.base import TargetError
from conformance.target.beside import Beside, is_beside
from conformance.target.bridged import Bridged
from conformance.target.network import TELLING
from conformance.target.place import Place, Watch, spare_mac
from conformance.target.wired import WireLab, attach
from conformance.wire.link import LinkError

PARALLEL = 200
"""How many cases run at once, if the description does not say: their calls share one `docker exec`."""
_READY_TIMEOUT = 10.0
_STOP_PATIENCE = 3.0
"""How long after the agent's end its container's end may be told, in seconds."""
_PING = -3
_PING_TIMEOUT = 5.0
_INTERFACES = ("net.ipv4.conf.", "net.ipv6.conf.")
"""What Docker has made of the interfaces stays: disable_ipv6, set and set back, takes the addresses away."""
_NOT_WRITABLE = ("EROFS", "EACCES", "EPERM")


def find_place(service: str) -> Place:
    """Return where the container of a service is to be met, which is started if it is not up.

    Raises TargetError, with a remedy.
    """
    return Beside(service) if is_beside() else Bridged(service)


class ContainerLab(WireLab):
    """The container at `place`, with the given sysctls until close(), and those of its description.

    There is only one container: what needs other sysctls comes after.  TargetError if it is
    lost, or cannot be set up.
    """

    def __init__(self, place: Place, description: TargetDescription, sysctl: Mapping[str, str]) -> None:
        if place.lost:
            raise TargetError(place.lost)
        try:
            with contextlib.ExitStack() as undo:
                watch = undo.enter_context(contextlib.closing(place.watch()))
                client = undo.enter_context(contextlib.closing(place.agent()))
                agent = _Watched(client, watch)
                homes = place.prepare(undo)
                details, lacks = _configure(place.keeper(client), client, description, sysctl, undo)
                addresses = place.take_addresses()
                mac = spare_mac(tester for tester, _ in addresses.values())
                link, capture = attach(
                    undo, place.interface, addresses.values(), _READY_TIMEOUT, homes=homes, mac=mac
                )
                facts = client.facts(description.name, addresses, {**place.details, **details})
                facts = replace(facts, lacks={**place.lacks, **lacks}, multihomed=bool(homes))
                super().__init__(facts, link, capture, agent, undo.pop_all())
        except TargetError as error:
            raise TargetError(place.lost or str(error), error.remedy) from error
        except (OSError, NetlinkError, LinkError) as error:
            raise TargetError(f"cannot attach to the container: {error}") from error
        self._watched = agent
        self._held: list[Event] = []

    def events(self) -> list[Event]:
        held, self._held = self._held, []
        return held + super().events()

    def lost(self) -> str:
        if not self._watched.lost:
            self._held += self._watched.ping()
        return self._watched.lost


class _Watched:
    """An agent in a container: if both end, it is the container's end that is told.

    `lost` says why, once either has ended.
    """

    def __init__(self, agent: AgentClient, watch: Watch) -> None:
        self._agent = agent
        self._watch = watch
        self.lost = ""

    def request(self, request_id: int, op: str, arguments: Mapping[str, object]) -> None:
        self._agent.request(request_id, op, arguments)

    def filenos(self) -> list[int]:
        return [] if self.lost else [*self._agent.filenos(), *self._watch.filenos()]

    def events(self) -> list[Event]:
        if self.lost:
            return []
        events = self._agent.events()
        died = [event for event in events if isinstance(event, Died)]
        reason = self._watch.stopped(_STOP_PATIENCE if died else 0.0)
        if not died and not reason:
            return events
        self.lost = reason or died[0].reason
        return [*(event for event in events if event not in died), Died(self.lost, time.monotonic())]

    def ping(self) -> list[Event]:
        """Ask the agent whether it is there; return what came until it said so, or was found lost.

        Its end can be heard of later than the segments that its end has caused.
        """
        self.request(_PING, "hello", {})
        deadline = time.monotonic() + _PING_TIMEOUT
        events: list[Event] = []
        while not self.lost and not any(isinstance(event, Reply) and event.id == _PING for event in events):
            left = deadline - time.monotonic()
            if left <= 0:
                self.lost = f"the agent has not answered for {_PING_TIMEOUT:g} s"
                events.append(Died(self.lost, time.monotonic()))
            else:
                select.select(self.filenos(), [], [], left)
                events += self.events()
        return events


def _configure(
    keeper: AgentClient,
    agent: AgentClient,
    description: TargetDescription,
    sysctl: Mapping[str, str],
    undo: contextlib.ExitStack,
) -> tuple[dict[str, str], dict[str, str]]:
    """Set the sysctls; return what tells of the target, and what it lacks.

    Who sets them sets them back when it ends, even if the tester is killed.
    """
    if keeper is not agent:
        undo.enter_context(contextlib.closing(keeper))
    details: dict[str, str] = {}
    lacks: dict[str, str] = {}
    for name, value in description.sysctl.items():
        if name.startswith(_INTERFACES):
            continue
        error = keeper.call("sysctl", {"name": name, "value": value}).error
        if error in _NOT_WRITABLE or error == "ENOSYS":
            lacks["sysctl"] = f"the container's /proc/sys cannot be written ({error})"
            details["settings"] = "the container's own: its /proc/sys cannot be written"
            break
        if error and error != "ENOENT":  # kernels differ in what they offer, and what per namespace
            raise TargetError(f"cannot set sysctl {name} to {value}: {error}")
    keeper.call("forget", {})
    for name, value in sysctl.items():
        error = keeper.call("sysctl", {"name": name, "value": value}).error
        if error:
            raise TargetError(f"cannot set sysctl {name} to {value}: {error}")
    for name in (*TELLING, *sysctl):
        ok = keeper.call("sysctl", {"name": name}).ok
        if "value" in ok:
            details[name] = str(ok["value"])
    return details, lacks
