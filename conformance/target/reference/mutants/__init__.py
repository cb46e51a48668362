"""Seeded defects of the reference, each realistic, one at a time: who judges must find them.

A mutant is a subclass of Endpoint that decides one thing wrongly.  Each module here is one
topic; importing this package fills `MUTANTS`.
"""

from conformance.target.reference.mutants import (
    arithmetic,
    carriage,
    checks,
    closing,
    congestion,
    data,
    delays,
    fast_open,
    keepalive,
    marks,
    opening,
    option_lists,
    orphans,
    out_of_band,
    replies,
    reports,
    resets,
    sack,
    stamps,
    timers,
    urgency,
    users,
    windows,
)
from conformance.target.reference.mutants.registry import MUTANTS, Mutant

__all__ = [
    "MUTANTS",
    "Mutant",
    "arithmetic",
    "carriage",
    "checks",
    "closing",
    "congestion",
    "data",
    "delays",
    "fast_open",
    "keepalive",
    "marks",
    "opening",
    "option_lists",
    "orphans",
    "out_of_band",
    "replies",
    "reports",
    "resets",
    "sack",
    "stamps",
    "timers",
    "urgency",
    "users",
    "windows",
]
