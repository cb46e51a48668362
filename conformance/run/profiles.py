"""Which cases may be asked of a target that is judged by another profile than RFC 9293's.

Every case keeps to RFC 9293.  Some are about what the profile has otherwise, and a target that
does right by the profile could not pass them.
"""

from collections.abc import Iterable, Sequence

from conformance.model.case import Case
from conformance.model.trace import Result
from conformance.oracle.latitude import PROFILES
from conformance.run.mutants import departs, once, play
from conformance.run.plan import Planned, skip
from conformance.session.rehearsal import rehearse
from conformance.target.reference.endpoint import Endpoint


def sorted_out(planned: Sequence[Planned], profile: str) -> tuple[list[Planned], list[Result]]:
    """Return what of a plan is right by the profile, and the results of the rest, which is skipped."""
    reasons = contradictions({item.case.id: item.case for item in planned}.values(), profile)
    kept = [item for item in planned if item.case.id not in reasons]
    against = [item for item in planned if item.case.id in reasons]
    return kept, [skip(item.case, item.ip, reasons[item.case.id]) for item in against]


def contradictions(cases: Iterable[Case], profile: str) -> dict[str, str]:
    """Return why cases are wrong by a profile, by their ids; those that are right are left out."""
    cases = list(cases)
    on_reference = {item.case.id: item for item in once(cases, seed=0)}
    found = {case.id: _contradiction(case, on_reference.get(case.id), profile) for case in cases}
    return {name: reason for name, reason in found.items() if reason}


def _contradiction(case: Case, planned: Planned | None, profile: str) -> str:
    """Return what a case asks for that the profile does not have, or that it prefers otherwise.

    `planned` is how the case runs on the reference, None where it cannot.
    """
    for reading in PROFILES[profile].readings():
        for diagnosis in rehearse(case, reading):
            return f"contradicts profile {profile}: {diagnosis.message}"
        result = play(planned, Endpoint, profile=reading) if planned else None
        if result is not None and departs(result):
            reason = result.reason or result.warnings[0].message
            return f"asks for more than profile {profile} does: {reason}"
    return ""
