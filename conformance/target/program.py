"""Programs that run beside the tester: a stack's command filled in, built, run, and missed when it ends."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from conformance.model.flow import Died, Fate
from conformance.target.base import TargetError

WORDS_KEPT = 4096
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
            f"building the target failed: {' '.join(command)}\n{last_lines(done.stdout)}",
            f"run it in {directory} to see more",
        )


def start(
    who: str,
    command: Sequence[str],
    *,
    directory: Path | None = None,
    stdin: int = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a child process that is heard on a pipe; the terminal's Ctrl-C is kept from it.

    Raises TargetError, which says `who` could not be started.
    """
    try:
        return subprocess.Popen(
            command,
            cwd=directory,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            process_group=0,
        )
    except OSError as error:
        raise TargetError(f"cannot start {who} {command[0]}: {error.strerror}") from error


def last_lines(octets: bytes) -> str:
    """Return the last lines of what a process wrote."""
    return "\n".join(octets.decode(errors="replace").strip().splitlines()[-_LINES_KEPT:])


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


class Program:
    """A running stack that somebody else speaks for.  What it writes is kept for its last words."""

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        self._child = start(
            "the target", command, directory=directory, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
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
            self._words = (self._words + octets)[-WORDS_KEPT:]
        code = self._child.poll()
        if code is None:
            return []
        self._ended = True
        reason = f"the target's program ended {how_it_ended(code)}"
        return [Died("\n".join([reason, last_lines(self._words)]).strip(), time.monotonic(), fate_of(code))]

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
