"""What a case that did not pass shows: the user's own step, what came, the exchange, how to repeat it."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from conformance.language.diagnostics import Severity, from_diagnosis, line_of, render
from conformance.model.run import USUAL_PROFILE, USUAL_TARGET, RunInfo
from conformance.model.trace import Diagnosis, Result
from conformance.model.verdict import Verdict
from conformance.report.ladder import ladder

_HEAD, _TAIL = 20, 40
"""Lines shown of the beginning and of the end of an exchange too long to read."""


def headline(result: Result) -> str:
    """Return one line: verdict, case, IP version, and the reason."""
    reason = f": {result.reason}" if result.reason else ""
    return f"{result.verdict} {result.id} (IPv{result.ip}){reason}"


def diagnosis(result: Result, run: RunInfo) -> list[str]:
    """Return the lines that explain a result: diagnoses, exchange, live numbers, how to repeat it."""
    lines: list[str] = []
    # A warning may also be the diagnosis, where it decided the verdict.
    for found in dict.fromkeys([*filter(None, [result.diagnosis]), *result.warnings]):
        lines += [*_diagnostic(found, result), ""]
    exchange = _shortened(ladder(result))
    if exchange:
        lines += [*exchange, ""]
    lines += _footnotes(result, run)
    return lines


def _diagnostic(found: Diagnosis, result: Result) -> list[str]:
    notes = tuple(
        (word, f"{text}  ({times} times)" if times > 1 else text)
        for (word, text), times in Counter(found.notes).items()
    )
    warning = found in result.warnings
    severity = Severity.WARNING if warning else _SEVERITIES.get(result.verdict, Severity.FAILURE)
    return render(from_diagnosis(replace(found, notes=notes), result.case.source, severity)).splitlines()


_SEVERITIES = {
    Verdict.WARN: Severity.WARNING,
    Verdict.INCONCLUSIVE: Severity.ERROR,
    Verdict.ERROR: Severity.ERROR,
}


def _shortened(lines: list[str]) -> list[str]:
    left_out = len(lines) - _HEAD - _TAIL
    if left_out < 2:
        return lines
    return [*lines[:_HEAD], f"{'':17}... {left_out} lines, which run.json has ...", *lines[-_TAIL:]]


def _footnotes(result: Result, run: RunInfo) -> Iterator[str]:
    used = _words(result)
    numbers = [_number(name, value) for name, value in result.names.items() if name in used]
    *testers, target = result.ports or (0,)
    if testers:
        word = "port" if len(testers) == 1 else "ports"
        numbers.append(f"tester's {word} {', '.join(map(str, testers))}")
        numbers.append(f"target's port {target}")
    if numbers:
        yield "numbers: " + ", ".join(numbers)
    yield f"states:  {result.evidence.value.lower()}"
    if result.capture:
        yield f"capture: {PurePath(run.directory, result.capture)}"
    yield f"repeat:  {repeat_command(result, run)}"


def _words(result: Result) -> frozenset[str]:
    """The words, and so the names, of what is shown."""
    shown = [record.shown for record in result.trace]
    for found in (*filter(None, [result.diagnosis]), *result.warnings):
        shown += [found.message, found.label, *(text for _, text in found.notes)]
        if found.span:
            shown.append(line_of(result.case.source.splitlines(), found.span.line))
    return frozenset(re.findall(r"\w+", " ".join(shown)))


def _number(name: str, value: float) -> str:
    return f"{name} = {value}" if isinstance(value, int) else f"{name} = {value:.4f} s"


def repeat_command(result: Result, run: RunInfo) -> str:
    """Return the command that runs just this case again: the same seed, judged by the same rules."""
    words = ["conformance", "run", case_argument(result, run)]
    if run.target != USUAL_TARGET:
        words += ["--target", run.target]
    words += ["--ip", str(result.ip), "--seed", str(run.seed)]
    if run.strict:
        words.append("--strict")
    if run.profile != USUAL_PROFILE:
        words += ["--profile", run.profile]
    needs = result.case.needs
    words += ["--slow"] * needs.slow + ["--disruptive"] * needs.disruptive
    words += run.host
    return shlex.join(words)


def case_argument(result: Result, run: RunInfo) -> str:
    """Return what names the case on the command line: its id, or its file if it is the user's own."""
    case = result.case
    if run.cases_root and PurePath(case.span.path).is_relative_to(run.cases_root):
        return case.id
    return case.span.path + case.id.removeprefix(case.file_id)
