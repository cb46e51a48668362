"""The command line.  What is slow to import (scapy, pyroute2, rich) is imported where it is used."""

import contextlib
import json
import secrets
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance import __version__
from conformance.cli_check import check
from conformance.cli_mutants import mutants
from conformance.model.case import Case
from conformance.model.places import cases_root, targets_root
from conformance.model.run import RunInfo
from conformance.model.verdict import Exit
from conformance.report.text import count

if TYPE_CHECKING:
    from conformance.model.trace import Result
    from conformance.run.options import RunOptions

_FILE = click.Path(path_type=Path, dir_okay=False)
_DIRECTORY = click.Path(path_type=Path, file_okay=False)
EXIT_CODES = """\b
Exit codes:
  0  the target conforms
  1  the target does not conform (or a known deviation no longer occurs)
  2  wrong usage, or an error in a case: nothing was sent
  3  could not test: inconclusive, an error of the tester, or interrupted
     (Ctrl-C gives 3, not 130: what was tested until then is reported)
"""


class Commands(click.Group):
    """A group whose failures keep to the exit codes: only a verdict may give 0 or 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            result: object = super().invoke(ctx)
            return result
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            _tell(error)
        raise click.exceptions.Exit(Exit.COULD_NOT_TEST)


def _tell(error: Exception) -> None:
    remedy = getattr(error, "remedy", None)
    if remedy is None:
        traceback.print_exception(error)
        click.echo("error: this is a defect of the tester itself", err=True)
        return
    click.echo(f"error: {error}", err=True)
    if remedy:
        click.echo(f"  try: {remedy}", err=True)


@click.group(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="conformance")
def main() -> None:
    """Tell whether a TCP implementation keeps to the RFCs."""


# -- the cases that are meant -----------------------------------------------------------
def _cases(
    arguments: Sequence[str], themes: Sequence[str] = (), *, rehearsed: bool = False, heads: bool = False
) -> list[Case]:
    """Return the cases that are meant; if any of them has an error, show all errors and exit."""
    from conformance.language.diagnostics import render_all
    from conformance.run.loading import load_cases
    from conformance.run.selection import UnknownCase

    try:
        found, errors = load_cases(arguments, cases_root(), themes, rehearsed=rehearsed, heads=heads)
    except UnknownCase as error:
        raise click.UsageError(str(error)) from None
    if errors:
        click.echo(render_all(errors), err=True, nl=False)
        raise click.exceptions.Exit(Exit.USAGE)
    return found


_paths = click.argument("cases", nargs=-1, metavar="[PATH_OR_ID]...")
_themes = click.option(
    "--theme",
    "-k",
    "themes",
    multiple=True,
    metavar="NAME",
    help="Only this theme, or ids with this in them.",
)


@main.command("list")
@_paths
@_themes
@click.option("--json", "as_json", is_flag=True, help="A JSON array, one object a variant.")
def list_command(cases: tuple[str, ...], themes: tuple[str, ...], as_json: bool) -> None:
    """Show the cases: id, title, level, RFC, what they cover and need."""
    found = _cases(cases, themes, heads=True)
    if as_json:
        click.echo(json.dumps([_listed(case) for case in found], indent=1))
        return
    _print_list(found)


def _listed(case: Case) -> dict[str, object]:
    return {
        "id": case.id,
        "theme": case.theme,
        "title": case.title,
        "rfc": case.rfc,
        "covers": list(case.covers),
        "level": str(case.level),
        "ip": list(case.ip),
        "needs": case.needs.words(),
        "role": str(case.role),
    }


def _print_list(cases: Sequence[Case]) -> None:
    width = max((len(case.id) for case in cases), default=0)
    for case in cases:
        facts = [case.rfc and f"RFC {case.rfc}", ", ".join(case.covers), ", ".join(case.needs.words())]
        shown = "; ".join(filter(None, facts))
        click.echo(
            f"{case.id:<{width}}  {case.level.value:<6}  {case.role.value:<6}  {case.title}  ({shown})"
        )
    click.echo(_counted(cases))


def _counted(cases: Sequence[Case]) -> str:
    files = len({case.span.path for case in cases})
    return f"{count(len(cases), 'variant')} of {count(files, 'case')}"


@main.command()
@_paths
def lint(cases: tuple[str, ...]) -> None:
    """Check cases, and rehearse them against RFC 9293, without sending anything."""
    found = _cases(cases, rehearsed=True, heads=True)
    click.echo(f"{_counted(found)}: no errors")


@main.command()
@_paths
def show(cases: tuple[str, ...]) -> None:
    """Show the exchange that RFC 9293 predicts of cases, and the TCB after each step."""
    if not cases:
        raise click.UsageError("name a case")
    from conformance.report.prediction import predicted

    for number, case in enumerate(_cases(cases, rehearsed=True)):
        click.echo("\n".join(([""] if number else []) + predicted(case)))


@main.command()
@_paths
@click.option("--grid", is_flag=True, help="The cells of RFC 9293 3.10.7, state x segment, instead.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: an object of lists of case ids.")
def coverage(cases: tuple[str, ...], grid: bool, as_json: bool) -> None:
    """Show which requirements, or which cells of the RFC's state machine, the cases cover."""
    from conformance.run import coverage as covered

    found = _cases(cases, rehearsed=grid)
    cells = covered.grid(found) if grid else {}
    needs = {} if grid else covered.requirements(found)
    if as_json:
        click.echo(json.dumps({str(name): ids for name, ids in (cells or needs).items()}, indent=1))
    elif grid:
        click.echo("\n".join(covered.table(cells)))
    else:
        for name, ids in needs.items():
            click.echo(f"{name:<18} {len(ids):>4}  {', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''}")
        click.echo(f"{sum(map(bool, needs.values()))} of {len(needs)} requirements are covered")


# -- a run ------------------------------------------------------------------------------
def _known_target(context: click.Context, parameter: click.Parameter, name: str) -> str:
    known = sorted(path.parent.name for path in targets_root().glob("*/target.yaml"))
    if name not in known:
        raise click.BadParameter(f"there is no target {name}; known are {', '.join(known)}")
    return name


@main.command("run", epilog=EXIT_CODES)
@_paths
@_themes
@click.option(
    "--target",
    default="netns",
    show_default=True,
    metavar="NAME",
    callback=_known_target,
    help="What is tested: a directory of targets/.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    help="Repeat a run (drawn and shown if not given).",
)
@click.option("--ip", type=click.Choice(["4", "6"]), help="Only this IP version; both if not given.")
@click.option("--junit", type=_FILE, metavar="FILE", help="Write the JUnit report here, too.")
@click.option(
    "--reports",
    type=_DIRECTORY,
    default="reports",
    show_default=True,
    metavar="DIR",
    help="Where the run gets a directory for its reports.",
)
@click.option("--strict", is_flag=True, help="A departure from a SHOULD is a failure, too.")
@click.option(
    "--profile",
    type=click.Choice(["9293", "793"]),
    default="9293",
    show_default=True,
    help="How RST and SYN in the window are judged: RFC 9293 with RFC 5961, or as RFC 793 had it.",
)
@click.option("--slow", is_flag=True, help="Also run the cases that take minutes.")
@click.option(
    "--jobs",
    "--max-active",
    "max_active",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many cases run at once.",
)
@click.option(
    "--capture",
    type=click.Choice(["failed", "all", "none"]),
    default="failed",
    show_default=True,
    help="Of which cases the frames are kept.",
)
@click.option("--list", "only_list", is_flag=True, help="Show what would run, and stop.")
@click.option("--verbose", "-v", is_flag=True, help="Show each case as it ends.")
def run_command(
    cases: tuple[str, ...],
    themes: tuple[str, ...],
    target: str,
    seed: int | None,
    ip: str | None,
    junit: Path | None,
    reports: Path,
    strict: bool,
    profile: str,
    slow: bool,
    max_active: int,
    capture: str,
    only_list: bool,
    verbose: bool,
) -> None:
    """Run cases against a target, judge what it does, and report it.

    PATH_OR_ID is a file, a directory, the id of a case (close/normal-active) or its beginning, a
    theme (close), or a glob ('close/*', 'reset/in-window[*-CLOSING]').  Without any, all run.
    """
    found = _cases(cases, themes, rehearsed=True)
    if only_list:
        _print_list(found)
        return
    if not found:
        raise click.UsageError("no case is meant: nothing to run")
    from conformance.run.options import RunOptions
    from conformance.run.selection import shown

    started = datetime.now(UTC)
    info = RunInfo(
        target=target,
        seed=secrets.randbits(32) if seed is None else seed,
        started=started.isoformat(timespec="milliseconds"),
        wall_s=0.0,
        version=__version__,
        planned=0,
        strict=strict,
        argv=tuple(sys.argv[1:]),
        directory=str(_new_directory(reports, started)),
        cases_root=str(shown(cases_root())),
    )
    options = RunOptions(
        target=target,
        seed=info.seed,
        strict=strict,
        profile=profile,
        ip=(int(ip),) if ip else (4, 6),
        max_active=max_active,
        slow=slow,
        capture=capture,
        directory=info.directory,
    )
    try:
        raise click.exceptions.Exit(_run(found, options, info, junit, verbose))
    finally:
        # A run that came to nothing leaves nothing.
        with contextlib.suppress(OSError):
            Path(info.directory).rmdir()


def _new_directory(reports: Path, started: datetime) -> Path:
    """Make the run's own directory; tell at once, not after the run, that it cannot be made."""
    name = started.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        try:
            (reports / (name + suffix)).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise click.UsageError(
                f"no reports can be written to {reports}: {error.strerror}; choose --reports DIR"
            ) from None
        return reports / (name + suffix)
    raise click.UsageError(f"{reports} has too many runs of this second")


def _run(
    cases: Sequence[Case], options: "RunOptions", info: RunInfo, junit: Path | None, verbose: bool
) -> Exit:
    from conformance.report import run_json
    from conformance.report.console import RunConsole, show_summary
    from conformance.run.interrupt import interruptible
    from conformance.run.journal import Journal
    from conformance.run.suite import Suite

    began = time.monotonic()

    def partly(results: "Sequence[Result]") -> None:
        """Keep what there is by now, as what it is: part of a run."""
        so_far = replace(info, partial=True, wall_s=time.monotonic() - began, planned=console.planned)
        with contextlib.suppress(OSError):
            run_json.write(Path(info.directory) / "run.json", results, so_far)

    with RunConsole(sys.stdout, info, verbose=verbose) as console:
        try:
            # The target first: a namespace can be entered only while there is one thread.
            with interruptible(), Suite(options) as suite:
                info = replace(info, system={"system": suite.facts.system, **suite.facts.details})
                suite.run(cases, Journal(console, partly))
        except KeyboardInterrupt:
            info = replace(info, partial=True)
    results = sorted(console.results, key=lambda result: (result.id, result.ip))
    info = replace(info, wall_s=time.monotonic() - began, planned=console.planned)
    show_summary(sys.stdout, results, info)
    return _report(results, info, Path(info.directory), junit)


def _report(results: "Sequence[Result]", info: RunInfo, directory: Path, junit: Path | None) -> Exit:
    """Write the reports; a report that cannot be written is an error, but loses no other."""
    from conformance.report import junit as junit_report
    from conformance.report import run_json
    from conformance.report.summary import outcome_of

    outcome = outcome_of(results, info)
    writers = [(directory / "run.json", run_json.write), (directory / "junit.xml", junit_report.write)]
    if junit is not None:
        writers.append((junit, junit_report.write))
    for path, write in writers:
        try:
            write(path, results, info)
        except OSError as error:
            click.echo(f"error: {path} cannot be written: {error.strerror}", err=True)
            outcome = max(outcome, Exit.COULD_NOT_TEST)
    return outcome


# -- reports of a run that is over ------------------------------------------------------
@main.command(epilog=EXIT_CODES)
@click.argument("run_file", metavar="RUN.JSON", type=click.Path(path_type=Path, exists=True))
@click.option("--junit", type=_FILE, metavar="FILE", help="Write the JUnit report here.")
@click.option("--failures", "-v", is_flag=True, help="Show each case that did not pass, too.")
def report(run_file: Path, junit: Path | None, failures: bool) -> None:
    """Make the reports of a run again, from its run.json (or its directory)."""
    from conformance.report import junit as junit_report
    from conformance.report.console import show_failures, show_summary
    from conformance.report.run_load import RunFileError, load
    from conformance.report.summary import outcome_of

    path = run_file / "run.json" if run_file.is_dir() else run_file
    try:
        results, info = load(path)
        if junit is not None:
            junit_report.write(junit, results, info)
    except RunFileError as error:
        raise click.UsageError(f"{path}: {error}") from None
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None
    if failures:
        show_failures(sys.stdout, results, info)
    show_summary(sys.stdout, results, info)
    raise click.exceptions.Exit(outcome_of(results, info))


main.add_command(check)
main.add_command(mutants)
