"""All mutants by name, and the decorator that makes a class one."""

from collections.abc import Callable
from dataclasses import dataclass

from conformance.target.reference.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Mutant:
    """One defect: what it does wrong, and the clause that says so."""

    name: str
    clause: str
    what: str
    endpoint: type[Endpoint]


MUTANTS: dict[str, Mutant] = {}


def mutant(name: str, clause: str) -> Callable[[type[Endpoint]], type[Endpoint]]:
    """Register a class; its docstring says what it does wrong."""

    def register(endpoint: type[Endpoint]) -> type[Endpoint]:
        assert name not in MUTANTS, name
        MUTANTS[name] = Mutant(name, clause, " ".join((endpoint.__doc__ or "").split()), endpoint)
        return endpoint

    return register
