"""How a run is to be done."""

from dataclasses import dataclass, field

from conformance.model.description import Host
from conformance.model.run import USUAL_PROFILE, USUAL_TARGET


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line chooses.

    `seed` fixes ISNs, ports and payload.  `max_active` cases run at once.  `capture` is
    failed, all or none; captures go to `directory` if it is not empty.
    `disruptive`: also what could hurt a fragile target.  `shard` (k, n) is the k-th of n parts
    of a run.  `host` is what was said of a target that can only be reached.
    """

    target: str = USUAL_TARGET
    seed: int = 0
    strict: bool = False
    profile: str = USUAL_PROFILE
    ip: tuple[int, ...] = (4, 6)
    max_active: int = 1000
    slow: bool = False
    capture: str = "failed"
    directory: str = ""
    disruptive: bool = False
    shard: tuple[int, int] | None = None
    host: Host = field(default_factory=Host)
