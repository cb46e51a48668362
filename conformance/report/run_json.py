"""run.json: everything that is known of a run, and the source of every other report.

The top level has the run (target, seed, started, wall_s, partial, ...), the case files'
text by path under `sources`, and one object a case and IP version under `cases`.  What has
its usual value (an empty `why`, a TTL of 64) is left out.  Octets are in hex, times in
seconds, `time` from the start of the case and `started_s` from the start of the run.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from conformance.model.case import Case, Step
from conformance.model.run import RunInfo
from conformance.model.segment import USUAL, Envelope, Segment, control_text
from conformance.model.source import Span
from conformance.model.trace import Diagnosis, Names, Record, Result
from conformance.report.files import write_whole
from conformance.report.summary import outcome_of

FORMAT = 1
"""Raised when a reader of the old form could not read the new one."""

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def document(results: Sequence[Result], run: RunInfo) -> dict[str, Json]:
    """Return the whole of run.json as plain values."""
    counts = Counter(str(result.verdict) for result in results)
    return {
        "format": FORMAT,
        "target": run.target,
        "system": dict(run.system),
        "seed": run.seed,
        "started": run.started,
        "wall_s": round(run.wall_s, 3),
        "version": run.version,
        "partial": run.partial,
        "planned": run.planned,
        "strict": run.strict,
        "profile": run.profile,
        "host": list(run.host),
        "argv": list(run.argv),
        "directory": run.directory,
        "cases_root": run.cases_root,
        "shard": run.shard,
        "counts": dict(sorted(counts.items())),
        "exit_code": int(outcome_of(results, run)),
        "sources": {result.case.span.path: result.case.source for result in results},
        "cases": [_case(result) for result in results],
    }


def write(path: Path, results: Sequence[Result], run: RunInfo) -> None:
    """Write run.json at `path`, whole or not at all, a case a line.  Raises OSError."""
    top = document(results, run)
    cases = top.pop("cases")
    assert isinstance(cases, list)
    head = json.dumps(top, indent=1).removesuffix("\n}")
    lines = ",\n".join(json.dumps(case) for case in cases)
    write_whole(path, f'{head},\n "cases": [\n{lines}\n ]\n}}\n')


def _case(result: Result) -> dict[str, Json]:
    case = result.case
    return {
        "id": result.id,
        "ip": result.ip,
        "verdict": str(result.verdict),
        "level": str(result.level),
        "duration_s": round(result.duration, 6),
        "evidence": str(result.evidence),
        "reason": result.reason,
        **_about(case),
        "started_s": round(result.started, 6),
        "attempts": result.attempts,
        "lateness_s": round(result.lateness, 6),
        "ports": list(result.ports),
        "capture": result.capture,
        "names": dict(result.names),
        "bases": dict(result.names.bases) if isinstance(result.names, Names) else {},
        "diagnosis": _diagnosis(result.diagnosis) if result.diagnosis else None,
        "warnings": [_diagnosis(warning) for warning in result.warnings],
        "trace": [_record(record) for record in result.trace],
    }


def _about(case: Case) -> dict[str, Json]:
    return {
        "theme": case.theme,
        "title": case.title,
        "rfc": case.rfc,
        "covers": list(case.covers),
        "role": str(case.role),
        "from": str(case.start),
        "needs": list(case.needs.words()),
        "parameters": dict(case.parameters),
        "about": case.about,
        "case_level": str(case.level),
        "case_ip": list(case.ip),
        "place": _span(case.span),
        "steps": [_step(step) for step in case.steps],
    }


def _step(step: Step) -> Json:
    return {"text": step.text.text, "place": _span(step.text.span())}


def _span(span: Span) -> dict[str, Json]:
    return {"path": span.path, "line": span.line, "column": span.column, "end": span.end}


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Json]:
    return {
        "code": diagnosis.code,
        "message": diagnosis.message,
        "place": _span(diagnosis.span) if diagnosis.span else None,
        "label": diagnosis.label,
        "notes": [list(note) for note in diagnosis.notes],
        "clause": diagnosis.clause,
    }


def _record(record: Record) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "time": round(record.time, 6),
        "kind": record.kind.value,
        "step": record.step,
        "shown": record.shown,
    }
    for name in ("connection", "why", "clause", "inferred", "wrong"):
        value = getattr(record, name)
        if value != _DEFAULTS[name]:
            shown[name] = value
    if record.segment:
        shown["segment"] = _segment(record.segment)
    return shown


_DEFAULTS = {field.name: field.default for kind in (Record, Segment) for field in fields(kind)}


def _segment(segment: Segment) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "seq": segment.seq,
        "ack": segment.ack,
        "ctl": control_text(segment.ctl),
        "wnd": segment.wnd,
    }
    for name in ("urp", "checksum_ok", "checksum", "doff", "rsv", "ttl", "tos", "ident", "defect"):
        value = getattr(segment, name)
        if value != _DEFAULTS[name]:
            shown[name] = value
    for name in ("data", "options"):
        octets = getattr(segment, name)
        if octets:
            shown[name] = octets.hex()
    if segment.envelope != USUAL:
        shown["envelope"] = _envelope(segment.envelope)
    return shown


def _envelope(envelope: Envelope) -> dict[str, Json]:
    """How IP carried the segment, as far as that is not as usual."""
    values = {item.name: getattr(envelope, item.name) for item in fields(Envelope)}
    values["options"] = envelope.options.hex()
    return {name: value for name, value in values.items() if value}
