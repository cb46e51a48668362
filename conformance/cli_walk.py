"""`conformance walk`: cases by chance."""

import secrets
from pathlib import Path

import click

from conformance.report.text import count


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), metavar="DIRECTORY")
@click.option("--count", "walks", type=click.IntRange(1), default=100, show_default=True, metavar="N")
@click.option(
    "--steps",
    "moves",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    metavar="N",
    help="How many segments and calls a walk has at most.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    help="Write the same walks again (drawn and shown if not given).",
)
@click.option("--overwrite", is_flag=True, help="Also write files that are there and say something else.")
def walk(directory: Path, walks: int, moves: int, seed: int | None, overwrite: bool) -> None:
    """Write random walks into DIRECTORY: cases of segments and calls by chance, which the RFC judges.

    After each segment `expect: oracle` has the target do what RFC 9293 requires of it then.
    `conformance run DIRECTORY` runs them, `conformance lint` finds nothing wrong with them.
    """
    from conformance.run.walk import file_name
    from conformance.run.walk import walk as drawn

    seed = secrets.randbits(32) if seed is None else seed
    files = {
        directory / file_name(seed, number): drawn(seed, number, moves) for number in range(1, walks + 1)
    }
    try:
        other = [path for path, text in files.items() if path.exists() and path.read_bytes() != text.encode()]
        if other and not overwrite:
            said = f"{other[0]} is there and says something else"
            raise click.UsageError(f"{said}; --overwrite replaces {count(len(other), 'such file')}")
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be written: {error.strerror}") from None
    click.echo(f"{count(walks, 'walk')} of seed {seed} in {directory}")
