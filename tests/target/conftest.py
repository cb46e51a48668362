"""What the tests of targets share."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import lacking

HEADERS = {"liblwip-dev": "lwip/lwipopts.h", "libjansson-dev": "jansson.h"}


@pytest.fixture(scope="session")
def lwip_buildable() -> None:
    missing = [tool for tool in ("cc", "make") if shutil.which(tool) is None]
    missing += [name for name, header in HEADERS.items() if not Path("/usr/include", header).exists()]
    if missing:
        lacking(f"lwIP cannot be built without {', '.join(missing)}")
