"""`conformance run`: cases against targets, judged and reported.  Slow imports are where they are used."""

import contextlib
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance import __version__
from conformance.cli_cases import meant, paths, print_list, themes_wanted
from conformance.cli_host import host_options, is_host, list_for_host, said_of_host
from conformance.cli_report import EXIT_CODES, FILE, new_directory, reports_wanted
from conformance.cli_survey import known_targets, parse_shard, read_targets, survey
from conformance.model.case import Case
from conformance.model.places import cases_root
from conformance.model.run import USUAL_PROFILE, USUAL_TARGET, RunInfo
from conformance.model.verdict import Exit

if TYPE_CHECKING:
    from conformance.model.trace import Result
    from conformance.run.options import RunOptions


@click.command(epilog=EXIT_CODES)
@paths
@themes_wanted
@click.option(
    "--target",
    "targets",
    multiple=True,
    show_default=USUAL_TARGET,
    metavar="TARGET",
    callback=known_targets,
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
@reports_wanted
@click.option("--strict", is_flag=True, help="A departure from a SHOULD is a failure, too.")
@click.option(
    "--profile",
    type=click.Choice(["9293", "1122", "793"]),
    default=USUAL_PROFILE,
    show_default=True,
    help="Which RFC decides where they contradict: RST and SYN in the window, the urgent pointer.",
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
def run(
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
    targets = targets + targets_file or (USUAL_TARGET,)
    if only_list and not all(map(is_host, targets)):
        print_list(found)
        return
    if not found:
        raise click.UsageError("no case is meant: nothing to run")
    if junit is not None and len(targets) > 1:
        raise click.UsageError("--junit is for one target; each has a junit.xml in its own directory")
    from conformance.run.options import RunOptions

    options = RunOptions(
        seed=secrets.randbits(32) if seed is None else seed,
        strict=strict,
        profile=profile,
        ip=(int(ip),) if ip else (4, 6),
        max_active=max_active,
        slow=slow,
        capture=capture,
        disruptive=disruptive,
        shard=shard,
        host=said_of_host(host),
    )
    if only_list:
        for target in targets:
            list_for_host(found, replace(options, target=target))
        return

    def one(target: str) -> "tuple[Exit, Sequence[Result]]":
        started = datetime.now(UTC)
        directory = new_directory(reports, started)
        try:
            chosen = replace(options, target=target, directory=str(directory))
            return _run(found, chosen, _info(chosen, started), junit, verbose)
        finally:
            # A run that came to nothing leaves nothing.
            with contextlib.suppress(OSError):
                directory.rmdir()

    if len(targets) == 1:
        raise click.exceptions.Exit(one(targets[0])[0])
    directory = new_directory(reports, datetime.now(UTC))
    raise click.exceptions.Exit(survey(targets, one, directory))


def _info(options: "RunOptions", started: datetime) -> RunInfo:
    """Return what is known of a run before it begins."""
    from conformance.run.selection import shown

    return RunInfo(
        target=options.target,
        seed=options.seed,
        started=started.isoformat(timespec="milliseconds"),
        wall_s=0.0,
        version=__version__,
        planned=0,
        strict=options.strict,
        argv=tuple(sys.argv[1:]),
        directory=options.directory,
        shard="/".join(map(str, options.shard or ())),
        cases_root=str(shown(cases_root())),
        profile=options.profile,
        host=options.host.options(),
    )


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
