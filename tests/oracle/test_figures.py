"""Figures 6 to 13 of RFC 9293, as they stand there (figures.txt), replayed through two oracles.

Each line is parsed by the case language's own notation.  Who sends a segment must be
allowed to send it, who gets it must come to the state in its column.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conformance.model import notation, payload
from conformance.model.case import CallName, UserCall
from conformance.model.pattern import Pattern, Some
from conformance.model.segment import Control, Segment
from conformance.model.state import Role, State
from conformance.oracle.oracle import Oracle
from conformance.oracle.prediction import Explanation
from conformance.session.peer import integer

MIDDLE = 40
"""The column of the text where TCP Peer B's side begins."""
NAMES = {"Z": 90, "X": 300}
TEXT = (Path(__file__).parent / "figures.txt").read_text()
_TITLE = re.compile(r"^ +(Figure \d+): .*$", re.MULTILINE)
_LINE = re.compile(
    r"^(?P<left>.*?)(?P<a>-->|<--|\.\.\.)\s+(?P<segment><.*>)\s+(?P<b>-->|<--|\.\.\.)(?P<right>.*)$"
)


def figures() -> dict[str, list[str]]:
    parts = _TITLE.split(TEXT)
    return {title: body.splitlines() for body, title in zip(parts[::2], parts[1::2], strict=False)}


def states(text: str) -> list[State]:
    known = {str(state) for state in State}
    return [State(word) for word in text.split() if word in known]


@dataclass
class Peer:
    """One column: an oracle that is told what its side does and gets."""

    oracle: Oracle

    def sends(self, segment: Segment) -> None:
        if segment.ctl == Control.SYN and self.oracle.state is State.CLOSED:
            self.call(UserCall(CallName.OPEN))
        if segment.has(Control.FIN) and not self.oracle.tcb.fin_queued:
            self.call(UserCall(CallName.CLOSE))
        if segment.data:
            self.call(UserCall(CallName.SEND, data=segment.data), segment.data)
        judged = self.oracle.observe(segment, 0.0)
        assert isinstance(judged, Explanation), judged

    def call(self, call: UserCall, sent: bytes = b"") -> None:
        self.oracle.call(call, 0.0, sent)

    def is_in(self, column: str) -> None:
        for state in states(column):
            assert state in self.oracle.states(), (state, self.oracle.states())


def peer(state: str, send: int, receive: int) -> Peer:
    """A column as line 1 has it; `send`, `receive` are SND.NXT and RCV.NXT of a connection that is open."""
    if state == "CLOSED":
        return Peer(Oracle(Role.CLIENT, 4, listening=False))
    oracle = Oracle(Role.SERVER, 4, listening=state == "LISTEN" or state == "ESTABLISHED")
    if state == "ESTABLISHED":
        ack = Control.ACK
        oracle.inject(Segment(receive - 1, 0, Control.SYN), 0.0)
        oracle.observe(Segment(send - 1, receive, Control.SYN | ack), 0.0)
        oracle.inject(Segment(receive, send, ack), 0.0)
    return Peer(oracle)


def segment(pattern: Pattern) -> Segment:
    data = pattern.get("DATA")
    size = 0
    if data is not None:
        size = 4 if isinstance(data.value, Some) else integer(data.value, NAMES, 16)
    numbers = {
        item.name: integer(item.value, NAMES, 32) for item in pattern.fields if item.name in ("SEQ", "ACK")
    }
    built = Segment(numbers["SEQ"], numbers.get("ACK", 0), pattern.control or Control(0))
    return replace(built, data=payload.pattern(0, size))


def start(lines: list[str]) -> tuple[Peer, Peer]:
    first = next(line for line in lines if "1." in line).split()[1:]
    if "receive" in " ".join(first):
        return peer("CLOSED", 0, 0), peer("ESTABLISHED", 300, 100)
    return peer(first[0], 100, 300), peer(first[1], 300, 100)


def close(line: str, a: Peer, b: Peer) -> None:
    """The users that close, each in its column."""
    for found in re.finditer(re.escape("(Close)"), line):
        (a if found.start() < MIDDLE else b).call(UserCall(CallName.CLOSE))


@pytest.mark.parametrize("figure", figures())
def test_figure(figure: str) -> None:
    lines = figures()[figure]
    a, b = start(lines)
    count = 0
    for line in lines:
        close(line, a, b)
        found = _LINE.match(line)
        if found is None:
            continue
        text, from_a, from_b = found["segment"].strip(), found["a"], found["b"]
        pattern = notation.parse(text)
        assert str(pattern) == text
        moved = segment(pattern)
        if from_a == "-->":
            a.sends(moved)
        if from_b == "<--":
            b.sends(moved)
        if from_b == "-->":
            b.oracle.inject(moved, 0.0)
        if from_a == "<--":
            a.oracle.inject(moved, 0.0)
        a.is_in(found["left"])
        b.is_in(found["right"])
        count += 1
    assert count == sum("<" in line.replace("<--", "") for line in lines)
    final_states(lines, a, b)


def final_states(lines: list[str], a: Peer, b: Peer) -> None:
    """What the lines without a segment say at the end of a figure."""
    for line in [line for line in lines[3:] if "<" not in line]:
        if "2 MSL" in line:
            a.oracle.time_passed()
            b.oracle.time_passed()
        named = states(line)
        for side, state in zip((a, b), named, strict=False):
            if lines.index(line) > max(index for index, other in enumerate(lines) if "SEQ=" in other):
                assert state in side.oracle.states()


def test_all_eight_are_here() -> None:
    assert list(figures()) == [f"Figure {number}" for number in range(6, 14)]
