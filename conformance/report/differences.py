"""Where targets part: one case, and exchanges that are not the same, right or wrong."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from conformance.model.trace import Kind, Record, Result
from conformance.oracle.oracle import CROSSED
from conformance.report.diagnosis import headline
from conformance.report.ladder import ladder

_BESIDE_THE_POINT = frozenset({"retransmission", "needless retransmission", "probe", "window update"})
"""What depends on timers and buffers, and says nothing of how the target takes what it was sent."""


def differences(surveyed: Mapping[str, Sequence[Result]]) -> list[str]:
    """Return of each case and IP version, over which the targets part, who does what."""
    cases: dict[tuple[str, int], dict[str, Result]] = {}
    for target, results in surveyed.items():
        for result in results:
            if result.trace:
                cases.setdefault((result.id, result.ip), {})[target] = result
    shown = (_shown(results) for _, results in sorted(cases.items()))
    return [text for text in shown if text]


def _shown(results: Mapping[str, Result]) -> str:
    alike: dict[tuple[str, ...], list[str]] = {}
    for target, result in results.items():
        alike.setdefault(tuple(record.shown for record in _answers(result)), []).append(target)
    if len(alike) < 2:
        return ""
    common = len(list(takewhile(lambda shown: len(set(shown)) == 1, zip(*alike, strict=False))))
    first = next(iter(results.values()))
    lines = [f"{first.id} (IPv{first.ip}): {', '.join(results)} part {_place(results.values(), common)}"]
    for targets in alike.values():
        for target in targets:
            lines += ["", f"{target}: {headline(results[target])}"]
        lines += ["", *ladder(results[targets[0]])]
    return "\n".join(lines)


def _answers(result: Result) -> list[Record]:
    """Return what the target did, but for what its timers did, and what its user was told."""
    kinds = (Kind.RECEIVED, Kind.RETURN)
    return [
        record
        for record in result.trace
        if record.kind in kinds and record.why.removesuffix(CROSSED) not in _BESIDE_THE_POINT
    ]


def _place(results: Iterable[Result], common: int) -> str:
    steps = [record[common].step for record in map(_answers, results) if len(record) > common]
    numbers = [step for step in steps if step is not None]
    if not numbers:
        return "after the last step"
    return "before the first step" if min(numbers) < 0 else f"in step {min(numbers) + 1}"
