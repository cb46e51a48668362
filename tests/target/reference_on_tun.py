"""The reference as a process on a TUN device: a user-space stack to test the tester with.

In real time, until it is asked to `advance`.

It speaks the agent protocol on stdin and stdout, or, with --socket, to whoever connects there
(--speak is that other program).  A segment whose data says so makes it crash, or deaf and dumb: then it
serves its user, and has no wire any more.
"""

import argparse
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping
from typing import BinaryIO

from conformance.model.flow import Arrival, Flow
from conformance.target.base import Lab
from conformance.target.reference.lab import ReferenceLab
from conformance.wire.codec import decode, encode

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
NO_MAC = "00:00:00:00:00:00"
ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}


def attach(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


def turned(flow: Flow) -> Flow:
    return Flow(flow.target, flow.tester)


class Stack:
    def __init__(self, tun: int, requests: BinaryIO, replies: BinaryIO) -> None:
        self.tun, self.requests, self.replies = tun, requests, replies
        self.lab: Lab = ReferenceLab()
        self.began = time.monotonic()
        self.pending = b""
        self.silent = False
        self.turned = False
        self.output = self.heard = 0

    def datagrams(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(self.tun, 65536)
                decoded = decode(bytes(12) + ETHERTYPES[packet[0] >> 4] + packet)
                if decoded is None or decoded[1].defect:
                    continue
                flow, segment = decoded
                if b"please crash" in segment.data:
                    print("assertion failed: nobody asked so politely before", file=sys.stderr, flush=True)
                    os.kill(os.getpid(), signal.SIGSEGV)
                if segment.checksum_ok and b"please fall silent" in segment.data:
                    self.silent = True
                if not self.silent:
                    self.lab.send(turned(flow), segment)
                self.events()

    def asked(self) -> bool:
        octets = os.read(self.requests.fileno(), 65536)
        *lines, self.pending = (self.pending + octets).split(b"\n")
        for line in filter(None, lines):
            self.ask(json.loads(line))
        return bool(octets)

    def ask(self, request: dict[str, object]) -> None:
        op, ident = request.pop("op"), request.pop("id")
        if op == "hello":
            facts = self.lab.facts
            ok = {"agent": 1, "system": "reference on TUN", "ops": sorted(facts.ops)}
            self.answer({"id": ident, "ok": {**ok, "probes": sorted(facts.probes)}})
        elif op == "advance":
            self.answer({"id": ident, "ok": {"passed": self.advance(float(str(request["seconds"])))}})
            self.heard = self.output
        else:
            self.lab.request(int(str(ident)), str(op), request)
            self.events()

    def advance(self, most: float) -> float:
        """Let at most so many seconds pass, but none beyond the first output; return how many."""
        if not self.turned:
            self.turned, self.heard = True, self.output
        began = self.lab.now()
        self.datagrams()
        while self.output == self.heard and self.lab.now() < began + most:
            self.lab.advance(began + most)
            self.events()
        return self.lab.now() - began

    def answer(self, message: Mapping[str, object]) -> None:
        self.output += 1
        self.replies.write(json.dumps(message).encode() + b"\n")
        self.replies.flush()

    def events(self) -> None:
        for event in self.lab.events():
            if isinstance(event, Arrival) and self.silent:
                continue
            if isinstance(event, Arrival):
                frame = encode(turned(event.flow), event.segment, NO_MAC, NO_MAC)
                self.output += 1
                os.write(self.tun, frame[14:])
            elif event.error:
                self.answer({"id": event.id, "error": event.error})
            else:
                self.answer({"id": event.id, "ok": dict(event.ok)})

    def run(self) -> None:
        while True:
            ready, _, _ = select.select([self.tun, self.requests], [], [], 0.01)
            now = time.monotonic() - self.began
            while self.lab.now() < now and not self.turned:
                self.lab.advance(now)
                self.events()
            if self.tun in ready:
                self.datagrams()
            if self.requests in ready and not self.asked():
                return


def speak(path: str) -> None:
    """Be the agent: carry requests and replies between the pipes and the stack's socket."""
    with socket.socket(socket.AF_UNIX) as stack:
        while True:
            with contextlib.suppress(OSError):
                stack.connect(path)
                break
            select.select([], [], [], 0.02)  # the stack is on its way up
        ways = {0: stack.fileno(), stack.fileno(): 1}
        while True:
            for readable in select.select(list(ways), [], [])[0]:
                octets = os.read(readable, 65536)
                if not octets:
                    return
                os.write(ways[readable], octets)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("interface", nargs="?")
    parser.add_argument("--socket")
    parser.add_argument("--speak")
    given = parser.parse_args()
    if given.speak:
        speak(given.speak)
    elif given.socket:
        with socket.socket(socket.AF_UNIX) as listener:
            tun = attach(given.interface)
            listener.bind(given.socket)
            listener.listen()
            pipe = listener.accept()[0].makefile("rwb", buffering=0)
            Stack(tun, pipe, pipe).run()  # type: ignore[arg-type]
    else:
        Stack(attach(given.interface), sys.stdin.buffer, sys.stdout.buffer).run()


if __name__ == "__main__":
    main()
