"""Every error of a case, as its author sees it, is kept in golden/: the case, and what is said of it."""

import re
from pathlib import Path

import pytest

from conformance.language.diagnostics import render_all
from conformance.language.loader import load_text
from conformance.run.loading import load_cases

GOLDEN = Path(__file__).parent / "golden"
PACKAGE = Path(__file__).resolve().parent.parent.parent / "conformance"
ELSEWHERE = {"empty-segment", "unreadable"}
"""Codes that no single case file can have; each has a test of its own."""


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    cases, diagnostics = load_text(path.read_bytes(), path.name, path.stem)
    shown = render_all(diagnostics)
    expected = path.with_suffix(".txt")
    if request.config.getoption("--update-golden"):
        expected.write_text(shown, encoding="utf-8")
    assert not cases
    assert diagnostics
    assert shown == expected.read_text(encoding="utf-8")


def test_every_code_is_golden() -> None:
    sources = [*PACKAGE.glob("language/*.py"), PACKAGE / "model/notation.py", PACKAGE / "model/expression.py"]
    sources = [path for path in sources if path.name not in ("target_file.py", "diagnostics.py")]
    calls = r'(?:error|_error|Problem|choice|Diagnostic)\(\s*(?:[\w.]+,\s*){0,2}"([a-z0-9]+(?:-[a-z0-9]+)+)"'
    codes = {code for path in sources for code in re.findall(calls, path.read_text(encoding="utf-8"))}
    shown = "\n".join(path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.txt"))
    assert len(codes) > 60
    assert {code for code in codes if f"[{code}]" not in shown} <= ELSEWHERE


def test_all_errors_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("title: A\nsteps:\n  - send: <CTL=AKC>\n  - wait: 1\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("title: *\n", encoding="utf-8")
    (tmp_path / "c.yaml").write_text("title: C\nsteps:\n  - wait: 1s\n", encoding="utf-8")
    cases, diagnostics = load_cases([str(tmp_path)], tmp_path)
    assert [case.id for case in cases] == ["c"]
    assert [item.code for item in diagnostics] == ["unknown-control", "bad-duration", "yaml-syntax"]
    assert render_all(diagnostics).endswith("\n3 errors in 2 cases; nothing was sent\n")


def test_empty_file() -> None:
    _, wrong = load_text(b"", "x.yaml", "x")
    assert [item.code for item in wrong] == ["empty-file"]


def test_two_files_one_id(tmp_path: Path) -> None:
    for name in ("a.yaml", "a.yml"):
        (tmp_path / name).write_text("title: A\nsteps:\n  - wait: 1s\n", encoding="utf-8")
    cases, diagnostics = load_cases([str(tmp_path)], tmp_path)
    assert len(cases) == 1
    assert [item.code for item in diagnostics] == ["duplicate-case"]
