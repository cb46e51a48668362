"""What is tried against a host behind a router: run as a program, `host_scenarios.py NAME DIRECTORY`.

A process of its own for each, for entering a namespace cannot be undone.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import lab as machines
from lab import PORTS, SPARE, TARGET, Lab

from conformance.target import guard
from conformance.target.guard import Guard, sweep
from conformance.target.route import way_to
from tests import running

QUICK = ["handshake/three-way", "reset/exact", "data/in-order"]
DEADLINE = 30.0


def describe(up: Lab, port: int, rate: int = 5000) -> str:
    """Write a target.yaml of a Linux machine with both addresses; return its path."""
    path = up.directory / f"port{port}.yaml"
    path.write_text(
        f"name: lab\nkind: host\ninherits: linux-host\naddress: {TARGET[4]} {TARGET[6]}\n"
        f"port: {port}\nrate: {rate}\n"
    )
    return str(path)


def conformance(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(running.conformance(*arguments), capture_output=True, text=True, check=False)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def run(up: Lab, *arguments: str, code: int = 0) -> str:
    return conformance("run", "--reports", str(up.directory / "reports"), *arguments, code=code)


def results(up: Lab) -> list[dict[str, object]]:
    """Return the results of the last run."""
    return running.results(up.directory / "reports")


def verdicts(up: Lab) -> Counter[str]:
    return Counter(str(result["verdict"]) for result in results(up))


def rules() -> list[str]:
    """Return what guards there are in the tester's kernel."""
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"conformance-\S+", listed)


def start(up: Lab, *arguments: str) -> subprocess.Popen[str]:
    reports = str(up.directory / "reports")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        running.conformance("run", "--reports", reports, *arguments),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def until(process: subprocess.Popen[str], words: str, times: int = 1) -> str:
    """Read what a process writes until a line has these words, for the given time."""
    assert process.stdout is not None
    end, heard = time.monotonic() + DEADLINE, ""
    while (left := end - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0]:
            line = process.stdout.readline()
            heard += line
            times -= words in line
            if not times:
                return heard
            assert line, f"it ended without {words!r}:\n{heard}"
    raise AssertionError(f"no {words!r} came:\n{heard}")


# -- the suite through a router -----------------------------------------------------------
def bare(up: Lab) -> None:
    said = run(up, "--target", describe(up, PORTS["bare"]))
    counted = verdicts(up)
    assert counted["PASS"] >= 2 * 60, counted
    assert "bare on port" in said
    assert rules() == []


def http(up: Lab) -> None:
    said = run(up, "--target", describe(up, PORTS["nginx"]))
    counted = verdicts(up)
    assert counted["PASS"] >= 2 * 120, counted
    assert "http on port 80" in said
    assert "nftables table" in said
    assert rules() == []


def python_http(up: Lab) -> None:
    run(up, "--target", describe(up, PORTS["python"]), "http", "close", "reset")
    assert verdicts(up)["PASS"] >= 40


def echo_and_discard(up: Lab) -> None:
    run(up, "--target", describe(up, PORTS["echo"]), "data", "window")
    echoed = verdicts(up)["PASS"]
    run(up, "--target", describe(up, PORTS["discard"]), "data", "window", "close")
    assert echoed >= 20
    assert verdicts(up)["PASS"] >= 30
    run(up, "--target", describe(up, PORTS["chargen"]), "handshake")
    run(up, "--target", describe(up, PORTS["speaks"]), "reset")


def listed(up: Lab) -> None:
    said = run(up, "--list", "--target", f"[{TARGET[6]}]:{PORTS['bare']}")
    assert re.search(r"^\d{3} variants would run, \d+ not:$", said, re.MULTILINE), said
    assert "nothing makes this target open connections" in said


def agent(up: Lab) -> None:
    """An agent that is carried over: here into the target's namespace, elsewhere by ssh."""
    command = f"nsenter --net=/proc/{os.getpid()}/fd/{up.target} {sys.executable} -"
    run(up, "--target", TARGET[4], "--agent", command, "--rate", "5000", "close/normal-active", *QUICK)
    assert verdicts(up)["PASS"] >= 5
    assert all(result["evidence"] == "OBSERVED" for result in results(up) if result["verdict"] == "PASS")


def spare_address(up: Lab) -> None:
    said = run(up, "--target", f"{TARGET[4]}:80", "--tester-address", SPARE[4], "--rate", "2000", *QUICK)
    assert f"the spare address {SPARE[4]}" in said
    said = run(up, "--target", f"[{TARGET[6]}]:80", "--tester-address", SPARE[6], "--rate", "2000", *QUICK)
    assert verdicts(up)["PASS"] >= 3


def survey(up: Lab) -> None:
    """Hosts in turn, one of which is not there."""
    targets = up.directory / "targets.txt"
    targets.write_text(f"# the lab\n{describe(up, PORTS['bare'])}\n192.0.2.9:80  # nobody\n")
    first = f"[{TARGET[6]}]:{PORTS['discard']}"
    said = run(up, "--target", first, "--targets", str(targets), "--ip", "6", *QUICK, code=3)
    [matrix] = (up.directory / "reports").glob("*/matrix.csv")
    head, *rows = matrix.read_text().splitlines()
    assert head == f"case,ip,{first},{describe(up, PORTS['bare'])},192.0.2.9:80"
    assert "reset/exact[server-ESTABLISHED],IPv6,PASS,PASS,-" in rows, f"{rows}\n{said}"
    assert "no answer for 192.0.2.9" in said


# -- the guard --------------------------------------------------------------------------
def guard_goes(up: Lab) -> None:
    """On Ctrl-C at once; after SIGKILL by the next start."""
    target = f"{TARGET[4]}:80"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with start(up, "--target", target, "close", "reset") as running:
            until(running, "cases against")
            assert len(rules()) == 1
            running.send_signal(number)
            running.communicate(timeout=DEADLINE)
        assert bool(rules()) == (number is signal.SIGKILL)
    run(up, "--target", target, "--list", "handshake/three-way")
    assert rules() == []


def iptables(up: Lab) -> None:
    """Where there is no nftables."""
    find = guard._find
    guard._find = lambda tool: None if tool == "nft" else find(tool)
    made = Guard([way_to(address) for address in TARGET.values()], range(10000, 20000))
    assert made.how == f"iptables chain {made.name}"
    for tool in ("iptables", "ip6tables"):
        assert made.name in _chains(tool)
    made.close()
    assert "conformance" not in _chains("iptables") + _chains("ip6tables")
    stale = "conformance-4194303-1"
    subprocess.run(["iptables", "-t", "raw", "-N", stale], check=True)
    subprocess.run(["iptables", "-t", "raw", "-I", "PREROUTING", "-j", stale], check=True)
    assert sweep() == [stale]
    assert "conformance" not in _chains("iptables")


def _chains(tool: str) -> str:
    listed = [
        subprocess.run([tool, "-t", table, "-S"], capture_output=True, text=True, check=True).stdout
        for table in ("raw", "mangle")
    ]
    return "".join(listed)


# -- what can go wrong ------------------------------------------------------------------
def unplugged(up: Lab) -> None:
    with start(up, "--target", describe(up, 80, 200), "-v", "handshake", "close", "reset") as running:
        until(running, "PASS", 10)
        up.unplug()
        rest = until(running, "INCONCLUSIVE")
        assert running.stdout is not None
        rest += running.stdout.read()
        assert running.wait(DEADLINE) == 3, rest
    assert "the target answers nothing any more; it went silent after " in rest
    assert "FAIL" not in verdicts(up)


def options_dropped(up: Lab) -> None:
    """A router that keeps back SYN,ACKs with timestamps is found out, and not laid to the target."""
    _filter(up, "tcp flags & (syn | ack) == (syn | ack) tcp option timestamp exists drop")
    said = run(up, "--target", f"{TARGET[4]}:{PORTS['bare']}", "--rate", "5000", "options", "handshake")
    assert "a middlebox is on the way: a SYN that offers TS is not answered" in said
    assert "something on the way drops it" in said


def all_options_dropped(up: Lab) -> None:
    _filter(up, "tcp flags & (syn | ack) == (syn | ack) tcp option maxseg exists drop")
    said = run(up, "--target", f"{TARGET[4]}:80", *QUICK, code=3)
    assert "no SYN,ACK of port 80 of 198.51.100.2 comes, though other ports answer with a RST" in said
    assert "this says nothing about the target" in said
    # The target has connections half open now, which the next contact must not take for silence.
    up.run_in(up.router, "nft", "delete", "table", "inet", "router")
    assert "middlebox" not in run(up, "--target", f"{TARGET[4]}:80", *QUICK)


def reset_from_elsewhere(up: Lab) -> None:
    """A firewall that resets in the target's place is known by its TTL."""
    _filter(up, "ip saddr 192.0.2.1 tcp flags & (syn | fin) == (syn | fin) reject with tcp reset")
    said = run(up, "--target", f"{TARGET[4]}:{PORTS['bare']}", "--rate", "5000", "flags/syn-fin", code=3)
    assert "a middlebox may be on the way" in said
    assert "TTL 64, the target's segments come with 63" in said


def _filter(up: Lab, rule: str) -> None:
    chain = "type filter hook forward priority 0; policy accept;"
    path = up.directory / "router.nft"
    path.write_text(f"table inet router {{\nchain forward {{\n{chain}\n{rule}\n}}\n}}\n")
    up.run_in(up.router, "nft", "-f", str(path))


def powerless(up: Lab) -> None:
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = subprocess.run(
        [*drop, *running.conformance("run", "--target", TARGET[4], *QUICK)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("error: testing a host takes CAP_NET_RAW and CAP_NET_ADMIN"), done.stderr
    assert len(done.stderr.splitlines()) == 2


def nothing_there(up: Lab) -> None:
    said = run(up, "--target", f"{TARGET[4]}:81", *QUICK, code=3)
    assert "nothing listens on port 81 of 198.51.100.2" in said
    said = run(up, "--target", "192.0.2.9", *QUICK, code=3)
    assert "no answer for 192.0.2.9 on eth0" in said
    said = run(up, "--target", "192.0.2.1", *QUICK, code=3)
    assert "192.0.2.1 is an address of this machine" in said
    said = run(up, "--target", f"{TARGET[4]}:2000", "--service", "http", *QUICK, code=3)
    assert "port 2000 of 198.51.100.2 offers no http" in said


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        bare,
        http,
        python_http,
        echo_and_discard,
        listed,
        agent,
        spare_address,
        survey,
        guard_goes,
        iptables,
        unplugged,
        options_dropped,
        all_options_dropped,
        reset_from_elsewhere,
        powerless,
        nothing_there,
    )
}
NEEDS = dict.fromkeys(SCENARIOS, ("nft",)) | {
    "iptables": ("iptables", "ip6tables"),
    "agent": ("nft", "nsenter"),
    "powerless": ("setpriv",),
}
WITHOUT_NGINX = frozenset(
    {"bare", "survey", "python_http", "echo_and_discard", "listed", "agent", "iptables", "powerless"}
)


def missing(name: str) -> str:
    """Return what of this machine's programs a scenario lacks."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    lacking = [tool for tool in NEEDS[name] if shutil.which(tool, path=path) is None]
    if name not in WITHOUT_NGINX and not machines.has_nginx():
        lacking.append("nginx")
    return ", ".join(lacking)


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    with machines.lab(Path(sys.argv[2])) as up:
        SCENARIOS[sys.argv[1]](up)
