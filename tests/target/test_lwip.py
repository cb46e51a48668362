"""lwIP, built from targets/lwip: what is known of it is XFAIL, and nothing else departs."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import lacking

pytestmark = [pytest.mark.netns, pytest.mark.lwip]

HEADERS = {"liblwip-dev": "lwip/lwipopts.h", "libjansson-dev": "jansson.h"}
KNOWN = """
  - case: {case}
    reason: {reason}
"""


@pytest.fixture(scope="module", autouse=True)
def _buildable() -> None:
    missing = [tool for tool in ("gcc", "make") if shutil.which(tool) is None]
    missing += [name for name, header in HEADERS.items() if not Path("/usr/include", header).exists()]
    if missing:
        lacking(f"lwIP cannot be built without {', '.join(missing)}")


@pytest.fixture
def lwip(project: Path, tmp_path: Path) -> Path:
    """Return a copy of targets/lwip, whose description a test may change."""
    return Path(shutil.copytree(project / "targets/lwip", tmp_path / "lwip"))


def change_ledger(lwip: Path, *entries: str, keep: bool = True) -> None:
    path = lwip / "target.yaml"
    head, _, ledger = path.read_text().partition("deviations:\n")
    path.write_text(head + "deviations:\n" + "".join(entries) + (ledger if keep else ""))


def command(lwip: Path, *what: str) -> list[str]:
    run = [sys.executable, "-m", "conformance", "run", "--target", str(lwip), "--ip", "4"]
    return [*run, "--reports", str(lwip / "reports"), *what]


def run(lwip: Path, *what: str) -> tuple[int, dict[str, str], str]:
    """Run cases against lwIP as `lwip` describes it; return exit code, verdicts and output."""
    done = subprocess.run(command(lwip, *what), capture_output=True, text=True, timeout=90, check=False)
    return done.returncode, verdicts(lwip), done.stdout + done.stderr


def verdicts(lwip: Path) -> dict[str, str]:
    runs = sorted((lwip / "reports").glob("*/run.json"))
    found = json.loads(runs[-1].read_text())["cases"] if runs else []
    return {result["id"]: result["verdict"] for result in found}


def test_with_its_ledger_lwip_conforms_and_each_departure_is_told(lwip: Path) -> None:
    crash = "acceptability/beyond-window[half the space away]"
    code, found, output = run(lwip, crash, "handshake/listen-ack", "close/normal-active", "reset/exact")
    assert code == 0, output
    assert found[crash] == "XFAIL"
    assert found["handshake/listen-ack[ACK]"] == "XFAIL"
    assert found["close/normal-active[server]"] == "PASS"
    assert set(found.values()) == {"PASS", "XFAIL"}
    assert "RFC 9293 3.5.2, 3.10.7.1; tcp_out.c:2001, tcp_rst" in output


def test_without_its_ledger_lwip_does_not_conform(lwip: Path) -> None:
    change_ledger(lwip, keep=False)
    code, found, output = run(lwip, "handshake/listen-ack", "close/normal-active")
    assert code == 1, output
    assert found["handshake/listen-ack[ACK]"] == "FAIL"
    assert found["close/normal-active[server]"] == "PASS"
    assert "RST,ACK came" in output


def test_an_entry_that_no_longer_occurs_fails_the_run(lwip: Path) -> None:
    change_ledger(lwip, KNOWN.format(case="close/normal-active[server]", reason="it never closes"))
    code, found, output = run(lwip, "handshake/listen-ack", "close/normal-active")
    assert code == 1, output
    assert found["close/normal-active[server]"] == "XPASS"
    assert found["handshake/listen-ack[ACK]"] == "XFAIL"
    assert "the known deviation no longer occurs: it never closes" in output


def test_lwip_killed_in_the_middle_is_started_again(lwip: Path, tmp_path: Path) -> None:
    """The verdicts are those of a run in which nobody interfered."""
    cases = ("reset", "handshake/listen-ack", "close/normal-active")
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    description = lwip / "target.yaml"
    spy = f"sh -c 'echo $$ > {pids}; exec $0 $*' "
    description.write_text(description.read_text().replace('start: "', f'start: "{spy}'))
    program = subprocess.Popen(
        command(lwip, "-v", *cases), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with program:
        first = int(pids.read_text())
        assert program.stdout is not None
        lines: Iterator[str] = iter(program.stdout)
        next(line for line in lines if line.startswith("PASS"))
        os.kill(first, signal.SIGKILL)
        second = int(pids.read_text())
        rest = "".join(lines)
    assert second != first
    assert program.returncode == 0, rest
    found = verdicts(lwip)
    assert set(found.values()) == {"PASS", "XFAIL", "SKIP"}, rest
    assert found["close/normal-active[server]"] == "PASS"
    assert found["handshake/listen-ack[ACK]"] == "XFAIL"
