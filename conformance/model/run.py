"""What is known of a run as a whole, beside its results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

USUAL_TARGET = "netns"
USUAL_PROFILE = "9293"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run of the tester against one target.

    `system` has facts of the target by name (system, congestion control, ...); `started` is
    ISO 8601 with its offset from UTC; `planned` counts the cases (variant and IP version)
    that were to run, and `partial` says that the run was ended before all of them had.
    `argv` is the command line without the program's name.
    """

    target: str
    seed: int
    started: str
    wall_s: float
    version: str
    planned: int
    system: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    partial: bool = False
    strict: bool = False
    argv: tuple[str, ...] = ()
    directory: str = ""
    """Where the run's reports are, as the user is to be told; empty if none are kept."""
    cases_root: str = ""
    """Where the cases that come with the tester are; others are named by their file."""
    shard: str = ""
    """Which part of a run that was split this is, as "1/3"; empty for a whole one.

    Of a joined run, the parts that are there if others are missing.
    """
    profile: str = USUAL_PROFILE
    """Which choices the RFCs leave it was judged by: a name in oracle/latitude.py: PROFILES."""
    host: tuple[str, ...] = ()
    """The options in which the command line says something of a host."""
