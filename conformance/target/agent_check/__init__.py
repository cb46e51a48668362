"""Holds an agent, whoever wrote it, to docs/agent.md: `conformance agent check`."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from conformance.target.agent_check import connections, protocol, waiting
from conformance.target.agent_check.bench import MAY_HAVE, Bench, Setting, Violation
from conformance.target.agent_check.catalogue import Check
from conformance.target.agent_check.pipe import Gone
from conformance.target.base import TargetError

__all__ = ["CHECKS", "Finding", "Outcome", "Setting", "absent", "offered", "perform"]

CHECKS = (*protocol.CATALOGUE.checks, *waiting.CATALOGUE.checks, *connections.CATALOGUE.checks)
_START_TIMEOUT = 20.0
"""Seconds an agent may take to start: far away, perhaps, or down a slow pipe."""


class Outcome(Enum):
    CONFORMS = "ok"
    VIOLATES = "WRONG"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check came to; `detail` says what was wrong, or why it was left out."""

    check: Check
    outcome: Outcome
    detail: str = ""


def offered(setting: Setting) -> frozenset[str]:
    """Return the operations of which the agent's hello speaks; TargetError if it does not start.

    What hello itself lacks is a check's to say.
    """
    bench = Bench(setting)
    try:
        number = bench.post("hello")
        ops = bench.answer(number, _START_TIMEOUT).ok.get("ops")
    except Violation as violation:
        if bench.pipe.wait(0.0) is not None:
            raise TargetError(
                f"it does not start: {violation}", f"run {setting.command[0]} by hand, and see what it says"
            ) from violation
        return frozenset()
    finally:
        bench.close()
    return frozenset(op for op in ops if isinstance(op, str)) if isinstance(ops, list) else frozenset()


def absent(ops: frozenset[str]) -> list[str]:
    """Return the operations that an agent may leave out, and this one does."""
    return [op for op in MAY_HAVE if op not in ops]


def perform(setting: Setting, ops: frozenset[str]) -> Iterator[Finding]:
    """Yield the findings of all checks, each made of an agent of its own."""
    for check in CHECKS:
        reason = _reason_to_leave_out(check, setting, ops)
        if reason:
            yield Finding(check, Outcome.LEFT_OUT, reason)
        else:
            yield _examine(check, setting)


def _reason_to_leave_out(check: Check, setting: Setting, ops: frozenset[str]) -> str:
    missing = sorted(check.ops - ops)
    if missing:
        return f"not offered: {', '.join(missing)}"
    if check.loopback and not setting.loopback:
        return "needs an agent that reaches itself"
    if check.silence and not setting.silent:
        return "needs --silent ADDRESS"
    return ""


def _examine(check: Check, setting: Setting) -> Finding:
    bench = Bench(setting)
    try:
        check.function(bench)
        bench.finish()
    except Violation as violation:
        return Finding(check, Outcome.VIOLATES, str(violation))
    except Gone:
        return Finding(check, Outcome.VIOLATES, "the agent reads its requests no more")
    finally:
        bench.close()
    return Finding(check, Outcome.CONFORMS)
