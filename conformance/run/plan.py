"""Which case runs where, with which sockets, and which cannot run at all."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from conformance.model.case import CallName, Case, Expect, ExpectNothing, Send, Stream, UserCall, Wait
from conformance.model.description import FEATURES
from conformance.model.icmp import ERRORS, Effect
from conformance.model.pattern import Options, Pattern
from conformance.model.segment import Control
from conformance.model.state import Role, State
from conformance.model.trace import Result
from conformance.model.verdict import Evidence, Verdict
from conformance.run.options import RunOptions
from conformance.session.actions import Endpoints
from conformance.session.http import ANSWERED
from conformance.session.preamble import preamble
from conformance.session.suitability import unserved
from conformance.session.web import SERVING
from conformance.target.base import Facts

CLOSED_PORTS = range(10000, 20000)
"""Below what kernels hand out to listeners and connections by themselves."""

Crashes = Callable[[Case, int], bool]

_OPS = {
    CallName.OPEN: "connect",
    CallName.SEND: "send",
    CallName.RECEIVE: "receive",
    CallName.CLOSE: "close",
    CallName.ABORT: "close",
    CallName.STATUS: "urgent",
    CallName.OPTION: "set_option",
}
_URGENT_OPS = {CallName.RECEIVE: "receive_urgent"}
"""What a call takes instead where it is urgent."""
_OPTION_OPS = {("oob_inline", "0"): "receive_urgent"}
"""Which options, set so, only an agent has that has an operation for it."""


_ON_THE_WAY = ("SRC", "DST", "IPOPT", "TTL")
"""Fields of which others on the way than the target take notice."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One case over one IP version, with its sockets.

    `lab` names the instance of the target it needs: empty for the one that all share.
    """

    case: Case
    ip: int
    endpoints: Endpoints
    seed: str
    lab: str
    sysctl: Mapping[str, str]
    duration: float
    again: range = range(60000, 65000)
    """The tester's ports for a second try."""


def plan(
    cases: Sequence[Case], facts: Facts, options: RunOptions, crashes: Crashes = lambda case, ip: False
) -> tuple[list[Planned], list[Result]]:
    """Return what will run, longest first, and the results of what cannot.

    `crashes` tells of a case that it is known to end the target, and had better be apart.
    """
    planned: list[Planned] = []
    skipped: list[Result] = []
    taken: set[int] = set()
    mine = _share(options.shard)
    for case in sorted(cases, key=lambda case: case.id):
        for ip in case.ip:
            if ip not in options.ip or not next(mine):
                continue
            reason = obstacle(case, ip, facts, options)
            if reason:
                skipped.append(skip(case, ip, reason))
                continue
            seed = f"{options.seed}/{case.id}/{ip}"
            endpoints = _endpoints(case, ip, facts, Random(f"{seed}/ports"), taken)
            sysctl = _unsettled(case, facts)
            lab = ",".join(f"{name}={value}" for name, value in sorted(sysctl.items()))
            if case.needs.exclusive or crashes(case, ip):
                lab = f"{case.id}/{ip}"
            planned.append(
                Planned(case, ip, endpoints, seed, lab, sysctl, _duration(case, facts), facts.tester_ports[1])
            )
    planned.sort(key=lambda item: -item.duration)
    return planned, skipped


def _share(shard: tuple[int, int] | None) -> Iterator[bool]:
    """Tell of each case in turn whether it is in this part of the run."""
    number, count = shard or (1, 1)
    return (place == number - 1 for place in itertools.cycle(range(count)))


def _endpoints(case: Case, ip: int, facts: Facts, random: Random, taken: set[int]) -> Endpoints:
    """Draw the ports of one case: the same whichever other cases run, unless two draw the same."""
    connections = max([1, *(step.connection for step in case.steps)])

    def draw(ports: range) -> int:
        port = random.choice(ports)
        while port in taken:
            port = random.choice(ports)
        taken.add(port)
        return port

    tester_ports = tuple(draw(facts.tester_ports[0]) for _ in range(connections + 1))
    if case.options.same_port:
        # The target's user asks for it, so the target must not have handed it out.
        tester_ports = (tester_ports[0], draw(CLOSED_PORTS), *tester_ports[2:])
    closed_port = draw(CLOSED_PORTS) if facts.closed_port is None else facts.closed_port
    return Endpoints(ip, *facts.addresses[ip], tester_ports, closed_port, facts.timing.twice_msl)


def skip(case: Case, ip: int, reason: str) -> Result:
    """Return the result of a case that is not run."""
    return Result(case, ip, Verdict.SKIP, reason, Evidence.INFERRED, 0.0, 0.0, level=case.level)


def obstacle(case: Case, ip: int, facts: Facts, options: RunOptions) -> str:
    """Return why a case cannot run over an IP version at a target; empty if it can."""
    if ip not in facts.addresses:
        return facts.lacks.get(f"ipv{ip}") or f"the target has no IPv{ip}"
    if case.needs.slow and not options.slow:
        return "slow; --slow runs it"
    if case.needs.disruptive and not options.disruptive:
        return "could hurt a fragile target; --disruptive runs it"
    for feature in _features(case, ip, facts):
        if feature in facts.lacks:
            return f"the target lacks {FEATURES[feature]}: {facts.lacks[feature]}"
    for name in _offered(case):
        if name in facts.blocked:
            return f"offers {name} in a SYN: {facts.blocked[name]}"
    if facts.service is not None:
        if case.options.same_port or case.options.target_port is not None:
            return "needs a port of its own choice at the target"
        if facts.closed_port is None and case.role is Role.SERVER and case.start is State.CLOSED:
            return "needs a closed port that answers: a firewall drops what comes for those of the target"
        return unserved(case, facts.service)
    return _uncalled(case, facts)


def _uncalled(case: Case, facts: Facts) -> str:
    """Return why the agent cannot make the calls of a case."""
    statuses = {step.action.status for step in case.steps if isinstance(step.action, Stream)} - {None}
    if statuses - ANSWERED:
        return "needs a host that offers HTTP: waits for a status that the tester's own web server never has"
    missing = sorted(_needed_ops(case) - facts.ops)
    if missing:
        return f"the target's agent does not offer {', '.join(missing)}"
    if any(call.local for call in case.calls) and not facts.multihomed:
        return "the target has no second address that the tester knows of"
    return ""


def _unsettled(case: Case, facts: Facts) -> dict[str, str]:
    """Return the settings that a case needs and that are not the target's anyway."""
    needed = case.needs.sysctl.items()
    return {name: value for name, value in needed if facts.settled.get(name) != value}


def _features(case: Case, ip: int, facts: Facts) -> list[str]:
    """Return which of FEATURES a case needs the target to have."""
    answers = _expected_options(case)
    needed = {
        "ipv4": ip == 4,
        "ipv6": ip == 6,
        "active-open": case.role is Role.CLIENT,
        "simultaneous-open": (case.role, case.start) == (Role.CLIENT, State.SYN_RECEIVED),
        "timestamps": case.options.timestamps or "TS" in answers,
        "window-scale": case.options.window_scale is not None or "WS" in answers,
        "sack": case.options.sack or bool(answers & {"SACK-PERMITTED", "SACK"}),
        "own-link": any(
            isinstance(step.action, Send) and any(map(step.action.pattern.get, _ON_THE_WAY))
            for step in case.steps
        ),
        "path-mtu-discovery": any(_path_mtus(case)),
        "sysctl": bool(_unsettled(case, facts)),
    }
    return [name for name in FEATURES if needed[name]]


def _path_mtus(case: Case) -> Iterator[bool]:
    """Tell of each segment the tester sends whether it is an ICMP error that tells a path MTU."""
    for step in case.steps:
        if isinstance(step.action, Send):
            field = step.action.pattern.get("ICMP")
            yield field is not None and ERRORS[str(field.value)].effect is Effect.SIZE


def _expected_options(case: Case) -> set[str]:
    """Return the options, by name, without which no segment of the target can match."""
    found: set[str] = set()
    for step in case.steps:
        if isinstance(step.action, Expect):
            named = [_options(alternative.pattern) for alternative in step.action.alternatives]
            found |= set.intersection(*named)
    return found


def _options(pattern: Pattern) -> set[str]:
    field = pattern.get("OPT")
    if field is None or field.negated or not isinstance(field.value, Options):
        return set()
    return {item.name for item in field.value.items}


def _offered(case: Case) -> set[str]:
    """Return the options that the case's SYNs offer, by the notation's names."""
    options = case.options
    with_it = {
        "TS": options.timestamps,
        "WS": options.window_scale is not None,
        "SACK-PERMITTED": options.sack,
    }
    names = {name for name, offered in with_it.items() if offered}
    for step in case.steps:
        if isinstance(step.action, Send) and Control.SYN in (step.action.pattern.control or Control.ACK):
            names |= _options(step.action.pattern)
    return names


def _needed_ops(case: Case) -> set[str]:
    steps = (*preamble(case.role, case.start), *case.steps)
    calls = [step.action for step in steps if isinstance(step.action, UserCall)]
    ops = {_op(call) for call in calls}
    ops |= {_OPTION_OPS[call.option] for call in calls if call.option in _OPTION_OPS}
    if case.role is Role.SERVER and case.start is not State.CLOSED:
        ops.add("listen")
        if ops & {"send", "receive", "receive_urgent", "close", "urgent", "set_option"}:
            ops.add("accept")
    return ops | SERVING if case.needs.http else ops


def _op(call: UserCall) -> str:
    """Return the operation of the agent that makes a call."""
    return (call.urgent and _URGENT_OPS.get(call.name)) or _OPS[call.name]


def _duration(case: Case, facts: Facts) -> float:
    """Return about how long a case takes, in seconds: what it waits, and what it is patient for."""
    total = 0.0
    for step in case.steps:
        if isinstance(step.action, Wait):
            total += step.action.seconds + (facts.timing.twice_msl if step.action.twice_msl else 0.0)
        elif isinstance(step.action, ExpectNothing) or step.count is not None:
            total += step.patience
        elif step.within is not None:
            total += max(step.after or 0.0, step.within / 2)
    return total
