"""The judge of a capture: sorts segments into connections, has each judged, and weighs the findings.

Frames in, verdicts out; no file and no clock is seen here.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from conformance.model.recorded import Address, Checksum, Recorded
from conformance.model.segment import Control
from conformance.model.verdict import Level
from conformance.oracle.offline.claims import Pending
from conformance.oracle.offline.end import End
from conformance.oracle.offline.finding import Condition, Finding
from conformance.oracle.offline.flow import Flow
from conformance.oracle.offline.position import Near, Position, infer

_KEPT_FLOWS = 256
"""Connections whose octets are remembered at once: what bounds the memory that a long capture needs."""
_FEW = 3


@dataclass(slots=True)
class Host:
    """What was seen of one address: its checksums, and segments larger than its link carries."""

    good: int = 0
    bad: int = 0
    partial: int = 0
    super_segments: int = 0

    @property
    def offloads(self) -> bool:
        """Whether its checksums are left to a network card behind the capture point."""
        return self.partial > 0 or (self.bad >= _FEW and self.bad > self.good)


@dataclass(frozen=True, slots=True)
class Judged:
    """A connection with what was found of it."""

    number: int
    client: Address
    server: Address
    first: int
    last: int
    frames: int
    started: float
    ended: float
    position: Position
    x: int | None
    y: int | None
    how: str
    """How it began and ended, in words."""
    violations: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    inconclusive: tuple[Finding, ...]
    notes: tuple[str, ...]
    """What could not be judged of it, and why."""
    judged: bool
    """Whether anything could be judged."""


@dataclass(slots=True)
class OfflineJudge:
    """Feed it a capture's segments in order; then ask for the verdicts."""

    flows: list[Flow] = field(default_factory=list)
    hosts: defaultdict[str, Host] = field(default_factory=lambda: defaultdict(Host))
    _open: dict[frozenset[Address], Flow] = field(default_factory=dict)
    _recent: dict[int, Flow] = field(default_factory=dict)

    def feed(self, recorded: Recorded) -> None:
        host = self.hosts[recorded.source[0]]
        trusted = True
        match recorded.checksum:
            case Checksum.GOOD:
                host.good += 1
            case Checksum.PARTIAL:
                host.partial += 1
            case Checksum.BAD:
                host.bad += 1
                trusted = host.bad > host.good
        flow = self._flow(recorded)
        flow.feed(recorded, trusted)
        self._remember(flow)

    def _flow(self, recorded: Recorded) -> Flow:
        key = frozenset((recorded.source, recorded.destination))
        flow = self._open.get(key)
        if flow is not None and not flow.superseded(recorded):
            return flow
        client, server = _roles(recorded)
        ends = End("client", client), End("server", server)
        opened = Flow(len(self.flows), *ends, recorded.frame, recorded.time)
        if flow is not None:
            opened.previous = flow.ranges()
        self.flows.append(opened)
        self._open[key] = opened
        return opened

    def _remember(self, flow: Flow) -> None:
        """Keep the octets of the connections that were active last, and of no other."""
        self._recent.pop(flow.number, None)
        self._recent[flow.number] = flow
        if len(self._recent) > _KEPT_FLOWS:
            for end in self._recent.pop(next(iter(self._recent))).ends:
                end.octets.forget()

    def verdicts(self, near: Near | None = None, dropped: int = 0) -> list[Judged]:
        """Return what was found of each connection.

        `near` says which end the capture was taken near, where the user knows; `dropped` how
        many frames the capturing program says it has lost.
        """
        for flow in self.flows:
            for end in flow.ends:
                self.hosts[end.address[0]].super_segments += end.super_segments
        lost = dropped > 0 or any(flow.incomplete for flow in self.flows)
        return [self._weigh(flow, near, lost) for flow in self.flows]

    def _weigh(self, flow: Flow, near: Near | None, lost: bool) -> Judged:
        offloading = {end.name for end in flow.ends if self.hosts[end.address[0]].offloads}
        position = Position(near, "as told") if near else infer(flow, offloading)
        sorted_out: dict[str, list[Finding]] = {"violation": [], "warning": [], "inconclusive": []}
        for item in flow.pending:
            word = self._word(item, position, lost)
            if word:
                sorted_out[word].append(item.finding)
        return Judged(
            *(flow.number, flow.client.address, flow.server.address, flow.first, flow.last, flow.frames),
            *(flow.started, flow.ended, position, flow.client.isn, flow.server.isn, _how(flow)),
            violations=tuple(sorted_out["violation"]),
            warnings=tuple(sorted_out["warning"]),
            inconclusive=tuple(sorted_out["inconclusive"]),
            notes=tuple(self._notes(flow, offloading)),
            judged=any(end.seen for end in flow.ends) or bool(flow.pending),
        )

    def _word(self, item: Pending, position: Position, lost: bool) -> str:
        """What a finding comes to: a violation, a warning, inconclusive, or nothing."""
        host = self.hosts[item.end.address[0]]
        bad = "violation" if item.finding.level is Level.MUST else "warning"
        match item.condition:
            case Condition.CERTAIN:
                return bad
            case Condition.NEAR:
                return bad if position.has_order_of(item.end.name) else ""
            case Condition.CHECKSUMS:
                return "" if host.offloads else bad
            case Condition.SEGMENTS:
                return "" if host.offloads or host.super_segments else bad
            case Condition.COMPLETE:
                return "inconclusive" if lost else bad
            case Condition.OFFER:
                return bad if item.refuted or not lost else "inconclusive"
            case Condition.CLAIM | Condition.ECHO:
                return bad if _wrong(item, position, lost) else "inconclusive"

    def _notes(self, flow: Flow, offloading: set[str]) -> list[str]:
        """What could not be judged, and why."""
        notes = []
        for end in flow.ends:
            if end.name in offloading:
                notes.append(
                    f"the {end.name}'s host leaves checksums to its network card: "
                    f"neither checksums nor segment sizes of the {end.name} are judged"
                )
            elif self.hosts[end.address[0]].super_segments:
                notes.append(
                    f"segments of the {end.name}'s host are larger than its link carries (segmentation "
                    f"offload, or merged before the capture): segment sizes of the {end.name} are not judged"
                )
            if not end.seen:
                notes.append(f"no segment of the {end.name} is in the capture")
            elif not end.isn_known and not flow.reset:
                notes.append(f"the {end.name}'s SYN is not in the capture: what it negotiated is not known")
        if flow.incomplete:
            notes.append(
                "the capture has missed frames of this connection: what rests on them is inconclusive"
            )
        if flow.cut:
            notes.append(
                f"{flow.cut} segments were cut by the recording: their checksums and octets are not judged"
            )
        if flow.fragments:
            notes.append(f"{flow.fragments} IP fragments are not judged")
        unjudged = flow.unjudged + len(flow.early)
        if unjudged:
            notes.append(f"{unjudged} segments belong to no connection that the capture shows")
        if flow.suppressed:
            notes.append(f"{flow.suppressed} more findings of the same kinds are left out")
        return notes


def _wrong(item: Pending, position: Position, lost: bool) -> bool:
    """Tell whether an end has claimed to have received what was not sent, and not the capture missed it."""
    if item.withdrawn or (item.back and position.has_order_of(item.end.name)):
        return True
    # Where nothing came later that would tell, only what lies beyond all that was seen is taken for wrong.
    unseen = item.open and item.beyond and item.condition is Condition.CLAIM and item.size > 1
    return not lost and (item.refuted or unseen)


def _roles(recorded: Recorded) -> tuple[Address, Address]:
    """Return who is the client and who the server, by the first segment: where it is no SYN, by the ports."""
    segment = recorded.segment
    ends = recorded.source, recorded.destination
    if segment.has(Control.SYN):
        return (ends[1], ends[0]) if segment.has(Control.ACK) else ends
    return ends if ends[0][1] >= ends[1][1] else (ends[1], ends[0])


def _how(flow: Flow) -> str:
    if flow.client.isn_known and flow.server.isn_known:
        began = "from its SYN"
    elif flow.client.isn_known:
        began = "a SYN that was not accepted"
    else:
        began = "from its middle"
    fins = sum(end.fin is not None for end in flow.ends)
    if flow.reset and fins < 2:
        return f"{began}, reset"
    return began + (", open", ", half closed", ", closed")[fins]
