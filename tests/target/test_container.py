"""The target in a container, with Docker itself: what it says, and that it leaves nothing behind."""

import os
import signal
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from stack import PROJECT, Done, Stack, results, verdicts

from conformance.target.agent_client import BOOTSTRAP
from conformance.target.compose import compose_command
from tests.running import conformance

BARE = """\
services:
  bare:
    image: {image}
    init: true
    entrypoint: [/bin/sleep, infinity]
    # As if there were no python3 in the image.
    environment: {{PATH: /nowhere}}
    networks: [wire]
networks:
  wire:
    internal: true
    ipam: {{config: [{{subnet: 198.19.{number}.0/24}}]}}
"""

pytestmark = pytest.mark.docker


def test_the_runner_writes_as_whom_the_directory_belongs_to(stack: Stack, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    os.chown(reports, 65534, 65534)
    words = ["run", "handshake/three-way", "--junit", "reports/junit.xml", "--target", "container"]
    done = stack.command([*runner(), *words], {"REPORTS": str(reports)})
    assert not done.code, done.out
    assert set(verdicts(reports).values()) == {"PASS"}
    assert {path.stat().st_uid for path in reports.rglob("*")} == {65534}


def runner() -> list[str]:
    return [*compose_command(), "run", "--rm", "-T", "runner"]


@pytest.mark.parametrize("inside", [False, True], ids=["from the host", "from the runner"])
def test_a_container_that_stops_fails_nothing_and_ends_the_run(
    stack: Stack, tmp_path: Path, inside: bool
) -> None:
    container = stack.up("linux")
    words = ["run", "--target", "container", "--reports", "reports" if inside else str(tmp_path)]
    run = stack.start([*runner(), *words] if inside else conformance(*words), {"REPORTS": str(tmp_path)})
    assert run.stdout is not None
    told = ""
    while "of" not in told or "done" not in told:  # some cases have ended, most have not
        told = run.stdout.readline()
        assert told, "the run has ended"
    assert stack.command(["docker", "kill", container]).code == 0
    out = run.communicate(timeout=60)[0]
    assert run.returncode == 3, out
    found = Counter(case["verdict"] for case in results(tmp_path).values())
    assert found["FAIL"] == found["XPASS"] == 0
    assert found["ERROR"] > 100
    reasons = {str(case["reason"]) for case in results(tmp_path).values() if case["verdict"] == "ERROR"}
    assert all("has stopped" in reason for reason in reasons), reasons
    stack.up("linux")


def test_a_service_that_is_not_up_is_started_and_it_says_so(stack: Stack, tmp_path: Path) -> None:
    assert not stack.compose("stop", "--timeout", "1", "linux").code
    done = stack.conformance(
        *("run", "handshake/three-way", "--target", "container", "--reports", str(tmp_path))
    )
    assert not done.code, done.out
    assert "the service linux is not up; starting it: " in done.out
    assert "up -d linux" in done.out


def test_what_was_set_is_set_back_even_if_the_tester_is_killed(stack: Stack, tmp_path: Path) -> None:
    container = stack.up("linux")
    read = ["docker", "exec", container, "cat", "/proc/sys/net/ipv4/tcp_invalid_ratelimit"]
    before = stack.command(read)
    run = stack.start(conformance("run", "--target", "container", "--reports", str(tmp_path)))
    assert run.stdout is not None
    while "done" not in run.stdout.readline():
        assert run.poll() is None
    assert stack.command(read) == Done(0, "0\n") != before
    run.send_signal(signal.SIGKILL)
    run.communicate()
    deadline = time.monotonic() + 60
    while stack.command(read) != before:
        assert time.monotonic() < deadline
    # Agents end by the end of their input.
    while "agent.py" in (top := stack.command(["docker", "top", container]).out):
        assert time.monotonic() < deadline, top


def test_what_a_run_has_taught_the_target_does_not_show_in_the_next(stack: Stack, tmp_path: Path) -> None:
    """A cookie of Fast Open is for an address, and over IPv4 every run begins with the same one."""
    stack.up("linux")
    for run in ("first", "second"):
        words = ["run", "options/fast-open-client-data", "--ip", "4", "--target", "container"]
        done = stack.conformance(*words, "--reports", str(tmp_path / run))
        assert not done.code, done.out
        assert set(verdicts(tmp_path / run).values()) == {"PASS"}, done.out


def test_an_image_without_python_on_a_network_as_compose_makes_it(stack: Stack, tmp_path: Path) -> None:
    image = stack.command(
        ["docker", "inspect", "--format", "{{.Image}}", stack.container("linux")]
    ).out.strip()
    (tmp_path / "targets" / "bare").mkdir(parents=True)
    description = tmp_path / "targets" / "bare" / "target.yaml"
    description.write_text("name: bare\nkind: container\ninherits: netns\n")
    file = tmp_path / "docker-compose.yml"
    file.write_text(BARE.format(image=image, number=os.getpid() % 200 + 20))
    own = Stack("bare", file)
    try:
        # With sysctls of their own, too.
        done = own.conformance(
            *("run", "handshake", "window", "--target", "container:bare"),
            *("--reports", str(tmp_path / "reports")),
        )
        assert not done.code, done.out
        assert "the service bare is not up; starting it: " in done.out
        found = results(tmp_path / "reports")
        assert {case["reason"] for (_, ip), case in found.items() if ip == 6} == {"the target has no IPv6"}
        assert Counter(case["verdict"] for (_, ip), case in found.items() if ip == 4)["PASS"] > 50
        assert not own.conformance("run", "handshake/three-way", "--target", str(description)).code
    finally:
        own.down()


@pytest.mark.parametrize("spare", [False, True], ids=["this machine's address", "a spare address"])
@pytest.mark.parametrize("ip", [4, 6])
def test_nginx_as_a_host_that_can_only_be_reached(stack: Stack, tmp_path: Path, ip: int, spare: bool) -> None:
    container = stack.up("linux")
    field = "IPAddress" if ip == 4 else "GlobalIPv6Address"
    form = f"{{{{range .NetworkSettings.Networks}}}}{{{{.{field}}}}}{{{{end}}}}"
    address = stack.command(["docker", "inspect", "--format", form, container]).out.strip()
    until_it_listens(address)
    words = ["--target", address if ip == 4 else f"[{address}]", "--service", "http"]
    if spare:
        words += ["--tester-address", address.removesuffix("2") + "200"]
    listed = stack.conformance("run", "http", *words, "--list")
    assert not listed.code, listed.out
    assert "http/pipelined (IPv" in listed.out
    done = stack.conformance("run", "http", *words, "--reports", str(tmp_path))
    assert not done.code, done.out
    assert ("the spare address" in done.out) == spare
    assert "middlebox" not in done.out
    found = Counter(case["verdict"] for (_, of), case in results(tmp_path).items() if of == ip)
    assert found.keys() == {"PASS", "SKIP"}
    assert found["PASS"] >= 15


def until_it_listens(address: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((address, 80), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise


@pytest.mark.parametrize(
    ("words", "environment", "message", "remedy"),
    [
        (
            ["container"],
            {"PATH": "/nowhere"},
            "error: Docker is not installed: there is no command docker\n",
            "  try: install it (",
        ),
        (
            ["container"],
            {"DOCKER_HOST": "unix:///nowhere/docker.sock"},
            "error: Docker's daemon does not answer: ",
            "  try: start it (sudo systemctl start docker)",
        ),
        (
            ["container:nginx"],
            {},
            "error: the Compose project here has no service nginx\n",
            "  try: choose --target container:SERVICE of linux",
        ),
        (
            ["container"],
            {"COMPOSE_FILE": "/nowhere/docker-compose.yml"},
            "error: Compose cannot read the project here: ",
            "  try: run the tester where docker-compose.yml is, or name the file in COMPOSE_FILE",
        ),
    ],
    ids=["no Docker", "no daemon", "no service", "no project"],
)
def test_what_is_missing_is_said_once_with_a_remedy(
    stack: Stack, words: list[str], environment: dict[str, str], message: str, remedy: str
) -> None:
    done = stack.conformance("run", "handshake/three-way", "--target", *words, environment=environment)
    assert done.code == 3
    assert done.out.startswith(message)
    assert remedy in done.out
    assert len(done.out.splitlines()) == 2


def test_the_way_in_speaks_as_the_tester_does() -> None:
    path = PROJECT / "targets" / "linux" / "serve.py"
    names: dict[str, object] = {"__name__": "serve"}
    exec(compile(path.read_text(), str(path), "exec"), names)
    assert names["BOOTSTRAP"] == BOOTSTRAP


def test_no_docker_client_outlives_the_tests(stack: Stack) -> None:
    container = stack.container("linux")
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    clients = [line for line in listed.splitlines() if line.startswith("docker ") and container[:12] in line]
    assert clients == []
