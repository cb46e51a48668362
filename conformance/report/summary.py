"""The end of a run in figures: a table by theme, what was not decided and why, the closing line."""

from collections import Counter
from collections.abc import Iterable, Sequence

from conformance.model.run import RunInfo
from conformance.model.trace import Result
from conformance.model.verdict import Exit, Verdict, exit_code

V = Verdict
ALWAYS = (V.PASS, V.FAIL)
OUTCOMES = {
    Exit.CONFORMING: "CONFORMING",
    Exit.NONCONFORMING: "NONCONFORMING",
    Exit.COULD_NOT_TEST: "COULD NOT TEST",
}


def table(results: Iterable[Result]) -> list[list[str]]:
    """Return the rows of the table: head, one a theme in order, total.

    A verdict that no case has gets no column, but for PASS and FAIL.
    """
    counts: dict[str, Counter[Verdict]] = {}
    for result in results:
        counts.setdefault(result.case.theme, Counter())[result.verdict] += 1
    total = sum(counts.values(), Counter[Verdict]())
    columns = [verdict for verdict in Verdict if verdict in ALWAYS or total[verdict]]
    head = ["theme", "cases", *(verdict.value.lower() for verdict in columns)]
    rows = [_row(theme, counts[theme], columns) for theme in sorted(counts)]
    return [head, *rows, _row("total", total, columns)]


def _row(name: str, counts: Counter[Verdict], columns: Sequence[Verdict]) -> list[str]:
    return [name, str(counts.total()), *(str(counts[verdict] or "-") for verdict in columns)]


def skips(results: Iterable[Result]) -> list[str]:
    """Return one line a reason for which cases were skipped, or are known deviations."""
    lines = []
    for verdict in (V.SKIP, V.XFAIL):
        reasons = Counter(result.reason for result in results if result.verdict is verdict)
        lines += [f"{verdict} {count}: {reason}" for reason, count in sorted(reasons.items())]
    return lines


def closing(results: Sequence[Result], run: RunInfo) -> list[str]:
    """Return the last lines: the outcome, counts, wall time, seed, target and reports."""
    counts = Counter(result.verdict for result in results)
    shown = [f"{counts[v]} {v.value.lower()}" for v in Verdict if v in ALWAYS or counts[v]]
    system = run.system.get("system", "")
    lines = []
    if run.partial:
        lines.append(shortfall(len(results), run))
    outcome = outcome_of(results, run)
    lines.append(f"{OUTCOMES[outcome]}: {', '.join(shown)} in {run.wall_s:.1f} s")
    facts = [f"target {run.target}{f' ({system})' if system else ''}", f"seed {run.seed}"]
    if run.directory:
        facts.append(f"reports in {run.directory}")
    lines.append("; ".join(facts))
    return lines


def shortfall(done: int, run: RunInfo) -> str:
    """Return what a partial run lacks: cases that it was ended before, or shards that were not joined."""
    lacks = f"interrupted: {done} of {run.planned} cases done"
    if done == run.planned and run.shard:
        lacks = f"shards are missing: there is only {run.shard}"
    return f"{lacks}; these results are partial"


def outcome_of(results: Sequence[Result], run: RunInfo) -> Exit:
    """Return the exit code of the run: one that was ended early, or ran nothing, could not test."""
    if run.partial or all(result.verdict is V.SKIP for result in results):
        return Exit.COULD_NOT_TEST
    return exit_code([result.verdict for result in results])
