"""What `conformance check` shows: findings like those of a run, with the frame where a run has the step."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from conformance.oracle.offline.finding import Finding
from conformance.oracle.offline.judge import Judged
from conformance.report.text import count, fit

_WIDTH = 100
_LISTED = 40
"""Connections listed; of more only those with findings."""
_EACH = 10
"""Findings of one kind shown of one connection."""
BLIND_SPOTS = (
    "the calls of the applications, so neither whether data or a FIN was due nor the states of the ends",
    "what happened between the capture point and an end: loss, repetition and change of order there",
    "what an end received, but for what it acknowledges: timers and the absence of a reply are not judged",
)
"""What no capture can show."""


def as_text(path: str, counts: tuple[int, int], flows: Sequence[Judged], notes: Sequence[str]) -> str:
    """Return the report; `counts` are the capture's frames, and those of them without TCP."""
    lines = [f"capture: {fit(path)}: {count(counts[0], 'frame')}, {count(len(flows), 'connection')}"]
    if counts[1]:
        lines.append(f"  note: {count(counts[1], 'frame')} without TCP that could be read")
    lines += [f"  note: {note}" for note in notes]
    lines.append("")
    lines += _listing(flows)
    for flow in flows:
        lines += _details(path, flow)
    lines += ["not shown by a capture:", *(f"  - {spot}" for spot in BLIND_SPOTS), ""]
    return "\n".join([*lines, _summary(flows)])


def _listing(flows: Sequence[Judged]) -> Iterator[str]:
    shown = flows if len(flows) <= _LISTED else [flow for flow in flows if _found(flow)]
    for flow in shown:
        client, server = _address(flow.client), _address(flow.server)
        found = f": {_found(flow)}" if _found(flow) else ""
        yield f"flow {flow.number}  {client} -> {server}  frames {flow.first}..{flow.last}  {flow.how}{found}"
        yield f"  near: {flow.position.near} ({flow.position.because})"
        for note in flow.notes:
            yield from textwrap.wrap(
                f"note: {note}", _WIDTH - 2, initial_indent="  ", subsequent_indent="        "
            )
    if len(shown) < len(flows):
        rest = count(len(flows) - len(shown), "connection")
        yield f"{rest} without a finding not listed (--flow N shows one)"
        yield from _gathered(flows)
    yield ""


def _gathered(flows: Sequence[Judged]) -> Iterator[str]:
    """What is the same of many connections, once."""
    near = Counter(str(flow.position.near) for flow in flows)
    yield "  near: " + ", ".join(f"{name} ({number})" for name, number in near.most_common())
    notes = Counter(note for flow in flows for note in flow.notes)
    for note, number in notes.most_common():
        yield from textwrap.wrap(
            f"note: {note} ({count(number, 'connection')})",
            _WIDTH - 2,
            initial_indent="  ",
            subsequent_indent="        ",
        )


def _found(flow: Judged) -> str:
    kinds = (
        ("violation", flow.violations),
        ("warning", flow.warnings),
        ("inconclusive finding", flow.inconclusive),
    )
    return ", ".join(count(len(found), kind) for kind, found in kinds if found)


def _details(path: str, flow: Judged) -> Iterator[str]:
    for word, found in (
        ("failure", flow.violations),
        ("warning", flow.warnings),
        ("inconclusive", flow.inconclusive),
    ):
        seen: Counter[tuple[str, str]] = Counter()
        for finding in found:
            key = finding.code, finding.end
            seen[key] += 1
            if seen[key] <= _EACH:
                yield from _finding(path, flow, finding, word)
        for (code, end), number in seen.items():
            if number > _EACH:
                yield f"{word}[{code}]: {number - _EACH} more of the {end} in flow {flow.number}"
                yield ""


def _finding(path: str, flow: Judged, finding: Finding, word: str) -> Iterator[str]:
    gutter = " " * len(str(finding.frame))
    yield f"{word}[{finding.code}]: {finding.message}"
    yield f"{gutter}--> {fit(path)}: frame {finding.frame}, {finding.time:.6f} s, flow {flow.number}"
    yield f"{gutter} |"
    yield f"{finding.frame} | {finding.end} {finding.shown}"
    at, length = _place(finding)
    lead = len(finding.end) + 1
    yield f"{gutter} | {' ' * (at + lead if length else 0)}{'^' * (length or lead - 1)}"
    if finding.level.value != "MUST":
        yield f"{gutter} = level: {finding.level}"
    if word == "inconclusive":
        yield f"{gutter} = the capture may have missed what would explain this"
    yield f"{gutter} = {finding.clause}"
    yield ""


def _place(finding: Finding) -> tuple[int, int]:
    """Return where the field that shows the violation is, and its length; 0 if it is not shown."""
    at = finding.shown.find(f"<{finding.field}=") if finding.field else -1
    return (at, finding.shown.index(">", at) - at + 1) if at >= 0 else (0, 0)


def _summary(flows: Sequence[Judged]) -> str:
    judged = [flow for flow in flows if flow.judged]
    if not judged:
        return "nothing could be judged"
    totals = (
        ("violation", sum(len(flow.violations) for flow in flows)),
        ("warning", sum(len(flow.warnings) for flow in flows)),
        ("inconclusive finding", sum(len(flow.inconclusive) for flow in flows)),
    )
    told = [count(number, kind) for kind, number in totals if number or kind == "violation"]
    return f"{count(len(judged), 'connection')} judged: {', '.join(told)}"


def _address(address: tuple[str, int]) -> str:
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def as_json(path: str, counts: tuple[int, int], flows: Sequence[Judged], notes: Sequence[str]) -> str:
    """Return the report for programs; times in seconds from the first frame."""
    return json.dumps(
        {
            "capture": path,
            "frames": counts[0],
            "frames_without_tcp": counts[1],
            "notes": list(notes),
            "not_shown": list(BLIND_SPOTS),
            "flows": [_flow_json(flow) for flow in flows],
        },
        indent=1,
    )


def _flow_json(flow: Judged) -> dict[str, object]:
    return {
        "flow": flow.number,
        "client": list(flow.client),
        "server": list(flow.server),
        "first_frame": flow.first,
        "last_frame": flow.last,
        "frames": flow.frames,
        "started": flow.started,
        "ended": flow.ended,
        "how": flow.how,
        "near": str(flow.position.near),
        "near_because": flow.position.because,
        "x": flow.x,
        "y": flow.y,
        "judged": flow.judged,
        "violations": [_finding_json(found) for found in flow.violations],
        "warnings": [_finding_json(found) for found in flow.warnings],
        "inconclusive": [_finding_json(found) for found in flow.inconclusive],
        "notes": list(flow.notes),
    }


def _finding_json(finding: Finding) -> dict[str, object]:
    return {**asdict(finding), "level": str(finding.level)}
