"""From what the command line names to cases, with every error of all of them at once."""

from dataclasses import dataclass

from conformance.language.diagnostics import Diagnostic
from conformance.model.case import Case


@dataclass(frozen=True, slots=True)
class Loaded:
    """The cases that are meant, and all errors found in their files."""

    cases: list[Case]
    errors: list[Diagnostic]
    rendered: str = ""
