"""The kinds of target, and which cases can be tried at one of each: the plan of a run decides."""

from collections.abc import Mapping
from dataclasses import replace

from conformance.model.case import Case
from conformance.model.service import Service, ServiceKind
from conformance.run.options import RunOptions
from conformance.run.plan import obstacle
from conformance.target.base import Facts
from conformance.target.reference.lab import ReferenceLab

_ALL = ReferenceLab().facts
_PORT = 80
_OPTIONS = RunOptions(slow=True, disruptive=True)


def _host(kind: ServiceKind, *, closes: bool) -> Facts:
    """Return what is known of a host without an agent."""
    service = Service(kind, _PORT, closes_on_eof=closes)
    others = {"sysctl": "its settings are its owner's", "own-link": "others are on the way"}
    return replace(
        _ALL, ops=frozenset(), multihomed=False, service=service, closed_port=_PORT + 1, lacks=others
    )


KINDS: Mapping[str, Facts] = {
    "reference": _ALL,
    "netns": _ALL,
    "container": _ALL,
    "tap": replace(_ALL, multihomed=False, lacks={"sysctl": "it is no kernel"}),
    "host, bare port": _host(ServiceKind.BARE, closes=False),
    "host, echo": _host(ServiceKind.ECHO, closes=True),
    "host, HTTP": _host(ServiceKind.HTTP, closes=True),
}
"""What is known of a target of each kind that can do all that its kind can."""


def can_run(case: Case, kind: str) -> bool:
    """Tell whether a case, loaded with its steps, can be tried at a kind of target, by its name."""
    return any(not obstacle(case, ip, KINDS[kind], _OPTIONS) for ip in case.ip)
