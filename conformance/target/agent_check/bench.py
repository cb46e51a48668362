"""What a check has at hand: one agent, asked and heard as docs/agent.md has it."""

import errno
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from conformance.target.agent_check.pipe import Gone, Line, Pipe

LATE = 1.0
"""Seconds by which a deadline may be missed, for machines are busy."""
EARLY = 0.01
"""Seconds by which clocks may differ."""
MUST_HAVE = ("hello", "listen", "accept", "connect", "send", "receive", "close", "release")
MAY_HAVE = ("urgent", "receive_urgent", "set_option", "state", "tcp_info", "sysctl", "advance")


class Violation(Exception):
    """The agent did what the specification does not allow."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply: `ok`, or `error` (an errno's name); when it came, and as the how many-th."""

    ok: Mapping[str, object]
    error: str
    time: float
    place: int

    def __str__(self) -> str:
        return self.error or json.dumps(dict(self.ok))[:200]


@dataclass(frozen=True, slots=True)
class Setting:
    """How the agent is started, and what there is to reach.

    `address` is the agent's own; `loopback`: it can reach itself there; `silent`: an address
    from which it gets no answer, "" for none; `patience`: seconds after which an answer that need
    not wait for anything is taken for none.
    """

    command: Sequence[str]
    address: str = "127.0.0.1"
    loopback: bool = True
    silent: str = ""
    patience: float = 5.0


class Bench:
    """One running agent."""

    def __init__(self, setting: Setting) -> None:
        self.address, self.silent, self.patience = setting.address, setting.silent, setting.patience
        self.family = 6 if ":" in setting.address else 4
        self.pipe = Pipe(setting.command)
        self.asked: set[object] = set()
        """The ids of requests; a check that writes octets of its own adds theirs."""
        self.answers: dict[int, Answer] = {}
        self.unaddressed: list[Answer] = []
        """Replies whose id is null."""
        self._numbers = itertools.count(1)
        self._count = itertools.count()

    # -- asking

    def post(self, op: str, **arguments: object) -> int:
        """Send a request; return its id."""
        number = next(self._numbers)
        self.write({"id": number, "op": op, **arguments})
        return number

    def write(self, message: Mapping[str, object]) -> None:
        self.asked.add(message["id"])
        self.write_line(json.dumps(message).encode())

    def write_line(self, line: bytes) -> None:
        try:
            taken = self.pipe.write(line + b"\n", self.patience)
        except Gone:
            self.mourn()
        if not taken:
            raise Violation(f"it does not read its requests: {_shown(line)}")

    def answer(self, number: int, within: float | None = None) -> Answer:
        """Return the reply to a request; Violation if none comes."""
        patience = self.patience if within is None else within
        self._hear(lambda: number in self.answers, patience)
        if number not in self.answers:
            raise Violation(f"no reply to request {number} in {patience:g} s")
        return self.answers[number]

    def ask(self, op: str, **arguments: object) -> Answer:
        return self.answer(self.post(op, **arguments))

    def ok(self, op: str, **arguments: object) -> Mapping[str, object]:
        """Return what a request gives that must succeed."""
        answer = self.ask(op, **arguments)
        if answer.error:
            raise Violation(f"{op} {json.dumps(arguments)[:120]} gave {answer.error}")
        return answer.ok

    def refused(self, error: str, op: str, **arguments: object) -> None:
        """Make a request that must fail with this error."""
        answer = self.ask(op, **arguments)
        if answer.error != error:
            raise Violation(f"{op} {json.dumps(arguments)[:120]} gave {answer}, not {error}")

    def next_unaddressed(self) -> Answer:
        """Return the next reply without an id."""
        self._hear(lambda: bool(self.unaddressed), self.patience)
        if not self.unaddressed:
            raise Violation("no reply")
        return self.unaddressed.pop(0)

    def quiet(self, seconds: float) -> None:
        """Demand that nothing comes for so long."""
        before = len(self.answers), len(self.unaddressed)
        self._hear(lambda: (len(self.answers), len(self.unaddressed)) != before, seconds)
        demand((len(self.answers), len(self.unaddressed)) == before, "it answered too early")

    # -- hearing

    def _hear(self, enough: Callable[[], bool], within: float) -> None:
        until = time.monotonic() + within
        while not enough():
            try:
                line = self.pipe.line(until)
            except Gone:
                self.mourn()
            if line is None:
                return
            self._take(line)

    def mourn(self) -> NoReturn:
        code = self.pipe.wait(self.patience)
        how = "closed its output" if code is None else f"ended with exit code {code}"
        words = self.pipe.words().splitlines()[-1:]
        raise Violation(": ".join([f"the agent {how}", *words]))

    def _take(self, line: Line) -> None:
        number, answer = self._parse(line)
        if number is None:
            self.unaddressed.append(answer)
        elif number not in self.asked:
            raise Violation(f"a reply that nobody asked for: {_shown(line.octets)}")
        elif number in self.answers:
            raise Violation(f"a second reply to request {number}: {_shown(line.octets)}")
        else:
            self.answers[number] = answer

    def _parse(self, line: Line) -> tuple[int | None, Answer]:
        shown = _shown(line.octets)
        try:
            message = json.loads(line.octets.decode())
        except ValueError:
            raise Violation(f"on stdout is what is not JSON: {shown}") from None
        if not isinstance(message, dict) or "id" not in message:
            raise Violation(f"a reply is an object with an id: {shown}")
        number, ok, error = message["id"], message.get("ok"), message.get("error")
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            raise Violation(f"the id is no number of a request: {shown}")
        if ("ok" in message) == ("error" in message):
            raise Violation(f"a reply has either ok or error: {shown}")
        if error is None and not isinstance(ok, dict):
            raise Violation(f"ok is an object: {shown}")
        if error is not None and error not in _ERRORS:
            raise Violation(f"error is the name of an errno: {shown}")
        answer = Answer(ok if isinstance(ok, dict) else {}, error or "", line.time, next(self._count))
        return number, answer

    # -- the end

    def finish(self) -> None:
        """End the agent; a reply that nobody asked for is still a violation."""
        self.pipe.end_input()
        try:
            while (line := self.pipe.line(time.monotonic() + LATE)) is not None:
                self._take(line)
        except Gone:
            pass
        demand(not self.unaddressed, "a reply that nobody asked for: its id is null")

    def close(self) -> None:
        self.pipe.close()


_ERRORS = frozenset(errno.errorcode.values()) | {"EPROTO", "ENOSYS", "ECANCELED", "ENOPROTOOPT"}


def _shown(octets: bytes) -> str:
    return octets[:120].decode(errors="replace") + ("..." if len(octets) > 120 else "")


# -- what checks say


def demand(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Violation(otherwise)


def whole(values: Mapping[str, object], name: str) -> int:
    """Return a number of a reply."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Violation(f"{name} is missing, or no number: {json.dumps(dict(values))[:120]}")
    return value


def on_time(answer: Answer, asked: float, timeout: float) -> None:
    """Demand that an answer came when `timeout` seconds from `asked` were over."""
    took = answer.time - asked
    if took < timeout - EARLY:
        raise Violation(f"answered {answer} after {took:.3f} s, before its {timeout:g} s were over")
    if took > timeout + LATE:
        raise Violation(f"answered {answer} after {took:.1f} s; it had {timeout:g} s")
