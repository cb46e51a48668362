"""docs/findings.md tells each departure that the ledgers have, and no other."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from conformance.cli_cases import meant
from conformance.model.description import Deviation
from conformance.model.verdict import Level
from conformance.target.description import load_target

PAGE = Path(__file__).resolve().parent.parent / "docs" / "findings.md"
ROW = re.compile(r"^\| (\d+) \| \[(.+)\]\(#(.+?)\) \| (.+) \|$", re.MULTILINE)
LADDER = re.compile(
    r"^```\n(?:FAIL|WARN) (\S.*?) \(IPv[46]\): .*\n(?:.*\n)*? +time +step +tester", re.MULTILINE
)


class Finding(NamedTuple):
    """A row of a table, and what is told under its heading."""

    number: int
    title: str
    link: str
    level: str
    clause: str
    cases: list[str]
    place: str
    told: str


def findings(title: str) -> list[Finding]:
    """Return the findings of one target, which the page has under this title."""
    chapter = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = (part for part in chapter if part.startswith(f"{title}\n"))
    told = dict(part.split("\n", 1) for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:])
    found = []
    for number, name, link, cells in ROW.findall(text):
        level, clause, cases, *place = cells.split(" | ")
        heading = f"{title} {number}: {name}"
        listed = re.findall(r"`([^`]+)`", cases)
        found.append(
            Finding(int(number), name, link, level, clause, listed, "".join(place), told.pop(heading))
        )
    assert not told
    return found


def ledger(target: str) -> tuple[Deviation, ...]:
    return load_target(target).deviations


def named(finding: Finding, case: str) -> bool:
    return any(Deviation(pattern, "").applies(case, 4, "") for pattern in finding.cases)


@pytest.fixture(params=[("lwip", "lwIP"), ("netns", "Linux")], ids=lambda param: param[0])
def told(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return a target's name, and what the page calls it."""
    name, title = request.param
    return name, title


def test_each_departure_is_told_and_each_told_is_in_the_ledger(told: tuple[str, str]) -> None:
    target, title = told
    cases = [case for finding in findings(title) for case in finding.cases]
    assert sorted(cases) == sorted(deviation.case for deviation in ledger(target))


def test_clause_and_place_are_the_ledgers(told: tuple[str, str]) -> None:
    target, title = told
    of = {case: finding for finding in findings(title) for case in finding.cases}
    for deviation in ledger(target):
        assert deviation.reference in of[deviation.case].clause
        if target == "lwip":
            assert deviation.source
            assert deviation.source in of[deviation.case].place


def test_level_is_that_of_the_cases(told: tuple[str, str]) -> None:
    cases = meant(())
    for finding in findings(told[1]):
        levels = {case.level for case in cases if named(finding, case.id)}
        strongest = next(level for level in Level if level in levels)
        assert finding.level.startswith(str(strongest)), finding.title


def test_each_finding_is_counted_linked_and_shown(told: tuple[str, str]) -> None:
    _, title = told
    found = findings(title)
    assert [finding.number for finding in found] == list(range(1, len(found) + 1))
    assert f"- [{title}](#{title.lower()}), {len(found)} findings\n" in PAGE.read_text(encoding="utf-8")
    for finding in found:
        heading = f"{title} {finding.number}: {finding.title}".lower()
        assert finding.link == re.sub(r"[^\w -]", "", heading).replace(" ", "-")
        (shown,) = LADDER.findall(finding.told)
        assert named(finding, shown)
