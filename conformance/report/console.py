"""The run on the terminal: progress, failures as they come, the summary.

Where the output is no terminal, plain lines without control codes.
"""

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from conformance.model.case import Case
from conformance.model.run import RunInfo
from conformance.model.trace import Result
from conformance.model.verdict import Exit, Verdict
from conformance.report.diagnosis import diagnosis, headline
from conformance.report.summary import closing, outcome_of, skips, table
from conformance.report.text import count, fit

V = Verdict
STYLES = {
    V.PASS: "green",
    V.FAIL: "bold red",
    V.WARN: "yellow",
    V.XFAIL: "cyan",
    V.XPASS: "bold red",
    V.INCONCLUSIVE: "magenta",
    V.ERROR: "bold magenta",
    V.SKIP: "dim",
}
_EXIT_STYLES = {
    Exit.CONFORMING: "bold green",
    Exit.NONCONFORMING: "bold red",
    Exit.COULD_NOT_TEST: "bold magenta",
}
_QUIET = frozenset({V.PASS, V.SKIP, V.XFAIL})
_NAMED = 3
"""How many of the running cases the progress line names."""


class RunConsole:
    """An Observer that shows the run on `out`; `run` is what is known of it at its start.

    `verbose` shows each case as it ends.  Use it as a context, so that the terminal is
    given back however the run ends.
    """

    def __init__(self, out: TextIO, run: RunInfo, *, verbose: bool = False) -> None:
        self._console = make_console(out)
        self._run = run
        self._verbose = verbose
        self._running: dict[tuple[str, int], None] = {}
        self.planned = 0
        self.results: list[Result] = []
        one_line = Column(no_wrap=True, overflow="ellipsis")
        self._progress = Progress(
            BarColumn(20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, table_column=one_line),
            console=self._console,
            transient=True,
            refresh_per_second=4,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "RunConsole":
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def started(self, total: int) -> None:
        self.planned = total
        self._say(f"{count(total, 'case')} against {self._run.target}, seed {self._run.seed}")
        self._progress.update(self._task, total=total)
        self._progress.start()

    def case_started(self, case: Case, ip: int) -> None:
        self._running[case.id, ip] = None
        self._describe()

    def case_retried(self, case: Case, ip: int) -> None:
        if self._verbose:
            self._say(f"again, alone: {case.id} (IPv{ip})", "dim")

    def case_ended(self, result: Result) -> None:
        self._running.pop((result.id, result.ip), None)
        self.results.append(result)
        if self._verbose or result.verdict not in _QUIET:
            self._say(headline(result), STYLES[result.verdict])
        if result.verdict not in _QUIET:
            for line in ("", *diagnosis(result, self._run), ""):
                self._say(line)
        self._progress.update(self._task, completed=len(self.results))
        self._describe()
        if not self._console.is_terminal:
            self._count()

    def _count(self) -> None:
        """Where no progress can be shown, say at every tenth how far it is."""
        done, tenth = len(self.results), max(self.planned // 10, 10)
        if done % tenth == 0 and done < self.planned:
            self._say(f"{done} of {self.planned} cases done")

    def ended(self, results: Sequence[Result]) -> None:
        self._progress.stop()

    def _describe(self) -> None:
        names = list(self._running)
        shown = ", ".join(f"{case_id} (IPv{ip})" for case_id, ip in names[:_NAMED])
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        left = self.planned - len(self.results)
        self._progress.update(self._task, description=f"{left} left{': ' if shown else ''}{shown}{more}")

    def _say(self, text: str, style: str = "") -> None:
        say(self._console, text, style)


def make_console(out: TextIO) -> Console:
    """Return a rich console that changes nothing in what it is given but colours."""
    return Console(file=out, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(fit(text), style=style), soft_wrap=True)


def show_summary(out: TextIO, results: Sequence[Result], run: RunInfo) -> None:
    """Print the table by theme, the reasons of skips, and the closing lines."""
    console = make_console(out)
    head, *rows, total = table(results)
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in head:
        style = (
            STYLES.get(Verdict.__members__.get(name.upper(), V.PASS), "")
            if name.upper() in Verdict.__members__
            else ""
        )
        shown.add_column(
            name, justify="left" if name == "theme" else "right", header_style=style, no_wrap=True
        )
    for row in rows:
        shown.add_row(*row)
    shown.add_row(*total, style="bold")
    console.print(shown)
    for line in ("", *skips(results)):
        say(console, line)
    *before, facts = closing(results, run)
    for line in before:
        say(console, line, _EXIT_STYLES[outcome_of(results, run)])
    say(console, facts)


def show_failures(out: TextIO, results: Sequence[Result], run: RunInfo) -> None:
    """Print what the run printed of each case that did not simply pass."""
    console = make_console(out)
    for result in results:
        if result.verdict not in _QUIET:
            say(console, headline(result), STYLES[result.verdict])
            for line in ("", *diagnosis(result, run), ""):
                say(console, line)
