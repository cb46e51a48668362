"""A stack that is a program: its command filled in, built, run, and missed when it ends."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.model.flow import Died, Fate
from conformance.target.base import TargetError

_WORDS_KEPT = 4096
_LINES_KEPT = 5
_LEAVE_TIMEOUT = 2.0
# Sent by people, and by kernels that run out of memory; nothing that a stack does to itself.
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


def filled(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Put values into a command's `{placeholders}`.  Raises TargetError for an unknown one."""
    try:
        return [word.format_map(values) for word in command]
    except (KeyError, ValueError, IndexError) as error:
        known = ", ".join(f"{{{name}}}" for name in values)
        raise TargetError(f"{' '.join(command)}: cannot fill in {error}", f"known are {known}") from None


def build(command: Sequence[str], directory: Path) -> None:
    """Run a build command in `directory`.  Raises TargetError with what it said last."""
    try:
        done = subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise TargetError(f"cannot build the target: {command[0]}: {error.strerror}") from error
    if done.returncode:
        raise TargetError(
            f"building the target failed: {' '.join(command)}\n{_last_lines(done.stdout)}",
            f"run it in {directory} to see more",
        )


def fate_of(code: int) -> Fate:
    """Tell what an exit code, negative for a signal, says of how a stack ended."""
    return Fate.KILLED if -code in _FROM_OUTSIDE else Fate.CRASHED


def how_it_ended(code: int) -> str:
    """Put an exit code, negative for a signal, into words."""
    if code >= 0:
        return f"with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"by {signal.Signals(-code).name}"
    return f"by signal {-code}"


def _last_lines(octets: bytes) -> str:
    return "\n".join(octets.decode(errors="replace").strip().splitlines()[-_LINES_KEPT:])


class Program:
    """A running stack that somebody else speaks for.  What it writes is kept for its last words."""

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        try:
            self._child = subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                process_group=0,
            )
        except OSError as error:
            raise TargetError(f"cannot start the target {command[0]}: {error.strerror}") from error
        assert self._child.stdout is not None
        self._output = self._child.stdout
        os.set_blocking(self._output.fileno(), False)
        self._handle = os.pidfd_open(self._child.pid)
        self._words = b""
        self._ended = False

    def filenos(self) -> list[int]:
        return [] if self._ended else [self._output.fileno(), self._handle]

    def events(self) -> list[Died]:
        """Return its end, once."""
        if self._ended:
            return []
        while octets := self._output.read(1 << 16):
            self._words = (self._words + octets)[-_WORDS_KEPT:]
        code = self._child.poll()
        if code is None:
            return []
        self._ended = True
        reason = f"the target's program ended {how_it_ended(code)}"
        return [Died("\n".join([reason, _last_lines(self._words)]).strip(), time.monotonic(), fate_of(code))]

    def close(self) -> None:
        """End it: by SIGTERM, and where that is not heard by SIGKILL.  May be called twice."""
        if self._output.closed:
            return
        self._ended = True
        self._child.terminate()
        try:
            self._child.wait(_LEAVE_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._output.close()
        os.close(self._handle)
