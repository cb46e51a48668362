"""A survey of several targets: which case came out how, target by target."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.report.files import write_whole

NOT_TESTED = "-"


def rows(surveyed: Mapping[str, Sequence[Result]]) -> list[list[str]]:
    """Return the matrix: a head with the targets, then a row a case and IP version."""
    verdicts: dict[tuple[str, int], dict[str, str]] = {}
    for target, results in surveyed.items():
        for result in results:
            verdicts.setdefault((result.id, result.ip), {})[target] = str(result.verdict)
    body = [
        [case, f"IPv{ip}", *(found.get(target, NOT_TESTED) for target in surveyed)]
        for (case, ip), found in sorted(verdicts.items())
    ]
    return [["case", "ip", *surveyed], *body]


def telling(matrix: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return of the rows those in which somebody departs, or could not be tested."""
    quiet = {str(verdict) for verdict in (Verdict.PASS, Verdict.SKIP, Verdict.XFAIL)} | {NOT_TESTED}
    return [row for row in matrix[1:] if set(row[2:]) - quiet]


def write(path: Path, matrix: Sequence[Sequence[str]]) -> None:
    """Write the whole matrix as CSV.  Raises OSError."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(matrix)
    write_whole(path, text.getvalue())
