"""A host behind a router: three machines made of namespaces."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from host_scenarios import SCENARIOS, missing

from tests.conftest import lacking
from tests.running import succeeds

PROGRAM = Path(__file__).with_name("host_scenarios.py")
AT_ONCE = 3

Scenarios = dict[str, Future[None]]


@pytest.fixture(scope="module")
def scenarios(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scenarios]:
    """The scenarios that are wanted, on their way: they wait more than they work, so a few run at once."""
    wanted = [item.callspec.params["name"] for item in request.session.items if item.path == request.path]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(succeeds, PROGRAM, name, str(tmp_path_factory.mktemp(name)))
            for name in wanted
            if not missing(name)
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.netns
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, scenarios: Scenarios) -> None:
    if tools := missing(name):
        lacking(f"{tools} must be installed")
    scenarios[name].result()
