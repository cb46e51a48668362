"""JUnit XML, as Jenkins' schema junit-10.xsd and GitLab's reader take it."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from junit_xml import TestCase, TestSuite

from conformance.model.run import RunInfo
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.report.diagnosis import diagnosis
from conformance.report.files import write_whole
from conformance.report.summary import shortfall
from conformance.report.text import fit


def document(results: Sequence[Result], run: RunInfo) -> str:
    """Return the report: one suite, with one test case a variant and IP version."""
    cases = [_case(result, run) for result in results]
    if run.partial:
        cases.append(_interruption(len(results), run))
    facts = {"target": run.target, **run.system, "seed": run.seed, "version": run.version}
    facts |= {"strict": str(run.strict).lower(), "partial": str(run.partial).lower()}
    suite = TestSuite(
        "conformance",
        cases,
        timestamp=_timestamp(run.started),
        properties={fit(name): fit(str(value)) for name, value in facts.items()},
    ).build_xml_doc()
    # The schemas know no `disabled`, and times without an exponent only.
    del suite.attrib["disabled"]
    suite.set("time", f"{run.wall_s:.3f}")
    root = ET.Element("testsuites", {"name": "conformance", "time": f"{run.wall_s:.3f}"})
    root.attrib |= {name: suite.attrib[name] for name in ("tests", "failures", "errors")}
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def write(path: Path, results: Sequence[Result], run: RunInfo) -> None:
    """Write the report at `path`.  Raises OSError."""
    write_whole(path, document(results, run))


def _timestamp(started: str) -> str:
    """The schema's dateTime has no offset; JUnit's readers take it for UTC or local as they like."""
    return datetime.fromisoformat(started).replace(tzinfo=None).isoformat(timespec="seconds")


def _case(result: Result, run: RunInfo) -> TestCase:
    case = TestCase(
        fit(f"{result.id} (IPv{result.ip})"),
        classname=fit(result.case.theme),
        elapsed_sec=round(result.duration, 6),
    )
    reason = fit(result.reason) or str(result.verdict)
    kind = fit(result.diagnosis.code) if result.diagnosis else result.verdict.value.lower()
    text = fit("\n".join(["", *diagnosis(result, run), ""]))
    match result.verdict:
        case Verdict.FAIL | Verdict.XPASS:
            case.add_failure_info(reason, text, kind)
        case Verdict.ERROR | Verdict.INCONCLUSIVE:
            case.add_error_info(f"{result.verdict}: {reason}", text, kind)
        case Verdict.SKIP:
            case.add_skipped_info(reason)
        case Verdict.XFAIL:
            case.add_skipped_info(f"{result.verdict}: {reason}", text)
        case Verdict.WARN:
            case.stdout = f"WARN: {reason}\n\n{text}"
        case Verdict.PASS:
            pass
    return case


def _interruption(done: int, run: RunInfo) -> TestCase:
    """A reader that sees the file alone must not take half a run for a whole one."""
    case = TestCase("the run was ended early", classname="conformance")
    case.add_error_info(shortfall(done, run))
    return case
