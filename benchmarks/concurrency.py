"""How many times its longest case does the whole suite take?  One run, one ratio.

A case spends its life waiting, so hundreds run at once: the ratio should stay near 1, and
running the cases one after the other would give `sequential`.

    python benchmarks/concurrency.py [SEED]
"""

import sys
import time

from conformance.model.case import Case
from conformance.model.places import cases_root
from conformance.model.trace import Result
from conformance.run.loading import load_cases
from conformance.run.options import RunOptions
from conformance.run.suite import Suite


class Silent:
    """An observer that shows nothing."""

    def started(self, total: int) -> None: ...

    def case_started(self, case: Case, ip: int) -> None: ...

    def case_retried(self, case: Case, ip: int) -> None: ...

    def case_ended(self, result: Result) -> None: ...

    def ended(self, results: object) -> None: ...


def main(seed: int) -> None:
    cases, _ = load_cases([], cases_root())
    with Suite(RunOptions(seed=seed)) as suite:
        began = time.monotonic()
        results = suite.run(cases, Silent())
        wall = time.monotonic() - began
    longest = max(results, key=lambda result: result.duration)
    total = sum(result.duration for result in results)
    print(f"{len(results)} cases in {wall:.2f} s")
    print(f"longest: {longest.id} over IPv{longest.ip}, {longest.duration:.2f} s")
    print(f"ratio to the longest: {wall / longest.duration:.2f}   sequential: {total / longest.duration:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
