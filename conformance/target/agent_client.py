"""The tester's end of an agent: starts it as a child, asks it, and hears its replies."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

import conformance
from conformance.model.flow import Died, Event, Fate, Reply
from conformance.target.base import Facts, TargetError
from conformance.target.program import WORDS_KEPT, fate_of, how_it_ended, last_lines, start

_CHUNK = 1 << 16
_LONGEST_LINE = 64 << 20
_LEAVE_TIMEOUT = 2.0
_WRITE_TIMEOUT = 5.0

# Python reads a program on stdin to the end of the file, and the requests come after it on
# the same pipe; so the program goes ahead with its length, in eight digits.
BOOTSTRAP = (
    "import os\n"
    "def r(n,s=b''):\n"
    " while len(s)<n:s+=os.read(0,n-len(s))or exit(1)\n"
    " return s\n"
    "exec(compile(r(int(r(8))),'agent.py','exec'))"
)


def agent_source() -> bytes:
    """Return the agent's program text."""
    return resources.files("conformance.target").joinpath("agent.py").read_bytes()


def agent_parcel() -> bytes:
    """Return what to write ahead on the stdin of `python3 -c BOOTSTRAP`."""
    source = agent_source()
    return b"%08d" % len(source) + source


def local_agent(private: bool = False) -> list[str]:
    """Return the command of an agent on this machine; `private` as in agent.main().

    From its file: quicker than down the pipe, for its compiled form is kept.
    """
    root = str(Path(conformance.__file__).parent.parent)
    load = f"import sys; sys.path.insert(0, {root!r})"
    program = f"{load}; from conformance.target.agent import main; main(private={private})"
    return [sys.executable, "-I", "-S", "-c", program]


class AgentClient:
    """A running agent.  Replies and the agent's end come as events; nothing here waits but call().

    `is_stack` says that the agent is the stack under test itself, whose end is the target's.
    """

    def __init__(
        self,
        command: Sequence[str],
        parcel: bytes = b"",
        directory: Path | None = None,
        is_stack: bool = False,
    ) -> None:
        self._is_stack = is_stack
        self._child = start("the agent", command, directory=directory)
        streams = (self._child.stdin, self._child.stdout, self._child.stderr)
        self._streams = [stream for stream in streams if stream is not None]
        self._input, self._output, self._errors = (stream.fileno() for stream in self._streams)
        for descriptor in (self._input, self._output, self._errors):
            os.set_blocking(descriptor, False)
        self._pending = bytearray()
        self._words = b""
        self._events: list[Event] = []
        self._ended = False
        self._write(parcel)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def ended(self) -> bool:
        return self._ended

    def filenos(self) -> list[int]:
        return [] if self._ended else [self._output, self._errors]

    def request(self, request_id: int, op: str, arguments: Mapping[str, object]) -> None:
        """Send one request; its Reply comes with events()."""
        message = {"id": request_id, "op": op, **arguments}
        self._write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def call(self, op: str, arguments: Mapping[str, object] | None = None, timeout: float = 5.0) -> Reply:
        """Ask and wait for the reply; TargetError if none comes.  For setting up only."""
        self.request(-1, op, arguments or {})
        deadline = time.monotonic() + timeout
        while True:
            for event in self._events:
                if isinstance(event, Reply) and event.id == -1:
                    self._events.remove(event)
                    return event
                if isinstance(event, Died):
                    raise TargetError(event.reason)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TargetError(f"the agent did not answer {op} in {timeout:g} s")
            select.select(self.filenos(), [], [], left)
            self._read()

    def facts(self, name: str, addresses: Mapping[int, tuple[str, str]], details: Mapping[str, str]) -> Facts:
        """Ask who is there, and return it as what is known of the target `name`.

        The release of its kernel, on which deviations depend, is among the details.
        """
        hello = self.call("hello", timeout=10.0).ok
        system = str(hello.get("system", ""))
        kernel = {"kernel": system.removeprefix("Linux ")} if system.startswith("Linux ") else {}
        words = {key: value if isinstance(value, list) else [] for key, value in hello.items()}
        return Facts(
            name=name,
            system=system,
            ops=frozenset(map(str, words.get("ops", []))),
            probes=frozenset(map(str, words.get("probes", []))),
            addresses=addresses,
            details={**kernel, **details},
        )

    def events(self) -> list[Event]:
        """Return the replies, and at most one Died, that have come by now."""
        self._read()
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """End the agent, by the end of its input, else by a signal.  May be called twice."""
        if self._streams[0].closed:
            return
        with contextlib.suppress(OSError):
            self._streams[0].close()
        deadline = time.monotonic() + _LEAVE_TIMEOUT
        while not self._ended and (left := deadline - time.monotonic()) > 0:
            select.select(self.filenos(), [], [], left)
            self._read()
        self._ended = True
        self._reap()
        for stream in self._streams[1:]:
            stream.close()

    def _reap(self) -> int:
        """Wait for the child's end, which it is given little time for."""
        try:
            return self._child.wait(_LEAVE_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()

    def _write(self, octets: bytes) -> None:
        """Write all; meanwhile keep reading, so that neither side waits for the other."""
        deadline = time.monotonic() + _WRITE_TIMEOUT
        while octets and not self._ended:
            try:
                octets = octets[os.write(self._input, octets) :]
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self._end("the agent does not read its requests")
                select.select(self.filenos(), [self._input], [], 0.1)
                self._read()
            except OSError:
                self._read()  # the agent has ended; its output says so, or will soon
                return

    def _read(self) -> None:
        if self._ended:
            return
        for octets in _chunks(self._errors):
            self._words = (self._words + octets)[-WORDS_KEPT:]
        for octets in _chunks(self._output):
            if not octets:
                self._end("")
                return
            self._pending += octets
            if b"\n" not in octets:
                if len(self._pending) > _LONGEST_LINE:
                    self._end("the agent wrote a line that does not end")
                    return
                continue
            *lines, rest = bytes(self._pending).split(b"\n")
            self._pending = bytearray(rest)
            now = time.monotonic()
            self._events += [self._parse(line, now) for line in lines if line.strip()]

    @staticmethod
    def _parse(line: bytes, now: float) -> Event:
        try:
            message = json.loads(line)
            ident = message["id"]
            if "error" in message:
                detail = {"detail": str(message["detail"])} if message.get("detail") else {}
                return Reply(-2 if ident is None else int(ident), detail, str(message["error"]), now)
            return Reply(int(ident), dict(message["ok"]), "", now)
        except (ValueError, KeyError, TypeError):
            return Died(f"the agent wrote what is no reply: {line[:200].decode(errors='replace')}", now)

    def _end(self, reason: str) -> None:
        self._ended = True
        code = self._reap()
        for octets in _chunks(self._errors):
            self._words = (self._words + octets)[-WORDS_KEPT:]
        who = "the target's program" if self._is_stack else "the agent"
        fate = fate_of(code) if self._is_stack and not reason else Fate.LOST
        reason = reason or f"{who} ended {how_it_ended(code)}"
        words = "\n".join([reason, last_lines(self._words)]).strip()
        self._events.append(Died(words, time.monotonic(), fate))


def _chunks(descriptor: int) -> Iterator[bytes]:
    """Yield what can be read at once; b"" last if the other end is closed."""
    while True:
        try:
            octets = os.read(descriptor, _CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            octets = b""
        yield octets
        if not octets:
            return
