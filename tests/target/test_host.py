"""A host behind a router: three machines made of namespaces."""

from pathlib import Path

import pytest
from host_scenarios import SCENARIOS, missing

from tests.conftest import lacking
from tests.running import succeeds

PROGRAM = Path(__file__).with_name("host_scenarios.py")


@pytest.mark.netns
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, tmp_path: Path) -> None:
    tools = missing(name)
    if tools:
        lacking(f"{tools} must be installed")
    succeeds(PROGRAM, name, str(tmp_path))
