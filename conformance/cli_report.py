"""`conformance report`: the reports of runs that are over, made again, or joined."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from conformance.report.merge import Run

FILE = click.Path(path_type=Path, dir_okay=False)
EXIT_CODES = """\b
Exit codes:
  0  the target conforms
  1  the target does not conform (or a known deviation no longer occurs)
  2  wrong usage, or an error in a case: nothing was sent
  3  could not test: inconclusive, an error of the tester, nothing to run, or interrupted
     (Ctrl-C gives 3, not 130: what was tested until then is reported)
"""
reports_wanted = click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default="reports",
    show_default=True,
    metavar="DIR",
    help="Where the run gets a directory for its reports.",
)


@click.command(epilog=EXIT_CODES)
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    metavar="RUN.JSON...",
    type=click.Path(path_type=Path, exists=True),
)
@click.option("--junit", type=FILE, metavar="FILE", help="Write the JUnit report here.")
@click.option(
    "--merge", "joined", is_flag=True, help="Join the shards of one run (--shard K/N) to a run of its own."
)
@reports_wanted
@click.option("--failures", "-v", is_flag=True, help="Show each case that did not pass, too.")
def report(runs: tuple[Path, ...], junit: Path | None, joined: bool, reports: Path, failures: bool) -> None:
    """Make the reports of a run again, from its run.json (or its directory)."""
    from conformance.report import junit as junit_report
    from conformance.report.console import show_failures, show_summary
    from conformance.report.summary import outcome_of

    paths = [path / "run.json" if path.is_dir() else path for path in runs]
    if len(paths) > 1 and not joined:
        raise click.UsageError("these are several runs; --merge joins the shards of one")
    loaded = [_load(path) for path in paths]
    try:
        results, info = _merge(loaded, paths, reports) if joined else loaded[0]
        if junit is not None:
            junit_report.write(junit, results, info)
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None
    if failures:
        show_failures(sys.stdout, results, info)
    show_summary(sys.stdout, results, info)
    raise click.exceptions.Exit(outcome_of(results, info))


def _load(path: Path) -> "Run":
    from conformance.report.run_load import RunFileError, load

    try:
        return load(path)
    except RunFileError as error:
        raise click.UsageError(f"{path}: {error}") from None
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None


def _merge(loaded: Sequence["Run"], paths: Sequence[Path], reports: Path) -> "Run":
    """Join runs, and write what a run of its own would have left in a directory of its own."""
    from conformance.report import junit as junit_report
    from conformance.report import run_json
    from conformance.report.merge import MergeError, copy_captures, merge

    try:
        results, info = merge(loaded)
    except MergeError as error:
        raise click.UsageError(str(error)) from None
    directory = new_directory(reports, datetime.now(UTC))
    info = replace(info, directory=str(directory))
    for run, path in zip(loaded, paths, strict=True):
        copy_captures(run, path.parent, directory)
    run_json.write(directory / "run.json", results, info)
    junit_report.write(directory / "junit.xml", results, info)
    return results, info


def new_directory(reports: Path, started: datetime) -> Path:
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
