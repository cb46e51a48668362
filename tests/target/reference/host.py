"""One host of the reference with a peer that the test plays, in virtual time."""

import base64
from dataclasses import replace

from conformance.model.flow import Arrival, Flow, Reply
from conformance.model.segment import Segment, control_text
from conformance.target.base import ADDRESSES
from conformance.target.reference.lab import ReferenceLab
from tests.oracle.exchange import segment

PEER_PORT = 20000


class Host:
    """The target at x=100, its ISS shown as 300; segments are written as in the RFC's figures."""

    def __init__(self, **sysctl: str) -> None:
        self.lab = ReferenceLab({"net.ipv4." + name: value for name, value in sysctl.items()})
        self.replies: list[Reply] = []
        self.iss = 0
        self._came: list[tuple[float, Segment]] = []
        self._asked = 0
        listening = self.ask("listen", family=4, port=0)
        self.listener, self.port = listening.ok["handle"], int(str(listening.ok["port"]))

    @property
    def flow(self) -> Flow:
        tester, target = ADDRESSES[4]
        return Flow((tester, PEER_PORT), (target, self.port))

    def ask(self, op: str, **arguments: object) -> Reply:
        """Ask the user, who answers before any time passes, or within a second."""
        self._asked += 1
        self.lab.request(self._asked, op, arguments)
        self._collect()
        until = self.lab.now() + 1.0
        while not self.replies or self.replies[-1].id != self._asked:
            assert self.lab.now() < until, f"no reply to {op}"
            self.lab.advance(until)
            self._collect()
        return self.replies[-1]

    def send(self, text: str) -> "Host":
        """Inject; an ACK is of the host's numbers, which begin at 300."""
        made = segment(text)
        if made.ack:
            made = replace(made, ack=(made.ack - 300 + self.iss) % (1 << 32))
        self.lab.send(self.flow, made)
        self._collect()
        return self

    def wait(self, seconds: float) -> "Host":
        until = self.lab.now() + seconds
        while self.lab.now() < until:
            self.lab.advance(until)
            self._collect()
        return self

    def came(self) -> list[str]:
        """Return what the host has sent since the last question, with its moments in milliseconds."""
        shown = [self._show(time, made) for time, made in self._came]
        self._came.clear()
        return shown

    def segments(self) -> list[Segment]:
        """Return what the host has sent since the last question."""
        made = [made for _, made in self._came]
        self._came.clear()
        return made

    def open(self, options: str = "") -> int:
        """Establish a connection; return the user's handle of it."""
        self.send(f"<SEQ=100><CTL=SYN>{options}").send("<SEQ=101><ACK=301><CTL=ACK>")
        self._came.clear()
        return int(str(self.ask("accept", handle=self.listener).ok["handle"]))

    def give(self, handle: int, data: bytes) -> "Host":
        reply = self.ask("send", handle=handle, data=base64.b64encode(data).decode())
        assert not reply.error, reply
        return self

    def state(self) -> str:
        local, remote = list(self.flow.target), list(self.flow.tester)
        return str(self.ask("state", local=local, remote=remote).ok["state"])

    def _collect(self) -> None:
        for event in self.lab.events():
            if isinstance(event, Arrival):
                if event.segment.has(event.segment.ctl.SYN):
                    self.iss = event.segment.seq
                self._came.append((event.time, event.segment))
            elif isinstance(event, Reply):
                self.replies.append(event)

    def _show(self, time: float, made: Segment) -> str:
        number = (made.seq - self.iss + 300) % (1 << 32)
        text = f"{time * 1000:.0f} <SEQ={number}><ACK={made.ack}><CTL={control_text(made.ctl)}>"
        return text + (f"<DATA={len(made.data)}>" if made.data else "")
