"""What the cases cover: cells of the grid of RFC 9293 3.10.7, and numbered requirements."""

from collections.abc import Iterable, Mapping

from conformance.language.requirements import levels
from conformance.model.case import Case
from conformance.model.state import State
from conformance.oracle.grid import Cell, Kind, Where, cells
from conformance.session.rehearsal import Rehearsal


def grid(cases: Iterable[Case]) -> Mapping[Cell, list[str]]:
    """Return for each cell of the grid the ids of the cases whose steps exercise it, in rehearsal."""
    known = {str(cell): cell for cell in cells()}
    found: dict[Cell, list[str]] = {cell: [] for cell in known.values()}
    for case in cases:
        rehearsal = Rehearsal(case)
        rehearsal.play()
        seen = {record.cell for record in rehearsal.session.trace if record.step not in (-1, None)}
        for name in seen & known.keys():
            found[known[name]].append(case.id)
    return found


def requirements(cases: Iterable[Case]) -> Mapping[str, list[str]]:
    """Return for each numbered requirement the ids of the cases that say they cover it."""
    found: dict[str, list[str]] = {name: [] for name in levels()}
    for case in cases:
        for name in case.covers:
            found[name].append(case.id)
    return found


def table(found: Mapping[Cell, list[str]]) -> list[str]:
    """Return the grid as text: a row a state, and in it how many cases each cell has."""
    lines = [f"{'':13}" + "".join(f"{kind.value:>15}" for kind in Kind)]
    for state in State:
        shown = [_counts(state, kind, found) for kind in Kind]
        lines.append(f"{state.value:13}" + "".join(f"{text:>15}" for text in shown))
    windowed = "/".join(place.value.split()[0] for place in (Where.BELOW, Where.INSIDE, Where.ABOVE))
    lines += [
        "",
        f"three numbers: {windowed} the window; in SYN-SENT: acceptable/unacceptable/no ACK; - none",
    ]
    empty = sum(not ids for ids in found.values())
    lines.append(f"{len(found) - empty} of {len(found)} cells are exercised")
    return lines


def _counts(state: State, kind: Kind, found: Mapping[Cell, list[str]]) -> str:
    here = [cell for cell in found if cell.state is state and cell.kind is kind]
    return "/".join(str(len(found[cell])) if found[cell] else "-" for cell in here)
