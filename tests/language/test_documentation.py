"""Every example in docs/cases.md is loaded, and every whole case in it rehearsed."""

import re
from pathlib import Path
from textwrap import indent

import pytest

from conformance.language.diagnostics import render_all
from conformance.language.loader import load_text
from conformance.language.schema import FILE_KEYS, STEP_KEYS, WITH_KEYS
from conformance.model.case import CallError, CallName
from conformance.model.pattern import FIELDS, OPTION_ARGUMENTS
from conformance.model.segment import Control
from conformance.model.state import State
from conformance.session.rehearsal import rehearse

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "cases.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = [
    pytest.param(match[1], id=f"line {TEXT.count(chr(10), 0, match.start()) + 1}")
    for match in re.finditer(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example: str) -> None:
    whole = example.startswith("title:")
    text = example if whole else "title: An example\nfrom: ESTABLISHED\nsteps:\n" + indent(example, "  ")
    cases, diagnostics = load_text(text.encode(), PAGE.name, "example")
    assert not diagnostics, render_all(diagnostics)
    assert cases
    if whole:
        assert [found for case in cases for found in rehearse(case)] == []


def test_the_page_is_complete() -> None:
    words = [*FILE_KEYS, *STEP_KEYS, *WITH_KEYS, *FIELDS, *OPTION_ARGUMENTS, *Control.__members__]
    words += [*map(str, State), *map(str, CallName), *map(str, CallError)]
    assert [word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", TEXT)] == []


def test_links_within_the_page() -> None:
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\(#([\w-]+)\)", TEXT)) <= anchors


def test_the_case_in_the_readme_is_the_one_it_names() -> None:
    found = re.search(
        r"^```yaml\n# (\S+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    assert found[2] == (ROOT / found[1]).read_text()
