"""From what a case found to what is reported: levels, strictness, known deviations."""

from dataclasses import replace

from conformance.model.description import Deviation
from conformance.model.trace import Kind, Result
from conformance.model.verdict import Evidence, Level, Verdict


def judge(result: Result, deviation: Deviation | None, *, strict: bool) -> Result:
    """Return the result with the verdict that counts.

    A departure from a SHOULD warns, and fails only where `strict`; from a MAY it warns.  A
    known `deviation` turns a departure into XFAIL, and conformance into XPASS.
    """
    departed = result.verdict is Verdict.FAIL or (result.verdict is Verdict.PASS and bool(result.warnings))
    if result.verdict not in (Verdict.PASS, Verdict.FAIL):
        return result
    if deviation is not None:
        if departed:
            return replace(result, verdict=Verdict.XFAIL, reason=f"known deviation: {deviation}")
        if result.evidence is Evidence.INFERRED and any(step.state for step in result.case.steps):
            # Nobody has said in which state the target is: what shows there alone was not looked at.
            return replace(result, reason=f"a known deviation, not seen from outside: {deviation}")
        reason = f"the known deviation no longer occurs: {deviation}"
        return replace(result, verdict=Verdict.XPASS, reason=reason)
    if not departed:
        return result
    if result.verdict is Verdict.PASS:
        warning = result.warnings[0]
        verdict = Verdict.FAIL if strict else Verdict.WARN
        return replace(result, verdict=verdict, reason=warning.message, diagnosis=warning)
    binding = result.level is Level.MUST or (strict and result.level is Level.SHOULD)
    return result if binding else replace(result, verdict=Verdict.WARN)


def between(result: Result, ttls: frozenset[int]) -> Result:
    """Return the result, no failure of the target if what came may be from another on the way.

    `ttls` are those with which the target's segments were seen to come; empty where it is near.
    """
    if result.verdict is not Verdict.FAIL or not ttls:
        return result
    for record in result.trace:
        if record.kind is Kind.RECEIVED and record.segment is not None and record.segment.ttl not in ttls:
            usual = " or ".join(map(str, sorted(ttls)))
            reason = (
                f"a middlebox may be on the way: {record.shown} came with TTL {record.segment.ttl}, "
                f"the target's segments come with {usual}: {result.reason}"
            )
            return replace(result, verdict=Verdict.INCONCLUSIVE, reason=reason)
    return result
