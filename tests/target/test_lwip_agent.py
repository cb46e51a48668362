"""targets/lwip: it builds, keeps to the agent protocol, and is a TCP that the kernel's can talk to."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.target.agent_client import AgentClient
from tests.running import succeeds

ON_TAP = Path(__file__).with_name("lwip_on_tap.py")
LWIP, SILENT = "192.0.2.2", "192.0.2.77"
LWIP_6 = "2001:db8::2"
ADDRESSES = ("--address", f"{LWIP}/24", "--address", f"{LWIP_6}/64")
TIME_WAIT = 120

pytestmark = [pytest.mark.lwip, pytest.mark.usefixtures("lwip_buildable")]


@pytest.fixture(scope="session")
def program(lwip_buildable: None, project: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    build = tmp_path_factory.mktemp("lwip")
    subprocess.run(["make", "-s", "-C", project / "targets/lwip", f"BUILD={build}"], check=True)
    return str(build / "lwip-agent")


Starter = Callable[..., AgentClient]


@pytest.fixture
def start(program: str) -> Iterator[Starter]:
    started: list[AgentClient] = []

    def begin(*arguments: str) -> AgentClient:
        started.append(AgentClient([program, *arguments, *ADDRESSES]))
        return started[-1]

    yield begin
    for client in started:
        client.close()


def ask(client: AgentClient, op: str, **arguments: object) -> dict[str, object]:
    reply = client.call(op, arguments)
    assert not reply.error, reply
    return dict(reply.ok)


def turn(client: AgentClient, seconds: float) -> None:
    """Let so much time pass, whatever happens meanwhile."""
    while seconds > 0:
        passed = ask(client, "advance", seconds=seconds)["passed"]
        assert isinstance(passed, float)
        seconds -= passed


@pytest.mark.parametrize(("address", "silent"), [(LWIP, SILENT), (LWIP_6, "2001:db8::77")])
def test_it_keeps_to_the_protocol(program: str, address: str, silent: str) -> None:
    arguments = ["--address", address, "--silent", silent, "--", program, *ADDRESSES]
    result = CliRunner().invoke(main, ["agent", "check", *arguments])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["--address", "192.0.2.2"], 2, "looks like 192.0.2.2/24"),
        (["--address", "192.0.2.2/24", "--address", "192.0.2.3/24"], 2, "one IPv4 address"),
        (["--address", "2001:db8::2/48"], 2, "64 bits"),
        (["--mac", "blue", "--address", "192.0.2.2/24"], 2, "blue"),
        ([], 2, "--address: missing"),
        (["--tap", "a-name-that-is-too-long", "--address", "192.0.2.2/24"], 3, "TAP device"),
    ],
)
def test_wrong_usage(program: str, arguments: list[str], exit_code: int, words: str) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert words in done.stderr


@pytest.mark.parametrize(("family", "address"), [(4, LWIP), (6, LWIP_6)])
def test_time_wait_ends_when_time_is_moved_on(start: Starter, family: int, address: str) -> None:
    client = start()
    listener = ask(client, "listen", family=family, address=address)
    far = ask(client, "connect", family=family, address=address, port=listener["port"])
    near = ask(client, "accept", handle=listener["handle"])

    def state() -> object:
        ends = {"local": [address, far["port"]], "remote": [address, listener["port"]]}
        return ask(client, "state", **ends)["state"]

    ask(client, "close", handle=far["handle"], how="write")
    assert ask(client, "receive", handle=near["handle"], count=1)["eof"] is True
    ask(client, "close", handle=near["handle"])
    assert ask(client, "receive", handle=far["handle"], count=1)["eof"] is True
    assert state() == "TIME-WAIT"
    turn(client, TIME_WAIT - 1)
    assert state() == "TIME-WAIT"
    turn(client, 2)
    assert state() == "CLOSED"
    # lwIP has freed the connection by itself; the handle must not lead to where it was.
    assert client.call("send", {"handle": far["handle"], "size": 1}).error == "ENOTCONN"
    ask(client, "close", handle=far["handle"], how="abort")


def test_a_clock_that_is_turned_stops_at_what_happens_and_stands_still_otherwise(start: Starter) -> None:
    client = start()
    listener = ask(client, "listen", family=4, address=LWIP)
    turn(client, 0.001)
    client.request(7, "accept", {"handle": listener["handle"], "timeout": 2.5})
    assert ask(client, "advance", seconds=1) == {"passed": 1.0}
    # It may wait as long as it likes.
    assert ask(client, "state", local=[LWIP, 1], remote=[LWIP, 2]) == {"state": "CLOSED"}
    assert ask(client, "advance", seconds=60) == {"passed": 0.0}  # that answer was news
    assert client.events() == []
    assert ask(client, "advance", seconds=60) == {"passed": 1.5}
    (expired,) = client.events()
    assert (expired.id, expired.error) == (7, "ETIMEDOUT")  # type: ignore[union-attr]
    assert ask(client, "advance", seconds=60) == {"passed": 60.0}


def test_an_error_is_told_to_all_that_wait_and_then_there_is_no_connection(start: Starter) -> None:
    client = start()
    listener = ask(client, "listen", family=4, address=LWIP)
    far = ask(client, "connect", family=4, address=LWIP, port=listener["port"])
    near = ask(client, "accept", handle=listener["handle"])
    ask(client, "release", handle=near["handle"])
    assert client.call("receive", {"handle": far["handle"], "count": 1}).error == "ECONNRESET"
    assert client.call("receive", {"handle": far["handle"], "count": 1}).error == "ENOTCONN"


@pytest.mark.netns
@pytest.mark.parametrize("family", ["4", "6"])
def test_it_talks_to_the_kernel(program: str, family: str) -> None:
    succeeds(ON_TAP, program, family)
