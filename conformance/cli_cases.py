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
@paths
@click.option("--grid", is_flag=True, help="The cells of RFC 9293 3.10.7, state x segment, instead.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: an object of lists of case ids.")
def coverage(cases: tuple[str, ...], grid: bool, as_json: bool) -> None:
    """Show which requirements, or which cells of the RFC's state machine, the cases cover."""
    from conformance.run import coverage as covered

    found = meant(cases, rehearsed=grid)
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
