import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import sample
from hypothesis import given
from hypothesis import strategies as st

from conformance.model.verdict import Verdict
from conformance.report import junit

Golden = Callable[[str, str], None]
# What Jenkins' junit-10.xsd allows: attributes (a * marks those required) and children.
SCHEMA = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {
            "name*",
            "tests*",
            "failures*",
            "errors*",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        },
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name*", "value*"}, set()),
    "testcase": ({"name*", "time", "classname"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "skipped": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "failure": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}


def _check(element: ET.Element) -> None:
    attributes, children = SCHEMA[element.tag]
    assert set(element.attrib) <= {name.rstrip("*") for name in attributes}
    assert set(element.attrib) >= {name.rstrip("*") for name in attributes if name.endswith("*")}
    for child in element:
        assert child.tag in children
        _check(child)


def _outcomes(text: str) -> dict[str, str]:
    cases = ET.fromstring(text).iter("testcase")
    return {str(case.get("name")): "".join(child.tag for child in case) for case in cases}


def test_the_report(golden: Golden) -> None:
    golden("junit.xml", junit.document(sample.ALL, sample.RUN))


def test_it_keeps_to_the_schema() -> None:
    root = ET.fromstring(junit.document(sample.ALL, sample.RUN))
    _check(root)
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "9",
        "2",
        "2",
        "2",
    )


def test_each_verdict_has_its_element() -> None:
    elements = {
        Verdict.PASS: "",
        Verdict.FAIL: "failure",
        Verdict.WARN: "system-out",
        Verdict.XFAIL: "skipped",
        Verdict.XPASS: "failure",
        Verdict.INCONCLUSIVE: "error",
        Verdict.ERROR: "error",
        Verdict.SKIP: "skipped",
    }
    results = [sample.result(f"a/{verdict.value}", verdict) for verdict in Verdict]
    outcomes = _outcomes(junit.document(results, sample.RUN))
    assert outcomes == {f"a/{verdict.value} (IPv4)": element for verdict, element in elements.items()}


def test_a_partial_run_cannot_be_taken_for_a_whole_one() -> None:
    text = junit.document(sample.ALL[:1], replace(sample.RUN, partial=True))
    assert _outcomes(text)["the run was ended early"] == "error"
    assert "interrupted: 1 of 9 cases done; these results are partial" in text


def test_nothing_ran() -> None:
    _check(ET.fromstring(junit.document([], replace(sample.RUN, planned=0))))


@given(st.text())
def test_any_text_gives_well_formed_xml(text: str) -> None:
    result = replace(sample.FAILED, reason=text, diagnosis=replace(sample.DIAGNOSIS, message=text, code=text))
    _check(ET.fromstring(junit.document([result], replace(sample.RUN, system={"system": text})).encode()))


def test_it_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "junit.xml"
    junit.write(path, sample.ALL, sample.RUN)
    assert path.read_text(encoding="utf-8") == junit.document(sample.ALL, sample.RUN)
    assert list(path.parent.iterdir()) == [path]
