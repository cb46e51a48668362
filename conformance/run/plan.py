"""Which case runs where, with which sockets, and which cannot run at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from conformance.model.case import CallName, Case, ExpectNothing, Step, UserCall, Wait
from conformance.model.state import Role, State
from conformance.model.trace import Result
from conformance.model.verdict import Evidence, Verdict
from conformance.run.options import RunOptions
from conformance.session.actions import Endpoints
from conformance.session.preamble import preamble
from conformance.target.base import Facts

TESTER_PORTS = range(20000, 60000)
CLOSED_PORTS = range(10000, 20000)
"""Below what kernels hand out to listeners and connections by themselves."""

_OPS = {
    CallName.OPEN: "connect",
    CallName.SEND: "send",
    CallName.RECEIVE: "receive",
    CallName.CLOSE: "close",
    CallName.ABORT: "close",
    CallName.OPTION: "set_option",
}


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


def plan(cases: Sequence[Case], facts: Facts, options: RunOptions) -> tuple[list[Planned], list[Result]]:
    """Return what will run, longest first, and the results of what cannot."""
    planned: list[Planned] = []
    skipped: list[Result] = []
    taken: set[int] = set()
    for case in sorted(cases, key=lambda case: case.id):
        for ip in case.ip:
            if ip not in options.ip:
                continue
            reason = _not_applicable(case, ip, facts, options)
            if reason:
                skipped.append(skip(case, ip, reason))
                continue
            seed = f"{options.seed}/{case.id}/{ip}"
            endpoints = _endpoints(case, ip, facts, Random(f"{seed}/ports"), taken)
            sysctl = case.needs.sysctl
            lab = ",".join(f"{name}={value}" for name, value in sorted(sysctl.items()))
            if case.needs.exclusive:
                lab = f"{case.id}/{ip}"
            planned.append(Planned(case, ip, endpoints, seed, lab, sysctl, _duration(case)))
    planned.sort(key=lambda item: -item.duration)
    return planned, skipped


def _endpoints(case: Case, ip: int, facts: Facts, random: Random, taken: set[int]) -> Endpoints:
    """Draw the ports of one case: the same whichever other cases run, unless two draw the same."""
    connections = max([1, *(step.connection for step in case.steps)])

    def draw(ports: range) -> int:
        port = random.choice(ports)
        while port in taken:
            port = random.choice(ports)
        taken.add(port)
        return port

    tester_ports = tuple(draw(TESTER_PORTS) for _ in range(connections + 1))
    return Endpoints(ip, *facts.addresses[ip], tester_ports, draw(CLOSED_PORTS))


def skip(case: Case, ip: int, reason: str) -> Result:
    """Return the result of a case that is not run."""
    return Result(case, ip, Verdict.SKIP, reason, Evidence.INFERRED, 0.0, 0.0, level=case.level)


def _not_applicable(case: Case, ip: int, facts: Facts, options: RunOptions) -> str:
    if ip not in facts.addresses:
        return f"the target has no IPv{ip}"
    if case.needs.slow and not options.slow:
        return "slow; --slow runs it"
    if case.needs.http:
        return "needs a target that offers HTTP"
    missing = sorted(_needed_ops(case) - facts.ops)
    if missing:
        return f"the target's agent does not offer {', '.join(missing)}"
    return ""


def _needed_ops(case: Case) -> set[str]:
    steps = (*preamble(case.role, case.start), *case.steps)
    ops = {_OPS[name] for name in _calls(steps)}
    if case.role is Role.SERVER and case.start is not State.CLOSED:
        ops.add("listen")
        if ops & {"send", "receive", "close", "set_option"}:
            ops.add("accept")
    return ops


def _calls(steps: Sequence[Step]) -> set[CallName]:
    return {step.action.name for step in steps if isinstance(step.action, UserCall)}


def _duration(case: Case) -> float:
    """Return about how long a case takes, in seconds: what it waits, and what it is patient for."""
    total = 0.0
    for step in case.steps:
        if isinstance(step.action, Wait):
            total += step.action.seconds
        elif isinstance(step.action, ExpectNothing):
            total += step.within if step.within is not None else 1.0
        elif step.within is not None:
            total += max(step.after or 0.0, step.within / 2)
    return total
