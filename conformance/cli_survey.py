"""Several targets one after another, and parts of a run."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.model.verdict import Exit

if TYPE_CHECKING:
    from conformance.model.trace import Result

Outcome = tuple[Exit, "Sequence[Result]"]
_MOST_SHOWN = 40


def parse_shard(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, int] | None:
    """Return K and N of K/N."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise click.BadParameter(f"{text} is no K/N with K from 1 to N")
    return int(found[1]), int(found[2])


def known_targets(
    context: click.Context, parameter: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the names if each is a target's."""
    from conformance.target.base import TargetError
    from conformance.target.registry import describe

    for name in names:
        try:
            describe(name)
        except TargetError as error:
            raise click.BadParameter(f"{error}; {error.remedy}") from None
    return names


def read_targets(context: click.Context, parameter: click.Parameter, path: Path | None) -> tuple[str, ...]:
    """Return the targets in a file: one a line, `#` begins a comment."""
    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}") from None
    names = (line.partition("#")[0].strip() for line in lines)
    return known_targets(context, parameter, tuple(filter(None, names)))


def survey(targets: Sequence[str], one: Callable[[str], Outcome], directory: Path) -> Exit:
    """Test the targets in turn with `one`; show and write the matrix, and return the worst outcome.

    A target that cannot be tested does not keep the others from it.
    """
    from conformance.report import matrix
    from conformance.report.differences import differences
    from conformance.report.files import write_whole
    from conformance.report.text import count
    from conformance.target.base import TargetError

    surveyed: dict[str, Sequence[Result]] = {}
    worst = Exit.CONFORMING
    for target in targets:
        click.echo(f"== {target}")
        try:
            outcome, surveyed[target] = one(target)
        except TargetError as error:
            click.echo(f"error: {error}\n  try: {error.remedy}", err=True)
            outcome, surveyed[target] = Exit.COULD_NOT_TEST, ()
        worst = max(worst, outcome)
    rows = matrix.rows(surveyed)
    path = directory / "matrix.csv"
    matrix.write(path, rows)
    told = matrix.telling(rows)
    _show([rows[0], *told[:_MOST_SHOWN]])
    if len(told) > _MOST_SHOWN:
        click.echo(f"and {len(told) - _MOST_SHOWN} more")
    click.echo(f"{len(rows) - 1} cases, {len(targets)} targets; all of it is in {path}")
    parted = differences(surveyed)
    if parted:
        path = directory / "differences.txt"
        write_whole(path, "\n\n\n".join(parted) + "\n")
        click.echo(f"in {count(len(parted), 'case')} they do not do the same: {path}")
    return worst


def _show(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
