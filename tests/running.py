"""Programs of ours that tests start, and what a run of theirs has found."""

import json
import os
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
"""In which a program imports what the tests import."""


def conformance(*words: str) -> list[str]:
    """Return the command of our own program."""
    return [sys.executable, "-m", "conformance", *words]


def succeeds(program: Path, *arguments: str) -> None:
    """Run a program of the tests, to which warnings are errors; it must end with 0.

    It has long, for machines are busy: what is too slow says so itself.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def last_run(reports: Path) -> dict[str, object]:
    """Return run.json of the last run that has its reports here."""
    loaded: dict[str, object] = json.loads(max(reports.glob("*/run.json")).read_text())
    return loaded


def results(reports: Path) -> list[dict[str, object]]:
    """Return what the last run found, a case and IP version each."""
    found = last_run(reports)["cases"]
    assert isinstance(found, list)
    return found
