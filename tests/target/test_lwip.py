"""lwIP, built from targets/lwip: what is known of it is XFAIL, and nothing else departs."""

import os
import shutil
from pathlib import Path

import pytest
from tap_runs import run, run_and_kill

pytestmark = [pytest.mark.netns, pytest.mark.lwip, pytest.mark.usefixtures("lwip_buildable")]

KNOWN = """
  - case: {case}
    reason: {reason}
"""


@pytest.fixture
def lwip(project: Path, tmp_path: Path) -> Path:
    """Return a copy of targets/lwip, whose description a test may change; it is built beside it."""
    copy = Path(shutil.copytree(project / "targets/lwip", tmp_path / "lwip"))
    path = copy / "target.yaml"
    path.write_text(path.read_text().replace("{build}", str(tmp_path / "build")))
    return copy


def change_ledger(lwip: Path, *entries: str, keep: bool = True) -> None:
    path = lwip / "target.yaml"
    head, _, ledger = path.read_text().partition("deviations:\n")
    path.write_text(head + "deviations:\n" + "".join(entries) + (ledger if keep else ""))


def test_with_its_ledger_lwip_conforms_and_each_departure_is_told(lwip: Path) -> None:
    crash = "acceptability/beyond-window[half the space away]"
    code, found, output = run(lwip, crash, "handshake/listen-ack", "close/normal-active", "reset/exact")
    assert code == 0, output
    assert found[crash] == "XFAIL"
    assert found["handshake/listen-ack[ACK]"] == "XFAIL"
    assert found["close/normal-active[server]"] == "PASS"
    assert set(found.values()) == {"PASS", "XFAIL"}
    assert "RFC 9293 3.5.2, 3.10.7.1; tcp_out.c:2001, tcp_rst" in output


def test_slow_cases_do_not_wait_for_lwip(lwip: Path) -> None:
    code, found, output = run(lwip, "keepalive/two-hours", "close/time-wait-lasts", "retransmission/patience")
    assert code == 0, output
    assert found["keepalive/two-hours"] == found["retransmission/patience"] == "PASS"
    assert found["close/time-wait-lasts"] == "XFAIL"


def test_in_real_time_lwip_does_the_same(lwip: Path) -> None:
    description = lwip / "target.yaml"
    description.write_text(description.read_text().replace("clock: turned", "clock: real"))
    code, found, output = run(lwip, "handshake/listen-ack", "close/normal-active", "close/time-wait-lasts")
    assert code == 0, output
    assert found["handshake/listen-ack[ACK]"] == "XFAIL"
    assert found["close/normal-active[server]"] == "PASS"
    assert found["close/time-wait-lasts"] == "SKIP"


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
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    description = lwip / "target.yaml"
    spy = f"sh -c 'echo $$ > {pids}; exec $0 $*' "
    description.write_text(description.read_text().replace('start: "', f'start: "{spy}'))
    code, found, output = run_and_kill(lwip, pids, "reset", "handshake/listen-ack", "close/normal-active")
    assert code == 0, output
    assert set(found.values()) == {"PASS", "XFAIL", "SKIP"}, output
    assert found["close/normal-active[server]"] == "PASS"
    assert found["handshake/listen-ack[ACK]"] == "XFAIL"
