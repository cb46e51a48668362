"""The kinds of target, and which cases can be tried at one of each: one table, KINDS."""

from collections.abc import Iterator, Mapping
from enum import Enum

from conformance.model.case import Case, Send, Step, UserCall
from conformance.model.segment import NO_CONTROL, Control
from conformance.model.state import Role
from conformance.session.preamble import preamble


class Offer(Enum):
    """What a target may offer beside answering segments at an open port."""

    CALLS = "user calls"
    """An agent beside it makes the calls of a case."""
    SETTINGS = "sysctl"
    """A system of its own that can be set."""
    OWN = "exclusive"
    """An instance of its own for one case."""
    QUIET = "a user who stays silent"
    """Whatever is sent to it, nothing but TCP answers."""
    SECOND_ADDRESS = "a second address"
    """It is reached at two addresses on the same link."""
    HTTP = "http"
    """A web server answers at the port."""

    def __str__(self) -> str:
        return self.value


_ALL = frozenset({Offer.CALLS, Offer.SETTINGS, Offer.OWN, Offer.QUIET})

KINDS: Mapping[str, frozenset[Offer]] = {
    "reference": _ALL | {Offer.SECOND_ADDRESS},
    "netns": _ALL | {Offer.SECOND_ADDRESS},
    "container": _ALL | {Offer.HTTP},
    "tap": frozenset({Offer.CALLS, Offer.OWN, Offer.QUIET}),
    "host, bare port": frozenset({Offer.QUIET}),
    "host, echo": frozenset(),
    "host, HTTP": frozenset({Offer.HTTP}),
}
"""What each kind of target offers.  A host without an agent has one of three services at its port:
bare (it accepts, reads, and says nothing), echo, and HTTP."""


def needed(case: Case) -> frozenset[Offer]:
    """Return what a case, loaded with its steps, takes beyond an open port that answers."""
    needs = case.needs
    asked = {
        Offer.CALLS: case.role is Role.CLIENT or any(_calls(case)),
        Offer.SETTINGS: bool(needs.sysctl),
        Offer.OWN: needs.exclusive,
        Offer.SECOND_ADDRESS: any(call.local for call in case.calls),
        Offer.HTTP: needs.http,
        # A service answers the data and the FIN that its TCP hands it.
        Offer.QUIET: not needs.http and any(_handed_over(case)),
    }
    return frozenset(offer for offer, is_needed in asked.items() if is_needed)


def can_run(case: Case, kind: str) -> bool:
    """Return whether a case can be tried at a target of this kind, a name in KINDS."""
    return needed(case) <= KINDS[kind]


def _steps(case: Case) -> tuple[Step, ...]:
    return (*preamble(case.role, case.start), *case.steps)


def _calls(case: Case) -> Iterator[bool]:
    return (isinstance(step.action, UserCall) for step in _steps(case))


def _handed_over(case: Case) -> Iterator[bool]:
    for step in _steps(case):
        if isinstance(step.action, Send):
            pattern = step.action.pattern
            fin = Control.FIN in (pattern.control or NO_CONTROL)
            yield fin or step.action.raw is not None or pattern.get("DATA") is not None
