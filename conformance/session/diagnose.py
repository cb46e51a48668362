"""Why a step failed, put so that the author of the stack can see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from conformance.model import expression
from conformance.model.case import Alternative, Expect, Step
from conformance.model.pattern import quote
from conformance.model.segment import Segment
from conformance.model.source import Span
from conformance.model.state import State
from conformance.model.trace import Diagnosis, show_segment
from conformance.oracle.oracle import Correct
from conformance.oracle.prediction import Prediction, Violation
from conformance.session.actions import Connection, Received
from conformance.session.failure import Departure
from conformance.session.match import Mismatch, match, show_options

if TYPE_CHECKING:
    from conformance.session.session import Session


def _clause(session: Session, clause: str = "") -> str:
    if clause:
        return clause
    return f"RFC {session.case.rfc}" if session.case.rfc else ""


def _full(session: Session, segment: Segment) -> str:
    """A segment with the fields that are judged only where they are written."""
    text = show_segment(segment, session.names) + f"<WND={segment.wnd}>"
    options = show_options(segment)
    return text + (f"<OPT={options}>" if options != "none" else "")


def _best(
    session: Session, action: Expect, segment: Segment, correct: Correct
) -> tuple[Alternative, list[Mismatch]]:
    """Return the alternative that comes nearest, and how it differs."""
    compared = [
        (alternative, match(alternative.pattern, segment, correct, session.names).mismatches)
        for alternative in action.alternatives
    ]
    return min(compared, key=lambda item: len(item[1]))


def _point(step: Step, alternative: Alternative, wrong: Mismatch) -> tuple[Span, str]:
    """Return where the caret goes and what stands behind it."""
    if wrong.field is None:
        return alternative.text.span(), f"{wrong.name} must be {wrong.wanted}; {wrong.came} came"
    span = alternative.text.span(wrong.field.start + 1, wrong.field.end - 1)
    return span, f"{wrong.came} came"


def unmatched(session: Session, connection: Connection, step: Step, action: Expect) -> Departure:
    """No segment matched in time: the nearest one that came, or silence."""
    since = [item for item in session.trace if item.segment is not None and item.step == session.step_index]
    candidates = connection.answers() or connection.queue
    if not candidates:
        label = f"nothing came within {step.patience:g} s"
        if any(item.kind.value == "received" for item in since):
            label = f"nothing that matches came within {step.patience:g} s"
        diagnosis = Diagnosis(
            "silence",
            "the target did not send the segment expected",
            action.alternatives[0].text.span(),
            label,
            (),
            _clause(session),
        )
        return Departure(diagnosis, silence=True)
    ranked = [(item, *_best(session, action, item.segment, item.correct)) for item in candidates]
    nearest, alternative, wrong = min(ranked, key=lambda item: len(item[2]))
    if not wrong:
        return _too_late(session, alternative, nearest.time - session.moment, step.patience)
    span, label = _point(step, alternative, wrong[0])
    notes = [("came", _full(session, item.segment)) for item in candidates[:4]]
    notes += [("and", f"{other.name} must be {other.wanted}; {other.came} came") for other in wrong[1:]]
    if step.despite:
        notes.append(("despite", step.despite))
    diagnosis = Diagnosis(
        "unexpected-segment",
        "the target sent another segment than expected",
        span,
        label,
        tuple(notes),
        _clause(session),
    )
    return Departure(diagnosis)


def miscounted(session: Session, step: Step, seen: int, count: tuple[int, int]) -> Departure:
    """Too few segments that match came in the time, or too many."""
    wanted = f"{count[0]}" if count[0] == count[1] else f"{count[0]} to {count[1]}"
    label = f"{seen} came" if seen <= count[1] else f"{seen} came before the time was up"
    message = (
        f"the target did not send {wanted} such segments" if count[1] else "the target sent such a segment"
    )
    diagnosis = Diagnosis("wrong-count", message, step.text.span(), label, (), _clause(session))
    return Departure(diagnosis, silence=seen < count[0])


def violation(
    session: Session, connection: Connection, segment: Segment, wrong: Violation, correct: Correct
) -> Diagnosis:
    """The oracle cannot explain a segment: shown under the step at hand, if it waits for one."""
    step = session.step
    span: Span | None = step.text.span() if step else None
    label = "the target sent this here" if step else ""
    if step and isinstance(step.action, Expect) and step.connection == connection.index:
        alternative, mismatches = _best(session, step.action, segment, correct)
        named = [item for item in mismatches if item.name == wrong.field] or mismatches
        if named:
            span, label = _point(step, alternative, named[0])
    notes = (("came", _full(session, segment)),)
    return Diagnosis("unexplained-segment", wrong.message, span, label, notes, wrong.citation)


def too_early(session: Session, step: Step, elapsed: float) -> Departure:
    message = "the segment came too early"
    label = f"after {elapsed:.3f} s; not before {step.after:g} s"
    return Departure(Diagnosis("too-early", message, step.text.span(), label, (), _clause(session)))


def _too_late(session: Session, alternative: Alternative, elapsed: float, within: float) -> Departure:
    message = "the segment came too late"
    label = f"after {elapsed:.3f} s; not within {within:g} s"
    return Departure(Diagnosis("too-late", message, alternative.text.span(), label, (), _clause(session)))


def not_silent(session: Session, connection: Connection, step: Step, received: Received) -> Departure:
    notes = (("came", _full(session, received.segment)), ("which is", received.explanation.kind))
    message = "the target sent a segment where it must be silent"
    return Departure(
        Diagnosis("not-silent", message, step.text.span(), "a segment came", notes, _clause(session))
    )


def owed(session: Session, connection: Connection, missed: Prediction, step: Step | None) -> Departure:
    """A reply that the RFC requires did not come, whatever the case says of it."""
    form = missed.forms[0]
    wanted = Segment(form.seq or 0, form.ack or 0, form.ctl)
    notes = (("owed", show_segment(wanted, session.names)),)
    span = (step or session.case.steps[-1]).text.span()
    message = "the target owes a reply and is silent"
    diagnosis = Diagnosis("silence", message, span, "nothing came", notes, missed.citation)
    return Departure(diagnosis, silence=True)


def wrong_state(
    session: Session, connection: Connection, step: Step, states: frozenset[State], seen: bool
) -> Departure:
    shown = " or ".join(sorted(map(str, states)))
    text = step.state_text or step.text
    wanted = " or ".join(map(str, step.state))
    label = f"the target is in {shown}" + ("" if seen else " (inferred)")
    message = f"the target is not in {wanted}"
    diagnosis = Diagnosis("wrong-state", message, text.span(), label, (), _clause(session))
    # Whom nothing reaches stays where it is.
    return Departure(diagnosis, silence=True)


def states_differ(session: Session, connection: Connection, seen: State) -> Departure:
    inferred = " or ".join(sorted(map(str, connection.oracle.states())))
    diagnosis = Diagnosis(
        "wrong-state",
        f"after the last step the target is in {seen}; RFC 9293 has it in {inferred}",
        session.case.steps[-1].text.span(),
        "after this step",
        (),
        "RFC 9293 3.10",
    )
    return Departure(diagnosis, silence=True)


def crashed(session: Session, reason: str) -> Diagnosis:
    step = session.step or session.case.steps[-1]
    how, *words = reason.splitlines()
    notes = tuple(("its last words", line) for line in words)
    return Diagnosis("crash", "the target crashed", step.text.span(), how, notes, "RFC 1122 1.2.2")


def call_failed(session: Session, step: Step, wanted: str, returned: str, *, silence: bool) -> Departure:
    """A call returned something else; with `silence` because of what did not come."""
    message = f"the call did not return {wanted}"
    label = f"it returned {returned}"
    diagnosis = Diagnosis("failed-call", message, step.text.span(), label, (), _clause(session))
    return Departure(diagnosis, silence=silence)


def check_failed(session: Session, step: Step, names: Mapping[str, float]) -> Departure:
    assert step.check is not None
    values = {name: names[name] for name in sorted(expression.names(step.check))}
    values |= {str(tree): expression.evaluate(tree, names) for tree in expression.counts(step.check)}
    notes = tuple((name, f"{value:.6g}") for name, value in values.items())
    text = step.check_text or step.text
    return Departure(
        Diagnosis("failed-check", "the check does not hold", text.span(), "false", notes, _clause(session))
    )


def stream_stopped(session: Session, step: Step, got: int, wanted: int) -> Departure:
    label = f"{got} of {wanted} octets came" if wanted else f"{got} octets came, and not the end"
    message = "the stream stopped"
    diagnosis = Diagnosis("silence", message, step.text.span(), label, (), _clause(session))
    return Departure(diagnosis, silence=True)


def no_response(session: Session, step: Step, why: str, came: bytes) -> Departure:
    notes = (("came", quote(came[:80])),)
    message = "another response than expected"
    return Departure(Diagnosis("wrong-data", message, step.text.span(), why, notes, _clause(session)))


def stream_differs(session: Session, step: Step, got: bytes, wanted: bytes) -> Departure:
    notes = (("came", quote(got[:80])), ("wanted", quote(wanted[:80])))
    message = "the stream has other octets than expected"
    return Departure(
        Diagnosis("wrong-data", message, step.text.span(), "these octets differ", notes, _clause(session))
    )
