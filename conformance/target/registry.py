"""Which targets there are, by the name that --target gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance.model.description import TargetDescription
from conformance.target.base import Lab, TargetError
from conformance.target.description import load_target


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of target: `lab` starts an instance of it with the given sysctls.

    `crossing` is how long, in seconds, its segments may be on their way to us.  Where time is
    `virtual` no case is slow, and nothing is gained by running two at once.
    """

    name: str
    description: TargetDescription
    lab: Callable[[Mapping[str, str]], Lab]
    crossing: float
    virtual: bool = False


def _netns() -> Target:
    from conformance.target.netns import NetnsLab, enter_namespace

    description = load_target("netns")
    enter_namespace()
    return Target("netns", description, NetnsLab, crossing=0.002)


def _reference() -> Target:
    from conformance.target.reference.lab import ReferenceLab

    return Target("reference", load_target("reference"), ReferenceLab, crossing=0.0, virtual=True)


_TARGETS: dict[str, Callable[[], Target]] = {"netns": _netns, "reference": _reference}


def open_target(name: str) -> Target:
    """Return the target called `name`.  Raises TargetError, with a remedy."""
    if name not in _TARGETS:
        raise TargetError(f"there is no target {name}", f"known are {', '.join(_TARGETS)}")
    return _TARGETS[name]()
