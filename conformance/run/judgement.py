"""From what a case found to what is reported: levels, strictness, known deviations."""

from dataclasses import replace

from conformance.model.description import Deviation
from conformance.model.trace import Result
from conformance.model.verdict import Level, Verdict


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
            reference = f" ({deviation.reference})" if deviation.reference else ""
            return replace(
                result, verdict=Verdict.XFAIL, reason=f"known deviation: {deviation.reason}{reference}"
            )
        reason = f"the known deviation no longer occurs: {deviation.reason}"
        return replace(result, verdict=Verdict.XPASS, reason=reason)
    if not departed:
        return result
    if result.verdict is Verdict.PASS:
        warning = result.warnings[0]
        verdict = Verdict.FAIL if strict else Verdict.WARN
        return replace(result, verdict=verdict, reason=warning.message, diagnosis=warning)
    binding = result.level is Level.MUST or (strict and result.level is Level.SHOULD)
    return result if binding else replace(result, verdict=Verdict.WARN)
