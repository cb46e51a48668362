"""What the tests of targets share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import Stack, docker_or_skip

from tests.conftest import lacking

HEADERS = {"liblwip-dev": "lwip/lwipopts.h", "libjansson-dev": "jansson.h"}


@pytest.fixture(scope="session")
def lwip_buildable() -> None:
    missing = [tool for tool in ("cc", "make") if shutil.which(tool) is None]
    missing += [name for name, header in HEADERS.items() if not Path("/usr/include", header).exists()]
    if missing:
        lacking(f"lwIP cannot be built without {', '.join(missing)}")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """docker-compose.yml as it is here, up; while it is, nobody else need build its images."""
    docker_or_skip()
    found = Stack("conformance")
    try:
        found.up("linux")
        built = found.compose("build", "runner")
        assert not built.code, built.out
        yield found
    finally:
        found.down()
