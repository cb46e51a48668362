"""How a run is to be done."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line chooses.

    `seed` fixes ISNs, ports and payload.  `max_active` cases run at once.  `capture` is
    failed, all or none; captures go to `directory` if it is not empty.
    """

    target: str = "netns"
    seed: int = 0
    strict: bool = False
    profile: str = "9293"
    ip: tuple[int, ...] = (4, 6)
    max_active: int = 1000
    slow: bool = False
    capture: str = "failed"
    directory: str = ""
