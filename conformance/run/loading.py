"""From what the command line names to cases, with the errors of all of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.language.diagnostics import Diagnostic, Severity, from_diagnosis
from conformance.language.loader import load_file
from conformance.model.case import Case
from conformance.model.trace import Diagnosis
from conformance.run.index import Index, key_of
from conformance.run.selection import CaseFile, UnknownCase, by_theme, find


def load_cases(
    arguments: Sequence[str],
    root: Path,
    themes: Sequence[str] = (),
    *,
    rehearsed: bool = False,
    heads: bool = False,
    index: Index | None = None,
) -> tuple[list[Case], list[Diagnostic]]:
    """Return the cases that are meant, in the order of their files, and all that is wrong with them.

    `rehearsed`: what contradicts the RFC is wrong, too.  `heads`: the steps are not wanted,
    so that files which `index` knows are not read.  Raises UnknownCase for an argument or a
    theme that means nothing.
    """
    index = index or Index()
    cases: list[Case] = []
    errors: list[Diagnostic] = []
    read: list[_Read] = []
    ids: dict[str, Path] = {}
    for file in find(arguments, root):
        other = ids.setdefault(file.id, file.path)
        if other != file.path:
            message = f"{file.path} and {other} are both the case {file.id}"
            errors.append(Diagnostic("duplicate-case", message))
            continue
        key = _key(file)
        known = index.heads(key, file.path) if heads and (index.rehearsed(key) or not rehearsed) else None
        if known is not None:
            cases += _wanted(file, known)
            continue
        loaded, wrong = load_file(file.path, file.id)
        wanted = _wanted(file, loaded)
        read.append(_Read(key, loaded, {case.id for case in wanted}, not wrong))
        cases += wanted
        errors += wrong
    chosen = by_theme(cases, themes)
    if themes and not chosen and not errors:
        raise UnknownCase(f"no case fits {' or '.join(themes)}")
    errors += _learn(read, {case.id for case in chosen}, index, rehearsed=rehearsed)
    index.save()
    return chosen, errors


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that had to be read: its variants, and the ids of those that are meant."""

    key: str
    cases: list[Case]
    meant: set[str]
    right: bool


def _key(file: CaseFile) -> str:
    try:
        return key_of(file.id, file.path.read_bytes())
    except OSError:
        return ""


def _learn(read: Iterable[_Read], chosen: set[str], index: Index, *, rehearsed: bool) -> list[Diagnostic]:
    """Rehearse what is chosen and not known to be right; remember what has no error."""
    errors: list[Diagnostic] = []
    for file in read:
        cases = [case for case in file.cases if case.id in file.meant & chosen]
        wrong = _rehearse(cases) if rehearsed and not index.rehearsed(file.key) else []
        errors += wrong
        if file.right and not wrong and file.key:
            index.learn(file.key, file.cases, rehearsed=rehearsed and len(cases) == len(file.cases))
    return errors


def _wanted(file: CaseFile, cases: list[Case]) -> list[Case]:
    wanted = [case for case in cases if file.wants(case)]
    if cases and not wanted:
        names = ", ".join(case.id.removeprefix(case.file_id) or "none" for case in cases)
        raise UnknownCase(f"{file.id} has no variant [{'] or ['.join(file.variants)}]; it has {names}")
    return wanted


def _rehearse(cases: Iterable[Case]) -> list[Diagnostic]:
    # Here, because listing cases does not need the oracle.
    from conformance.session.rehearsal import rehearse

    found: dict[tuple[Diagnosis, str], list[str]] = {}
    for case in cases:
        for diagnosis in rehearse(case):
            variants = found.setdefault((diagnosis, case.source), [])
            if case.id != case.file_id:
                variants.append(case.id.removeprefix(case.file_id))
    errors = []
    for (diagnosis, source), variants in found.items():
        error = from_diagnosis(diagnosis, source, Severity.ERROR)
        word = "variant" if len(variants) == 1 else "variants"
        notes = (f"in the {word} {', '.join(variants)}",) if variants else ()
        errors.append(replace(error, notes=error.notes + notes))
    return errors
