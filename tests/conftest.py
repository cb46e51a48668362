"""What all tests share: how golden files are written anew, and how much Hypothesis tries."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more of the machine than of the code.  By chance new examples
# are tried only if asked for (--hypothesis-profile=thorough), so that CI tells of changes alone.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
patient = settings.get_profile("patient")
settings.register_profile("quick", patient, max_examples=40, derandomize=True)
settings.register_profile("thorough", patient, max_examples=2000)
settings.load_profile("quick")


REQUIRED = bool(os.environ.get("CONFORMANCE_REQUIRE"))
"""Set in CI, where what a test needs is there: a skip would then hide that it is not."""


def lacking(reason: str) -> None:
    """Skip the test, or the module, for want of something; where that is required, fail."""
    if REQUIRED:
        pytest.fail(f"{reason}, and CONFORMANCE_REQUIRE is set")
    pytest.skip(reason, allow_module_level=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write golden files as the output is now; read the difference before it is committed",
    )


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def _own_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's index of known cases out of the tests, and what tests write out of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
