"""Kind `tap`: user-space stacks, here the reference as a process, on a TUN device."""

import os
import signal
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from tap_runs import run, run_and_kill

import conformance
from conformance.model.description import TargetDescription
from conformance.model.flow import Fate
from conformance.target.base import TargetError
from conformance.target.program import fate_of, filled, how_it_ended
from conformance.target.tap import build_directory
from conformance.wire.recording import Recording

pytestmark = pytest.mark.netns

STACK = Path(__file__).with_name("reference_on_tun.py")
START = f"{sys.executable} {STACK} {{interface}}"
CRASHING = """
title: A strange request
from:  ESTABLISHED
steps:
  - send:   <DATA="please crash">
  - expect: <ACK=x+13><CTL=ACK>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    describe(tmp_path, f"start: {START}")
    return tmp_path


def describe(folder: Path, *lines: str) -> None:
    head = ("name: small", "kind: tap", "layer: 3")
    (folder / "target.yaml").write_text("\n".join([*head, *lines, ""]))


def test_the_suite_runs_against_a_process(folder: Path) -> None:
    code, found, output = run(folder, "handshake/three-way", "close/half-close-active", "reset/abort")
    assert code == 0, output
    assert len(found) > 10
    assert set(found.values()) == {"PASS"}
    assert "reference on TUN" in output


def test_the_agent_may_be_another_program(folder: Path) -> None:
    path = folder / "agent.socket"
    agent = f"{sys.executable} {STACK} --speak {path}"
    describe(folder, f"start: {START} --socket {path}", f"agent: {agent}")
    code, found, output = run(folder, "close/half-close-active")
    assert (code, set(found.values())) == (0, {"PASS"}), output


@pytest.mark.parametrize("clock", ["real", "turned"])
def test_a_crash_is_the_failure_of_the_case_that_caused_it(folder: Path, clock: str) -> None:
    describe(folder, f"start: {START}", f"clock: {clock}")
    (folder / "strange.yaml").write_text(CRASHING)
    code, found, output = run(folder, "strange.yaml", "handshake/three-way", "close/half-close-active")
    assert code == 1, output
    assert {name for name, verdict in found.items() if verdict != "PASS"} == {"strange"}
    assert found["strange"] == "FAIL"
    assert "failure[crash]: the target crashed" in output
    assert "the target's program ended by SIGSEGV" in output
    assert "assertion failed: nobody asked so politely before" in output


def test_where_the_clock_is_turned_nobody_waits_and_the_record_has_its_time(folder: Path) -> None:
    describe(folder, f"start: {START}", "clock: turned")
    slow = ["close/time-wait-ends[simultaneous]", "retransmission/timeout-doubles"]
    code, found, output = run(folder, *slow, "handshake/three-way", "--capture", "all")
    assert (code, set(found.values())) == (0, {"PASS"}), output
    assert set(slow) < set(found)
    (capture,) = folder.glob("reports/*/close-time-wait-ends-simultaneous--ipv4.pcapng")
    with Recording(capture) as recording:
        times = [item.time for item in recording]
    assert times == sorted(times)
    # 2MSL and five seconds, and nothing but the timers in between.
    assert 240 <= max(later - sooner for sooner, later in pairwise(times)) < 246


def test_an_agent_that_cannot_turn_its_clock_is_not_believed_to(folder: Path) -> None:
    agent = Path(conformance.__file__).with_name("target") / "agent.py"
    describe(folder, f"start: {sys.executable} {agent}", "clock: turned")
    code, found, output = run(folder, "handshake/three-way")
    assert (code, found) == (3, {})
    assert "the agent does not turn its clock: ENOSYS" in output


def waiting(call: str, data: str) -> str:
    return f"""
title: A user who waits for what does not come
from:  ESTABLISHED
steps:
  - send:   <CTL=ACK>{data}
  - {call}
"""


WAITS = {
    "receive": 'call: RECEIVE "please fall silent"',
    "urgent": "call: STATUS urgent\n    despite: nothing urgent was sent",
    "state": "state: CLOSE-WAIT\n    despite: no FIN was sent",
}


def test_a_user_who_gets_nothing_is_the_failure_of_a_target_that_is_there(folder: Path) -> None:
    describe(folder, f"start: {START}", "clock: turned")
    for name, call in WAITS.items():
        (folder / f"{name}.yaml").write_text(waiting(call, '<DATA="please fall silent"><CKSUM=bad>'))
        code, found, output = run(folder, f"{name}.yaml")
        assert (code, found) == (1, {name: "FAIL"}), output
    assert "the target is not in CLOSE-WAIT" in output


def test_and_of_nobody_where_the_target_has_fallen_silent(folder: Path) -> None:
    """The agent is another one's business: it answers as ever, and the user has nothing."""
    describe(folder, f"start: {START}", "clock: turned")
    for name, call in WAITS.items():
        (folder / f"{name}.yaml").write_text(waiting(call, '<DATA="please fall silent">'))
        code, found, output = run(folder, f"{name}.yaml")
        assert (code, found) == (3, {name: "INCONCLUSIVE"}), output


def test_what_the_target_lacks_is_skipped_with_its_reason(folder: Path) -> None:
    describe(folder, f"start: {START}", "lacks: {active-open: it only listens}")
    code, found, output = run(folder, "close/half-close-active", "handshake/three-way")
    assert code == 0, output
    assert found["close/half-close-active[client]"] == "SKIP"
    assert found["close/half-close-active[server]"] == "PASS"
    assert "the target lacks active OPEN: it only listens" in output


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("start: ./nothing",), "cannot start the agent ./nothing: No such file or directory"),
        (("start: sh -c 'echo no memory >&2; exit 3'",), "ended with exit code 3"),
        (("start: ./stack {port}",), "known are {directory}, {build}"),
        (("start: ./stack", "build: sh -c 'echo what went wrong; false'"), "what went wrong"),
        (("build: make",), "start is missing"),
        (("start: ./stack", "clock: sometimes"), "real or turned is needed here"),
    ],
)
def test_a_stack_that_does_not_start_is_not_a_failure(
    folder: Path, lines: tuple[str, ...], told: str
) -> None:
    describe(folder, *lines)
    code, found, output = run(folder, "handshake/three-way")
    assert code in (2, 3)
    assert not found
    assert told in output


def test_a_killed_stack_is_started_again(folder: Path) -> None:
    """From outside, and in the middle: by itself a stack does not end by SIGKILL."""
    pids = folder / "pids"
    os.mkfifo(pids)
    describe(folder, f"""start: sh -c 'echo $$ > {pids}; exec "$0" "$@"' {START}""")
    code, found, output = run_and_kill(folder, pids, "close")
    assert code == 0, output
    assert set(found.values()) == {"PASS", "SKIP"}


def test_two_copies_of_a_stack_are_not_built_in_one_place() -> None:
    one, other = (TargetDescription("small", "tap", directory=f"/stacks/{name}") for name in ("one", "other"))
    assert build_directory(one) == build_directory(one) != build_directory(other)
    assert build_directory(one).name.startswith("small-")


def test_placeholders() -> None:
    assert filled(["./{a}", "x{b}y"], {"a": "one", "b": "two"}) == ["./one", "xtwoy"]
    with pytest.raises(TargetError, match="cannot fill in 'c'"):
        filled(["{c}"], {"a": "one"})


@pytest.mark.parametrize(
    ("code", "words", "fate"),
    [
        (0, "with exit code 0", Fate.CRASHED),
        (-signal.SIGSEGV, "by SIGSEGV", Fate.CRASHED),
        (-signal.SIGKILL, "by SIGKILL", Fate.KILLED),
        (-63, "by signal 63", Fate.CRASHED),
    ],
)
def test_how_a_process_ended(code: int, words: str, fate: Fate) -> None:
    assert how_it_ended(code) == words
    assert fate_of(code) is fate
