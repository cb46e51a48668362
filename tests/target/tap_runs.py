"""Runs against a stack that is a process, described by the target.yaml of a folder, over IPv4."""

import os
import signal
import subprocess
from pathlib import Path

from tests.running import ENVIRONMENT, conformance, results


def run(folder: Path, *what: str) -> tuple[int, dict[str, str], str]:
    """Run cases; return exit code, verdicts and output."""
    with _started(folder, *what) as program:
        output = program.communicate()[0]
    return program.returncode, verdicts(folder), output


def verdicts(folder: Path) -> dict[str, str]:
    """Return the verdicts of the last run; none if there was none."""
    reports = folder / "reports"
    found = results(reports) if any(reports.glob("*/run.json")) else []
    return {str(case["id"]): str(case["verdict"]) for case in found}


def run_and_kill(folder: Path, pids: Path, *what: str) -> tuple[int, dict[str, str], str]:
    """Run cases, and kill the stack when one has passed: it must be started again.

    The stack writes its pid to the FIFO `pids` when it starts.
    """
    with _started(folder, "-v", *what) as program:
        first = int(pids.read_text())
        assert program.stdout is not None
        next(line for line in program.stdout if line.startswith("PASS"))
        os.kill(first, signal.SIGKILL)
        assert int(pids.read_text()) != first
        output = program.stdout.read()
    return program.returncode, verdicts(folder), output


def _started(folder: Path, *what: str) -> "subprocess.Popen[str]":
    words = ["--target", str(folder), "--ip", "4", "--reports", str(folder / "reports")]
    return subprocess.Popen(
        conformance("run", *words, *what),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=ENVIRONMENT,
    )
