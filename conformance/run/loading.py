"""From what the command line names to cases, with the errors of all of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from conformance.language.diagnostics import Diagnostic, Severity, from_diagnosis
from conformance.language.loader import load_file
from conformance.model.case import Case
from conformance.model.trace import Diagnosis
from conformance.run.selection import CaseFile, UnknownCase, by_theme, find


def load_cases(
    arguments: Sequence[str], root: Path, themes: Sequence[str] = (), *, rehearsed: bool = False
) -> tuple[list[Case], list[Diagnostic]]:
    """Return the cases that are meant, in the order of their files, and all that is wrong with them.

    `rehearsed`: what contradicts the RFC is wrong, too.  Raises UnknownCase for an argument
    or a theme that means nothing.
    """
    cases: list[Case] = []
    errors: list[Diagnostic] = []
    ids: dict[str, Path] = {}
    for file in find(arguments, root):
        other = ids.setdefault(file.id, file.path)
        if other != file.path:
            errors.append(
                Diagnostic("duplicate-case", f"{file.path} and {other} are both the case {file.id}")
            )
            continue
        loaded, wrong = load_file(file.path, file.id)
        cases += _wanted(file, loaded)
        errors += wrong
    chosen = by_theme(cases, themes)
    if themes and not chosen and not errors:
        raise UnknownCase(f"no case fits {' or '.join(themes)}")
    if rehearsed:
        errors += _rehearse(chosen)
    return chosen, errors


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
