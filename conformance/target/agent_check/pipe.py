"""A process with a pipe on both sides, read line by line, each line with the time of its coming."""

import contextlib
import os
import select
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.target.base import TargetError
from conformance.target.program import start

_CHUNK = 1 << 16
_KEPT = 4096
_REAP_TIMEOUT = 1.0


class Gone(Exception):
    """The process has closed its output, or reads its input no more."""


@dataclass(frozen=True, slots=True)
class Line:
    """What came, without its line feed, and when (monotonic seconds)."""

    octets: bytes
    time: float


class Pipe:
    """The process that `command` starts; TargetError if it cannot be started."""

    def __init__(self, command: Sequence[str]) -> None:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the process
        try:
            self._child = start("the agent", command, stderr=self._words)
        except TargetError:
            self._words.close()
            raise
        streams = (self._child.stdin, self._child.stdout)
        self._input, self._output = (stream for stream in streams if stream is not None)
        for stream in (self._input, self._output):
            os.set_blocking(stream.fileno(), False)
        self._rest = b""
        self._lines: deque[Line] = deque()
        self._ended = False

    @property
    def pid(self) -> int:
        return self._child.pid

    def write(self, octets: bytes, within: float, *, reading: bool = True) -> bool:
        """Write all, meanwhile keeping what comes if `reading`; False if it was not taken in time."""
        until = time.monotonic() + within
        left = memoryview(octets)
        while left:
            patience = until - time.monotonic()
            if patience <= 0:
                return False
            sources = [self._output] if reading and not self._ended else []
            readable, writable, _ = select.select(sources, [self._input], [], patience)
            if readable:
                self._read()
            if writable:
                try:
                    left = left[os.write(self._input.fileno(), left) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise Gone from error
        return True

    def line(self, until: float) -> Line | None:
        """Return the next line, None if none comes in time; Gone at the end of the output."""
        while not self._lines:
            if self._ended:
                raise Gone
            patience = until - time.monotonic()
            if not select.select([self._output], [], [], max(0.0, patience))[0]:
                return None
            self._read()
        return self._lines.popleft()

    def end_input(self) -> None:
        with contextlib.suppress(OSError):
            self._input.close()

    def wait(self, within: float) -> int | None:
        """Return the exit code, a signal's negative; None if it goes on."""
        try:
            return self._child.wait(within)
        except subprocess.TimeoutExpired:
            return None

    def words(self) -> str:
        """Return the last of what it said on stderr."""
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - _KEPT))
        return self._words.read().decode(errors="replace").strip()

    def close(self) -> None:
        """End the process, by the end of its input, else by a signal."""
        self.end_input()
        if self.wait(_REAP_TIMEOUT) is None:
            self._child.kill()
            self._child.wait()
        self._output.close()
        self._words.close()

    def _read(self) -> None:
        octets = os.read(self._output.fileno(), _CHUNK)
        now = time.monotonic()
        if not octets:
            self._ended = True
            return
        *lines, rest = octets.split(b"\n")
        if lines:
            lines[0] = self._rest + lines[0]
            self._rest = b""
        self._rest += rest
        self._lines.extend(Line(line, now) for line in lines)
