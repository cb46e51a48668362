"""The commands that send nothing: which cases there are, and what they say."""

import json
from collections.abc import Sequence

import click

from conformance.model.case import Case
from conformance.model.places import cases_root
from conformance.model.verdict import Exit
from conformance.report.text import count


def meant(
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


paths = click.argument("cases", nargs=-1, metavar="[PATH_OR_ID]...")
themes_wanted = click.option(
    "--theme",
    "-k",
    "themes",
    multiple=True,
    metavar="NAME",
    help="Only this theme, or ids with this in them.",
)


@click.command("list")
@paths
@themes_wanted
@click.option("--json", "as_json", is_flag=True, help="A JSON array, one object a variant.")
def list_command(cases: tuple[str, ...], themes: tuple[str, ...], as_json: bool) -> None:
    """Show the cases: id, title, level, RFC, what they cover and need."""
    found = meant(cases, themes, heads=True)
    if as_json:
        click.echo(json.dumps([_listed(case) for case in found], indent=1))
        return
    print_list(found)


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


def print_list(cases: Sequence[Case]) -> None:
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


@click.command()
@paths
def lint(cases: tuple[str, ...]) -> None:
    """Check cases, and rehearse them against RFC 9293, without sending anything."""
    found = meant(cases, rehearsed=True, heads=True)
    click.echo(f"{_counted(found)}: no errors")


@click.command()
@paths
def show(cases: tuple[str, ...]) -> None:
    """Show the exchange that RFC 9293 predicts of cases, and the TCB after each step."""
    if not cases:
        raise click.UsageError("name a case")
    from conformance.report.prediction import predicted

    for number, case in enumerate(meant(cases, rehearsed=True)):
        click.echo("\n".join(([""] if number else []) + predicted(case)))


@click.command()
@click.argument("cases", nargs=-1, metavar="[PATH_OR_ID_OR_REQUIREMENT]...")
@click.option("--grid", is_flag=True, help="The cells of RFC 9293 3.10.7, state x segment, instead.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="As JSON: an array, an object a requirement; with --grid an object of lists of case ids.",
)
def coverage(cases: tuple[str, ...], grid: bool, as_json: bool) -> None:
    """Show which requirements, or which cells of the RFC's state machine, the cases cover, and why not.

    Requirements named by their ids (MUST-13) are shown with their cases, and where these can run.
    """
    from conformance.language.requirements import requirements
    from conformance.run import coverage as covered

    named = set(cases) & requirements().keys()
    found = meant([name for name in cases if name not in named], rehearsed=grid)
    if grid:
        cells = covered.grid(found)
        shown = {str(cell): ids for cell, ids in cells.items()}
        click.echo(json.dumps(shown, indent=1) if as_json else "\n".join(covered.table(cells)))
        return
    rows = [row for row in covered.requirements(found) if row.requirement.id in (named or requirements())]
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows], indent=1))
        return
    lines = [line for row in rows for line in covered.details(row)] if named else covered.summary(rows)
    click.echo("\n".join(lines))
