"""The command line.  What is slow to import (scapy, pyroute2, rich) is imported where it is used."""

import contextlib
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
from click.core import ParameterSource

from conformance import __version__
from conformance.cli_agent import agent
from conformance.cli_cases import coverage, lint, list_command, meant, paths, print_list, show, themes_wanted
from conformance.cli_check import check
from conformance.cli_host import host_options, is_host, list_for_host, said_of_host
from conformance.cli_mutants import mutants
from conformance.cli_report import EXIT_CODES, FILE, new_directory, report
from conformance.cli_survey import parse_shard, read_targets, survey
from conformance.model.case import Case
from conformance.model.places import cases_root
from conformance.model.run import USUAL_PROFILE, RunInfo
from conformance.model.verdict import Exit

if TYPE_CHECKING:
    from conformance.model.trace import Result
    from conformance.run.options import RunOptions


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


# -- a run ------------------------------------------------------------------------------
def _known_targets(
    context: click.Context, parameter: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    from conformance.target.base import TargetError
    from conformance.target.registry import describe

    for name in names:
        try:
            describe(name)
        except TargetError as error:
            raise click.BadParameter(f"{error}; {error.remedy}") from None
    return names


@main.command("run", epilog=EXIT_CODES)
@paths
@themes_wanted
@click.option(
    "--target",
    "targets",
    multiple=True,
    default=("netns",),
    show_default="netns",
    metavar="TARGET",
    callback=_known_targets,
    help="What is tested: a directory of targets/, the path of a target.yaml, or a host's ADDRESS[:PORT]; "
    "several are tested in turn.",
)
@click.option(
    "--targets",
    "targets_file",
    type=FILE,
    metavar="FILE",
    callback=read_targets,
    help="More targets, one a line.",
)
@click.option(
    "--shard",
    metavar="K/N",
    callback=parse_shard,
    help="Run the K-th of N parts of the cases, each case in one.",
)
@host_options
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    help="Repeat a run (drawn and shown if not given).",
)
@click.option("--ip", type=click.Choice(["4", "6"]), help="Only this IP version; both if not given.")
@click.option("--junit", type=FILE, metavar="FILE", help="Write the JUnit report here, too.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default="reports",
    show_default=True,
    metavar="DIR",
    help="Where the run gets a directory for its reports.",
)
@click.option("--strict", is_flag=True, help="A departure from a SHOULD is a failure, too.")
@click.option(
    "--profile",
    type=click.Choice(["9293", "793"]),
    default=USUAL_PROFILE,
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
    targets: tuple[str, ...],
    targets_file: tuple[str, ...],
    seed: int | None,
    ip: str | None,
    junit: Path | None,
    reports: Path,
    strict: bool,
    profile: str,
    shard: tuple[int, int] | None,
    slow: bool,
    max_active: int,
    capture: str,
    only_list: bool,
    verbose: bool,
    disruptive: bool,
    **host: str | int | None,
) -> None:
    """Run cases against a target, judge what it does, and report it.

    PATH_OR_ID is a file, a directory, the id of a case (close/normal-active) or its beginning, a
    theme (close), or a glob ('close/*', 'reset/in-window[*-CLOSING]').  Without any, all run.
    """
    found = meant(cases, themes, rehearsed=True)
    given = click.get_current_context().get_parameter_source("targets")
    if targets_file:
        both = targets if given is ParameterSource.COMMANDLINE else ()
        targets = _known_targets(
            click.get_current_context(), click.Option(["--targets"]), both + targets_file
        )
    if only_list and not all(map(is_host, targets)):
        print_list(found)
        return
    if not found:
        raise click.UsageError("no case is meant: nothing to run")
    if junit is not None and len(targets) > 1:
        raise click.UsageError("--junit is for one target; each has a junit.xml in its own directory")
    from conformance.run.options import RunOptions
    from conformance.run.selection import shown

    seed = secrets.randbits(32) if seed is None else seed
    of_host = said_of_host(host)

    def one(target: str) -> "tuple[Exit, Sequence[Result]]":
        started = datetime.now(UTC)
        info = RunInfo(
            target=target,
            seed=seed,
            started=started.isoformat(timespec="milliseconds"),
            wall_s=0.0,
            version=__version__,
            planned=0,
            strict=strict,
            argv=tuple(sys.argv[1:]),
            directory=str(new_directory(reports, started)),
            shard="/".join(map(str, shard)) if shard else "",
            cases_root=str(shown(cases_root())),
            profile=profile,
            host=of_host.options(),
        )
        options = RunOptions(
            target=target,
            seed=seed,
            strict=strict,
            profile=profile,
            ip=(int(ip),) if ip else (4, 6),
            max_active=max_active,
            slow=slow,
            capture=capture,
            directory=info.directory,
            disruptive=disruptive,
            shard=shard,
            host=of_host,
        )
        try:
            if only_list:
                list_for_host(found, options)
                return Exit.CONFORMING, ()
            return _run(found, options, info, junit, verbose)
        finally:
            # A run that came to nothing leaves nothing.
            with contextlib.suppress(OSError):
                Path(info.directory).rmdir()

    if len(targets) == 1 or only_list:
        raise click.exceptions.Exit(max(one(target)[0] for target in targets))
    directory = new_directory(reports, datetime.now(UTC))
    raise click.exceptions.Exit(survey(targets, one, directory))


def _run(
    cases: Sequence[Case], options: "RunOptions", info: RunInfo, junit: Path | None, verbose: bool
) -> "tuple[Exit, Sequence[Result]]":
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
                for note in suite.facts.notes:
                    click.echo(note)
                info = replace(info, system={"system": suite.facts.system, **suite.facts.details})
                suite.run(cases, Journal(console, partly))
        except KeyboardInterrupt:
            info = replace(info, partial=True)
    results = sorted(console.results, key=lambda result: (result.id, result.ip))
    info = replace(info, wall_s=time.monotonic() - began, planned=console.planned)
    show_summary(sys.stdout, results, info)
    return _report(results, info, Path(info.directory), junit), results


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


for command in (list_command, lint, show, coverage, check, mutants, agent, report):
    main.add_command(command)
