"""`conformance mutants`: who judges must be judged."""

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from conformance.model.verdict import Exit
from conformance.report.text import count

if TYPE_CHECKING:
    from conformance.run.mutants import Matrix

_SHOWN = 3


@click.command(
    epilog="""\b
Exit codes:
  0  each mutant is killed, and each case kills one
  1  a mutant survives, or a case kills none
  2  wrong usage
  3  the reference itself does not pass every case
"""
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--all", "whole", is_flag=True, help="Every case against every mutant: some minutes.")
@click.option("--remember", is_flag=True, help="With --all: write down what to ask first from now on.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, metavar="N")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="How many at once; as many as processors.")
def mutants(
    names: tuple[str, ...], as_json: bool, whole: bool, remember: bool, seed: int, jobs: int | None
) -> None:
    """Run the suite against the reference with one seeded defect at a time.

    Each mutant must be killed by a case, and each case must kill a mutant: what was seen to kill
    what is tried first, and the rest only where that shows no kill.  NAME is a mutant; of some
    mutants alone nothing is said of the cases.
    """
    from conformance.run import mutants as judged

    if remember and (names or not whole):
        raise click.UsageError("--remember is for --all of the mutants")

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{done} of {total} variants", err=True, nl=done == total)

    try:
        at_once = jobs or _processors()
        if whole or names:
            found = judged.matrix((), names, seed=seed, jobs=at_once, tell=tell)
        else:
            found = judged.confirm(seed=seed, jobs=at_once)
    except judged.UnknownMutant as error:
        raise click.UsageError(str(error)) from None
    if remember:
        judged.remember(found)
    idle = [] if names else [case for case, kills in found.kills().items() if not kills]
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
    else:
        _show(found, idle)
    raise click.exceptions.Exit(Exit.NONCONFORMING if found.survivors or idle else Exit.CONFORMING)


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _show(matrix: "Matrix", idle: list[str]) -> None:
    width = max(len(mutant.name) for mutant in matrix.mutants)
    for mutant in matrix.mutants:
        killers = matrix.killers[mutant.name]
        more = f" and {len(killers) - _SHOWN} more" if len(killers) > _SHOWN else ""
        by = ", ".join(killers[:_SHOWN]) + more if killers else "SURVIVES: " + mutant.what
        click.echo(f"{mutant.name:<{width}}  {len(killers):>4}  {by}")
    for case in idle:
        click.echo(f"{case} kills no mutant")
    killed = len(matrix.mutants) - len(matrix.survivors)
    told = (
        f"{killed} of {count(len(matrix.mutants), 'mutant')} killed by {count(len(matrix.cases), 'variant')}"
    )
    click.echo(f"{told}; {count(len(idle), 'variant')} killed none" if idle else told)
