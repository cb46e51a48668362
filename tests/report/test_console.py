import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import sample

from conformance.model.run import RunInfo
from conformance.model.trace import Result
from conformance.model.verdict import Exit, Verdict
from conformance.report.console import RunConsole, show_failures, show_summary
from conformance.report.summary import outcome_of

Golden = Callable[[str, str], None]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _run(
    out: io.StringIO, results: Sequence[Result], run: RunInfo = sample.RUN, *, verbose: bool = False
) -> str:
    with RunConsole(out, run, verbose=verbose) as console:
        console.started(run.planned)
        for result in results:
            console.case_started(result.case, result.ip)
        for result in results:
            console.case_ended(result)
        console.ended(results)
    show_summary(out, results, run)
    return out.getvalue()


def test_a_run_in_plain_lines(golden: Golden) -> None:
    text = _run(io.StringIO(), sample.ALL)
    golden("console.txt", text)
    assert "\x1b" not in text


def test_every_case_is_shown_if_asked_for(golden: Golden) -> None:
    golden("console-verbose.txt", _run(io.StringIO(), sample.ALL[-2:], verbose=True))


def test_a_partial_run(golden: Golden) -> None:
    golden("console-partial.txt", _run(io.StringIO(), sample.ALL[:1], replace(sample.RUN, partial=True)))


def test_failures_shown_again_are_those_of_the_run() -> None:
    out = io.StringIO()
    show_failures(out, sample.ALL, sample.RUN)
    during = _run(io.StringIO(), sample.ALL).splitlines()
    shown = out.getvalue().splitlines()
    assert during[1 : len(shown) + 1] == shown


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = _run(Terminal(), sample.ALL)
    assert "\x1b[" in text
    assert "0/9" in text
    assert "9/9" in text


def test_the_outcome() -> None:
    ok, skipped = sample.result("a/b", Verdict.PASS), sample.result("a/c", Verdict.SKIP)
    assert outcome_of([ok, skipped], sample.RUN) is Exit.CONFORMING
    assert outcome_of([skipped], sample.RUN) is Exit.COULD_NOT_TEST
    assert outcome_of([], sample.RUN) is Exit.COULD_NOT_TEST
    assert outcome_of([ok], replace(sample.RUN, partial=True)) is Exit.COULD_NOT_TEST
    assert outcome_of(sample.ALL, sample.RUN) is Exit.NONCONFORMING
    assert outcome_of([sample.result("a/d", Verdict.WARN), ok], sample.RUN) is Exit.CONFORMING
