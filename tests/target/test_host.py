"""A host behind a router: three machines made of namespaces."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from host_scenarios import SCENARIOS, missing

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
PROGRAM = Path(__file__).with_name("host_scenarios.py")


@pytest.mark.netns
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, tmp_path: Path) -> None:
    lacking = missing(name)
    if lacking:
        assert "CONFORMANCE_REQUIRE" not in os.environ, f"{lacking} must be installed here"
        pytest.skip(f"needs {lacking}")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM), name, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
