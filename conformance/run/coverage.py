"""What the cases cover: cells of the grid of RFC 9293 3.10.7, and numbered requirements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from conformance.language.requirements import Requirement
from conformance.language.requirements import requirements as numbered
from conformance.model.case import Case
from conformance.model.state import State
from conformance.oracle.grid import Cell, Kind, Where, cells
from conformance.run.kinds import KINDS, can_run
from conformance.session.rehearsal import Rehearsal

_NO_CASE = "no case yet"


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


@dataclass(frozen=True, slots=True)
class Covered:
    """A requirement, the ids of the cases that cover it, and of those that each kind of target can try."""

    requirement: Requirement
    cases: tuple[str, ...]
    targets: Mapping[str, tuple[str, ...]]

    @property
    def why_not(self) -> str:
        """Why no case covers it; empty where one does."""
        return "" if self.cases else self.requirement.why or _NO_CASE

    def as_json(self) -> dict[str, object]:
        """Return it as `conformance coverage --json` prints it."""
        wanted = self.requirement
        return {
            "id": wanted.id,
            "level": wanted.keyword,
            "rfc": wanted.rfc,
            "section": wanted.section,
            "summary": wanted.summary,
            "observable": wanted.observable.value,
            "cases": list(self.cases),
            "why": self.why_not,
            "targets": {kind: list(ids) for kind, ids in self.targets.items()},
        }


def requirements(cases: Iterable[Case]) -> list[Covered]:
    """Return each numbered requirement with the cases that say they cover it.  Cases need their steps."""
    cases = list(cases)
    by_name: dict[str, list[str]] = {name: [] for name in numbered()}
    for case in cases:
        for name in case.covers:
            by_name[name].append(case.id)
    tried = {kind: {case.id for case in cases if can_run(case, kind)} for kind in KINDS}
    return [_covered(wanted, by_name[name], tried) for name, wanted in numbered().items()]


def _covered(wanted: Requirement, ids: Sequence[str], tried: Mapping[str, set[str]]) -> Covered:
    targets = {kind: tuple(name for name in ids if name in tried[kind]) for kind in tried}
    return Covered(wanted, tuple(ids), targets)


def summary(found: Iterable[Covered]) -> list[str]:
    """Return coverage as text: a line for each RFC, below it what no case covers and why, then the kinds."""
    found = list(found)
    lines: list[str] = []
    for rfc, group in groupby(found, key=lambda each: each.requirement.rfc):
        rows = list(group)
        lines.append(f"RFC {rfc:<6}{_of_observable(rows)}")
        lines += [_uncovered(row) for row in rows if not row.cases]
    lines += [
        "",
        f"{'all':<10}{_of_observable(found)}",
        "",
        "requirements that can be tried, by kind of target:",
    ]
    lines += [f"  {kind:<16}{sum(bool(row.targets[kind]) for row in found):>4}" for kind in KINDS]
    return lines


def _of_observable(rows: Sequence[Covered]) -> str:
    seen = [row for row in rows if row.requirement.observable.from_outside]
    text = f"{sum(bool(row.cases) for row in seen):>4} of {len(seen):>3} that can be observed are covered"
    hidden = len(rows) - len(seen)
    return text + (f"; {hidden} cannot be" if hidden else "")


def _uncovered(row: Covered) -> str:
    wanted = row.requirement
    shown = "" if wanted.observable.from_outside else "not observable: "
    return f"  {wanted.id:<16} {wanted.keyword:<11} {wanted.section:<10} {shown}{row.why_not}"


def details(row: Covered) -> Iterator[str]:
    """Yield one requirement as text: what it says, its cases, and the kinds of target for each."""
    wanted = row.requirement
    yield f"{wanted.id}  {wanted.keyword}, RFC {wanted.rfc} {wanted.section}".rstrip()
    yield f"  {wanted.summary}"
    yield f"  observable: {wanted.observable.value}" + (f"; {row.why_not}" if row.why_not else "")
    for name in row.cases:
        yield f"  {name}  ({', '.join(kind for kind in KINDS if name in row.targets[kind])})"


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
