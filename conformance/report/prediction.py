"""What RFC 9293 predicts of a case, without any target: the ladder, and the TCB after each step."""

from dataclasses import replace

from conformance.model.case import Case
from conformance.model.trace import Kind, Names, Result
from conformance.oracle.tcb import Tcb
from conformance.report.ladder import ladder
from conformance.session.rehearsal import Rehearsal


def predicted(case: Case) -> list[str]:
    """Return the lines that `conformance show` prints of one variant; rehearses the case."""
    rehearsal = Rehearsal(case)
    after: dict[int, str] = {}

    def remember() -> None:
        session = rehearsal.session
        step = session.step
        connection = session.connections[step.connection if step else 1]
        state = " or ".join(sorted(map(str, connection.oracle.states())))
        after[-1 if session.step_index is None else session.step_index] = (
            f"{state:<14}{_variables(connection.oracle.tcb, session.names)}"
        )

    rehearsal.session.after_step = remember
    rehearsal.play()
    result = rehearsal.session.result
    lines = [f"{case.id}: {case.title}"]
    lines += [f"RFC {case.rfc}"] if case.rfc else []
    if result is None:
        return [*lines, "", "the rehearsal does not come to an end: lint says why"]
    lines += ["", *ladder(_predicted(result)), "", "after"]
    for index, text in after.items():
        place = "from" if index == -1 else str(index + 1)
        lines.append(f"  {place:>4}  {text}")
    return lines


def _predicted(result: Result) -> Result:
    """Say of no state that it was observed: there was no target."""
    trace = (
        replace(record, why="predicted") if record.kind is Kind.STATE else record
        for record in result.trace
        if record.kind is not Kind.STATE or record.step is not None
    )
    return replace(result, trace=tuple(trace))


def _variables(tcb: Tcb, names: Names) -> str:
    """The variables of RFC 9293 3.3.1, in script space."""
    sequence = {"SND.UNA": tcb.snd_una, "SND.NXT": tcb.snd_nxt} if tcb.iss is not None else {}
    if tcb.irs or tcb.rcv_nxt:
        sequence["RCV.NXT"] = tcb.rcv_nxt
    shown = [f"{name}={names.show(value)}" for name, value in sequence.items()]
    if tcb.iss is not None:
        shown += [f"SND.WND={tcb.snd_wnd}", f"RCV.WND={tcb.rcv_wnd}"]
    return " ".join(shown)
