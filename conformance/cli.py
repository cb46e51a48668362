"""The command line, and what its exit codes mean.  What is slow to import is imported where it is used."""

import traceback

import click

from conformance import __version__
from conformance.cli_agent import agent
from conformance.cli_cases import coverage, lint, list_command, show
from conformance.cli_check import check
from conformance.cli_mutants import mutants
from conformance.cli_report import EXIT_CODES, report
from conformance.cli_run import run
from conformance.cli_walk import walk
from conformance.model.verdict import Exit


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


for command in (run, list_command, lint, show, coverage, check, walk, mutants, agent, report):
    main.add_command(command)
