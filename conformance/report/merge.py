"""The runs of several shards made one again, as if it had never been split."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from conformance.model.run import RunInfo
from conformance.model.trace import Result

Run = tuple[list[Result], RunInfo]
_ALIKE = ("target", "seed", "version", "strict", "profile", "cases_root")


class MergeError(Exception):
    """The runs are not parts of one run; the message says what differs."""


def merge(runs: Sequence[Run]) -> Run:
    """Join runs of the same cases with the same seed against the same target.

    A part that is missing, or that was interrupted, makes the whole a partial run.  Raises
    MergeError for runs that do not belong together.
    """
    infos = [info for _, info in runs]
    for name in _ALIKE:
        values = {str(getattr(info, name)) for info in infos}
        if len(values) > 1:
            raise MergeError(f"these are not parts of one run: {name} is {' and '.join(sorted(values))}")
    results = sorted((result for found, _ in runs for result in found), key=lambda item: (item.id, item.ip))
    twice = [pair for pair, count in Counter((item.id, item.ip) for item in results).items() if count > 1]
    if twice:
        raise MergeError(f"{twice[0][0]} (IPv{twice[0][1]}) is in more than one of the runs")
    there, missing = _shards(infos)
    whole = replace(
        infos[0],
        started=min(info.started for info in infos),
        wall_s=max(info.wall_s for info in infos),
        planned=sum(info.planned for info in infos),
        partial=bool(missing) or any(info.partial for info in infos),
        system=_system(infos),
        shard=", ".join(sorted(there)) if missing else "",
    )
    return results, whole


def _shards(infos: Sequence[RunInfo]) -> tuple[set[str], set[str]]:
    """Return which shards are there, and which are not."""
    there = {info.shard for info in infos if info.shard}
    counts = {shard.partition("/")[2] for shard in there}
    if len(counts) > 1:
        raise MergeError(f"these are not parts of one run: it was split by {' and by '.join(sorted(counts))}")
    return there, {f"{number}/{count}" for count in counts for number in range(1, int(count) + 1)} - there


def _system(infos: Sequence[RunInfo]) -> dict[str, str]:
    """Return the facts of the targets: those that differ from machine to machine, side by side."""
    names = dict.fromkeys(name for info in infos for name in info.system)
    return {
        name: "; ".join(dict.fromkeys(info.system[name] for info in infos if name in info.system))
        for name in names
    }


def copy_captures(run: Run, source: Path, target: Path) -> None:
    """Copy the captures of a run to the directory of the whole.  Raises OSError."""
    for result in run[0]:
        path = source / result.capture
        if result.capture and path.exists():
            shutil.copyfile(path, target / result.capture)
