"""The reference's lab: a wire in memory, and a clock that jumps to the next event."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from conformance.model.flow import Arrival, Event, Flow, carried
from conformance.model.segment import Segment
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.session import raw
from conformance.target.base import ADDRESSES, Facts, Lab
from conformance.target.reference.application import PROBES, Application
from conformance.target.reference.core import Settings
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.stack import Stack


class ReferenceLab(Lab):
    """One host of the reference.  `sysctl` is understood as far as `settings` goes.

    Times are virtual seconds from the start.  `endpoint` is the kind of connection it has: a
    mutant, or what does right, by `profile`.  Equal seeds give equal runs.
    """

    def __init__(
        self,
        sysctl: Mapping[str, str] | None = None,
        endpoint: type[Endpoint] = Endpoint,
        seed: int = 0,
        profile: Profile = DEFAULT_PROFILE,
    ) -> None:
        given = dict(sysctl or {})
        self._now = 0.0
        self._events: list[Event] = []
        self._stack = Stack(f"reference/{seed}", settings(given, profile), self._emit, endpoint)
        self._application = Application(self._stack, self._events, given)
        self.facts = Facts(
            name="reference",
            system="reference model of RFC 9293",
            ops=self._application.ops,
            probes=PROBES,
            addresses=ADDRESSES,
            multihomed=True,
            details=given,
        )

    def now(self) -> float:
        return self._now

    def _emit(self, flow: Flow, segment: Segment) -> None:
        self._events.append(Arrival(flow, segment, self._now))

    def send(self, flow: Flow, segment: Segment) -> float:
        if segment.envelope.error:
            self._stack.told(flow, segment, self._now)
        else:
            # Whose the segment seems to be decides who is answered; to whom it is, Endpoint.admits.
            apparent = carried(flow, replace(segment.envelope, destination=""))
            self._stack.arrives(apparent, on_the_wire(segment), self._now)
        self._application.serve(self._now)
        return self._now

    def send_raw(self, flow: Flow, octets: bytes) -> float:
        return self.send(flow, raw.parse(octets, flow))

    def request(self, request_id: int, op: str, arguments: Mapping[str, object]) -> None:
        self._application.request(request_id, op, arguments, self._now)
        self._application.serve(self._now)

    def filenos(self) -> Iterable[int]:
        return ()

    def events(self) -> list[Event]:
        events = self._events[:]
        self._events.clear()
        return events

    def advance(self, until: float | None) -> None:
        """Jump to the next alarm or deadline, at most to `until`; nowhere while there are events."""
        if self._events:
            return
        due = [self._stack.next_alarm(), self._application.next_deadline(), until]
        moments = [moment for moment in due if moment is not None]
        if not moments:
            return
        self._now = max(self._now, min(moments))
        self._stack.alarm(self._now)
        self._application.serve(self._now)

    def frames(self, ports: Iterable[int]) -> list[tuple[float, bytes, bool]]:
        return []

    def close(self) -> None:
        self._events.clear()


def settings(sysctl: Mapping[str, str], profile: Profile = DEFAULT_PROFILE) -> Settings:
    """Return what these settings, with the names and values of Linux, come to; and the profile."""
    usual = Settings()
    buffers = sysctl.get("net.ipv4.tcp_rmem", "").split()
    return Settings(
        buffer=int(buffers[1]) if buffers else usual.buffer,
        ecn=sysctl.get("net.ipv4.tcp_ecn") == "1",
        rfc1337=sysctl.get("net.ipv4.tcp_rfc1337") == "1",
        orphan=float(sysctl.get("net.ipv4.tcp_fin_timeout", usual.orphan)),
        challenge_pause=int(sysctl.get("net.ipv4.tcp_invalid_ratelimit", 0)) / 1000,
        profile=profile,
    )


def on_the_wire(segment: Segment) -> Segment:
    """Return the segment as its octets say it: the data offset decides what is header."""
    if segment.doff is None or segment.defect:
        return segment
    options = segment.options + b"\0" * (-len(segment.options) % 4)
    rest = options + segment.data
    size = segment.doff * 4 - 20
    if size < 0 or size > len(rest):
        return replace(segment, defect="the data offset cannot be")
    return replace(segment, options=rest[:size], data=rest[size:])
