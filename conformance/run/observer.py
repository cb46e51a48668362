"""Who watches a run: the engine tells, the console shows."""

from collections.abc import Sequence
from typing import Protocol

from conformance.model.case import Case
from conformance.model.trace import Result


class Observer(Protocol):
    """Is told of a run as it goes, from the thread that runs it.

    Each planned case and IP version gets one `case_ended`; `case_started` may be missing
    (a case that is skipped) or come twice (one that is tried again).
    """

    def started(self, total: int) -> None:
        """`total` cases, counted once an IP version, are about to run."""

    def case_started(self, case: Case, ip: int) -> None: ...

    def case_retried(self, case: Case, ip: int) -> None:
        """The case was inconclusive, or we were late: it will run again, alone."""

    def case_ended(self, result: Result) -> None: ...

    def ended(self, results: Sequence[Result]) -> None:
        """No more cases run; `results` may be fewer than were planned."""
