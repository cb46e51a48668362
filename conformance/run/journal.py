"""Keeps what a run has found so far on disk, so that even SIGKILL loses no more than seconds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from conformance.model.case import Case
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.run.observer import Observer

PAUSE = 1.0
"""Seconds at least between two writes."""
SHARE = 20
"""Writing takes at most one part in so many of the time: it makes the tester late."""
_PLAIN = frozenset({Verdict.PASS, Verdict.SKIP})

Write = Callable[[Sequence[Result]], None]


class Journal:
    """An Observer that passes everything on to `observer`, and has `write` keep the results.

    Exchanges in which nothing was found are left out until the run is over.
    """

    def __init__(self, observer: Observer, write: Write) -> None:
        self._observer = observer
        self._write = write
        self._results: list[Result] = []
        self._next = 0.0

    def started(self, total: int) -> None:
        self._observer.started(total)
        self._keep()

    def case_started(self, case: Case, ip: int) -> None:
        self._observer.case_started(case, ip)

    def case_retried(self, case: Case, ip: int) -> None:
        self._observer.case_retried(case, ip)

    def case_ended(self, result: Result) -> None:
        self._observer.case_ended(result)
        self._results.append(replace(result, trace=()) if result.verdict in _PLAIN else result)
        if time.monotonic() >= self._next:
            self._keep()

    def ended(self, results: Sequence[Result]) -> None:
        self._observer.ended(results)

    def _keep(self) -> None:
        began = time.monotonic()
        self._write(self._results)
        ended = time.monotonic()
        self._next = ended + max(PAUSE, SHARE * (ended - began))
