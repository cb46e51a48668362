"""What may be asked of a target that is judged by another profile than RFC 9293's.

Every case keeps to RFC 9293.  Some are about what the profile has otherwise, and a target that
does right by the profile could not pass them.  Such a case is shortened: where it contradicts
the profile it ends, and the oracle says what must come there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from conformance.model.case import Case, ExpectOracle, Send, Step, UserCall
from conformance.model.trace import Result
from conformance.oracle.latitude import PROFILES
from conformance.run.mutants import departs, once, play
from conformance.run.plan import Planned, skip
from conformance.session.rehearsal import rehearse
from conformance.target.reference.endpoint import Endpoint

Known = Callable[[Case, int], bool]


def sorted_out(
    planned: Sequence[Planned], profile: str, known: Known = lambda case, ip: False
) -> tuple[list[Planned], list[Result]]:
    """Return a plan in which each case is right by the profile, and the results of what is left out.

    `known` tells of a case that a deviation of the target is known in it: that is of the whole case.
    """
    cases = {item.case.id: item.case for item in planned}
    fitted = cache(lambda case_id: fit(cases[case_id], profile))
    kept, left_out = [], []
    for item in planned:
        case, reason = fitted(item.case.id)
        if case is None or (reason and known(item.case, item.ip)):
            left_out.append(skip(item.case, item.ip, reason))
        else:
            kept.append(replace(item, case=case))
    return kept, left_out


def fit(case: Case, profile: str) -> tuple[Case | None, str]:
    """Return a case as far as it is right by a profile, None if nowhere, and what is against the rest."""
    reason = _contradiction(case, profile)
    if not reason:
        return case, ""
    shorter = (item for item in _shortened(case, profile) if not _contradiction(item, profile))
    return next(shorter, None), reason


def _contradiction(case: Case, profile: str) -> str:
    """Return what a case asks for that the profile does not have, or that it prefers otherwise."""
    played = once([case], seed=0)
    for reading in PROFILES[profile].readings():
        for diagnosis in rehearse(case, reading):
            return f"contradicts profile {profile}: {diagnosis.message}"
        result = play(played[0], Endpoint, profile=reading) if played else None
        if result is not None and departs(result):
            reason = result.reason or result.warnings[0].message
            return f"asks for more than profile {profile} does: {reason}"
    return ""


def _shortened(case: Case, profile: str) -> Iterator[Case]:
    """Yield what there is of a case that does something and then asks the oracle, the longest first."""
    for count, step in reversed(list(enumerate(case.steps))):
        oracle = Step(ExpectOracle(), step.text, connection=step.connection)
        mute = replace(step, state=(), state_text=None, check=None, check_text=None)
        for steps in ((*case.steps[:count], mute), case.steps[:count]):
            if any(isinstance(item.action, Send | UserCall) for item in steps):
                title = f"{case.title} (profile {profile}: up to step {len(steps)})"
                yield replace(case, title=title, steps=(*steps, oracle), covers=())
