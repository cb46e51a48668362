"""What is tried on this machine's kernel: run as a program, `netns_scenarios.py NAME`.

A process of its own for each, for entering a namespace cannot be undone.
"""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance.model.description import TargetDescription
from conformance.model.flow import Arrival, Flow, Reply
from conformance.model.segment import Control, Segment, mss_option, timestamps_option
from conformance.target.base import TargetError
from conformance.target.netns import NetnsLab, enter_namespace
from conformance.wire.codec import decode

SYN_ACK = Control.SYN | Control.ACK
OPTIONS = mss_option(1000).encode()
PATIENCE = 30.0


class Driver:
    """A lab, with waiting."""

    def __init__(self, lab: NetnsLab) -> None:
        self.lab = lab
        self.arrivals: list[Arrival] = []
        self.seen: set[tuple[Flow, Segment]] = set()
        self.replies: dict[int, Reply] = {}
        self.asked = 0

    def wait(self) -> None:
        """Take in what comes next; a segment that is sent again, for we were slow, is left out."""
        select.select(list(self.lab.filenos()), [], [], 1)
        for event in self.lab.events():
            if isinstance(event, Reply):
                self.replies[event.id] = event
            elif isinstance(event, Arrival) and (event.flow, event.segment) not in self.seen:
                self.seen.add((event.flow, event.segment))
                self.arrivals.append(event)

    def ask(self, op: str, **arguments: object) -> Reply:
        self.asked += 1
        self.lab.request(self.asked, op, arguments)
        end = time.monotonic() + PATIENCE
        while self.asked not in self.replies:
            assert time.monotonic() < end, f"no reply to {op}"
            self.wait()
        return self.replies[self.asked]

    def answer(self) -> Arrival:
        """Return the next segment that came."""
        end = time.monotonic() + PATIENCE
        while not self.arrivals:
            assert time.monotonic() < end, "no segment came"
            self.wait()
        return self.arrivals.pop(0)

    def listen(self, ip: int) -> tuple[object, Flow]:
        tester, target = self.lab.facts.addresses[ip]
        ok = self.ask("listen", family=ip, address=target).ok
        port = ok["port"]
        assert isinstance(port, int)
        return ok["handle"], Flow((tester, 40000 + ip), (target, port))

    def state(self, flow: Flow) -> object:
        return self.ask("state", local=list(flow.target), remote=list(flow.tester)).ok["state"]

    def handshake(self, flow: Flow, x: int) -> int:
        self.lab.send(flow, Segment(x, 0, Control.SYN, options=OPTIONS))
        y = self.answer().segment.seq
        self.lab.send(flow, Segment(x + 1, y + 1, Control.ACK))
        return y


def handshake() -> None:
    driver = Driver(NetnsLab())
    for ip in driver.lab.facts.addresses:
        listener, flow = driver.listen(ip)
        left = driver.lab.send(flow, Segment(7, 0, Control.SYN, options=OPTIONS))
        came = driver.answer()
        assert came.flow == flow
        assert came.segment.ctl == SYN_ACK
        assert came.segment.ack == 8
        assert came.segment.checksum_ok
        assert left < came.time < left + 1.0
        assert driver.state(flow) == "SYN-RECEIVED"
        driver.lab.send(flow, Segment(8, came.segment.seq + 1, Control.ACK))
        handle = driver.ask("accept", handle=listener).ok["handle"]
        assert driver.state(flow) == "ESTABLISHED"
        driver.ask("send", handle=handle, size=3000)
        data = [driver.answer().segment for _ in range(3)]
        assert [len(segment.data) for segment in data] == [1000, 1000, 1000]
        assert all(segment.checksum_ok for segment in data)
        driver.ask("close", handle=handle, how="abort")
        assert driver.answer().segment.has(Control.RST)
        assert driver.state(flow) == "LISTEN"
        frames = dict.fromkeys(
            (sent, decode(octets)) for _, octets, sent in driver.lab.frames([flow.tester[1]])
        )
        assert [sent for sent, _ in frames] == [True, False, True, False, False, False, False]
    assert driver.lab.dropped() == 0
    driver.lab.close()
    driver.lab.close()


def time_wait() -> None:
    driver = Driver(NetnsLab())
    listener, flow = driver.listen(4)
    y = driver.handshake(flow, 99)
    handle = driver.ask("accept", handle=listener).ok["handle"]
    driver.ask("close", handle=handle, how="write")
    assert driver.answer().segment.ctl == Control.FIN | Control.ACK
    assert driver.state(flow) == "FIN-WAIT-1"
    driver.lab.send(flow, Segment(100, y + 2, Control.ACK))
    assert driver.state(flow) == "FIN-WAIT-2"
    driver.lab.send(flow, Segment(100, y + 2, Control.FIN | Control.ACK))
    assert driver.answer().segment.ack == 101
    assert driver.state(flow) == "TIME-WAIT"


def client_role() -> None:
    driver = Driver(NetnsLab())
    for ip, (tester, target) in driver.lab.facts.addresses.items():
        begun = driver.ask("connect", family=ip, address=tester, port=4000 + ip, timeout=0).ok
        port = begun["port"]
        assert isinstance(port, int)
        flow = Flow((tester, 4000 + ip), (target, port))
        syn = driver.answer()
        assert syn.flow == flow
        assert syn.segment.ctl == Control.SYN
        assert driver.state(flow) == "SYN-SENT"
        driver.lab.send(flow, Segment(5, syn.segment.seq + 1, SYN_ACK))
        assert driver.answer().segment.ctl == Control.ACK
        assert driver.state(flow) == "ESTABLISHED"


def malformed() -> None:
    """What no proper stack would send leaves, and arrives as it was meant: in silence."""
    driver = Driver(NetnsLab())
    for ip in driver.lab.facts.addresses:
        _, flow = driver.listen(ip)
        for segment in (
            Segment(1, 0, Control.SYN, checksum_ok=False),
            Segment(1, 0, Control.SYN, checksum=0),
            Segment(1, 0, Control.SYN, doff=4),
            Segment(1, 0, Control.SYN, doff=15),
        ):
            driver.lab.send(flow, segment)
        driver.lab.send_raw(flow, b"\x00\x01")
        driver.lab.send(flow, Segment(1, 0, Control.SYN, options=timestamps_option(1, 0).encode(), rsv=5))
        assert driver.answer().segment.ctl == SYN_ACK
        assert driver.arrivals == []
        with pytest.raises(TargetError, match="Message too long"):
            driver.lab.send(flow, Segment(1, 0, Control.ACK, data=bytes(2000)))


def sysctls() -> None:
    """Each lab has its own; a lab closed leaves the others alone."""
    one, two = NetnsLab({"net.ipv4.tcp_rfc1337": "1"}), NetnsLab()
    drivers = Driver(one), Driver(two)
    values = [driver.ask("sysctl", name="net.ipv4.tcp_rfc1337").ok["value"] for driver in drivers]
    assert values == ["1", "0"]
    assert drivers[1].ask("sysctl", name="net.ipv4.tcp_no_metrics_save").ok["value"] == "1"
    assert one.facts.details["net.ipv4.tcp_rfc1337"] == "1"
    one.close()
    assert drivers[1].ask("hello").ok["agent"] == 1
    for name, value in (("net.ipv4.tcp_no_such", "1"), ("net.ipv4.tcp_sack", "green")):
        with pytest.raises(TargetError, match=f"sysctl {name}"):
            NetnsLab({name: value})
    two.close()


def described() -> None:
    """A description of one's own brings its own settings, where a case asks for no others."""
    name = "net.ipv4.tcp_sack"
    own = TargetDescription("mine", "netns", sysctl={name: "0"})
    for sysctl, value in (({}, "0"), ({name: "1"}, "1")):
        lab = NetnsLab(sysctl, own)
        assert (lab.facts.name, lab.facts.details[name]) == ("mine", value)
        lab.close()


def orphans() -> None:
    """A connection that outlives its socket ends with the agent, or it would keep the namespace."""
    driver = Driver(NetnsLab())
    listener, flow = driver.listen(4)
    driver.handshake(flow, 1)
    handle = driver.ask("accept", handle=listener).ok["handle"]
    driver.ask("close", handle=handle, how="half-duplex")
    assert driver.answer().segment.ctl == Control.FIN | Control.ACK
    assert driver.state(flow) == "FIN-WAIT-1"
    driver.lab._agent.close()
    *_, last = driver.lab._link.receive()
    assert last.segment.has(Control.RST)


def killed() -> None:
    """SIGKILL leaves neither agent nor connection behind."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    script = [sys.executable, __file__, "_hold", str(write)]
    child = subprocess.Popen(script, pass_fds=[write], stdout=subprocess.PIPE)
    assert child.stdout is not None
    agent = int(child.stdout.readline())
    handle = os.pidfd_open(agent)
    child.send_signal(signal.SIGKILL)
    child.wait()
    ready, _, _ = select.select([handle], [], [], PATIENCE)
    assert ready, "the agent outlived the tester"
    os.close(read)


def _hold() -> None:
    enter_namespace()
    lab = NetnsLab()
    driver = Driver(lab)
    listener, flow = driver.listen(4)
    driver.handshake(flow, 1)
    handle = driver.ask("accept", handle=listener).ok["handle"]
    driver.ask("close", handle=handle, how="half-duplex")  # leaves an orphan in FIN-WAIT-1
    print(lab.agent_pid, flush=True)
    signal.pause()


def files_stay_ours() -> None:
    Path(sys.argv[2]).write_text("mine")


SCENARIOS = (
    "handshake",
    "time_wait",
    "client_role",
    "malformed",
    "sysctls",
    "described",
    "orphans",
    "killed",
    "files_stay_ours",
)

if __name__ == "__main__":
    name = sys.argv[1]
    if name not in ("_hold", "killed"):
        enter_namespace()
        enter_namespace()
    globals()[name]()
