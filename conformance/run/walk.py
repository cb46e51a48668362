"""Random walks: cases of segments and calls by chance, after each of which the oracle says what must come.

A walk is made while it is rehearsed, so that each move is drawn where the moves before it have
led.  What is written is a case like any other: to be read, linted, run, kept and shortened.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from conformance.language.loader import load_text
from conformance.model import seq
from conformance.model.case import Case, Step
from conformance.model.state import NO_CONNECTION, WINDOWED, Role, State
from conformance.oracle.tcb import Tcb
from conformance.session.actions import Inject
from conformance.session.preamble import reachable
from conformance.session.rehearsal import Rehearsal

_STARTS = [
    (role, state)
    for role in Role
    for state in reachable(role)
    # Before OPEN an active opener has no socket to send to.
    if (role, state) != (Role.CLIENT, State.CLOSED)
]
_KINDS = {
    ("ACK", False): 5,
    ("ACK", True): 5,
    ("FIN,ACK", False): 3,
    ("FIN,ACK", True): 1,
    ("RST", False): 1,
    ("RST,ACK", False): 1,
    ("SYN", False): 1,
    ("SYN,ACK", False): 1,
    ("none", True): 1,
    ("FIN", False): 1,
}
"""Control bits, and whether there is data: how often."""
_SYN_SENT_KINDS = {**_KINDS, ("SYN,ACK", False): 12, ("SYN", False): 4}
_ACKS = {"next": 10, "una": 2, "below": 1, "ancient": 1, "above": 1, "far": 1}
_FAR, _ANCIENT = 1_000_000_000, 100_000
_INSIDE, _OLD = 100, -100
_PLACES = {0: 12, -1: 1, _OLD: 1, _INSIDE: 2, _FAR: 1}
"""Where a segment stands, from RCV.NXT: how often."""
_SIZES = (1, 50, 100)
_OPEN_CHANCE, _CALL_CHANCE, _ABORT_CHANCE = 0.6, 0.25, 0.1
_WINDOW_CHANCE, _CLOSED_CHANCE = 0.4, 0.1
_MOST_INCARNATIONS = 4
_MOST_WITHOUT_CONNECTION = 2
"""Moves after which nothing new happens to a port at which nobody listens."""
_WRITABLE = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})
_READABLE = _WRITABLE | {State.FIN_WAIT_1, State.FIN_WAIT_2}
_HEAD = """\
title:  Walk {number} of seed {seed}, from {state}
rfc:    9293 3.10.7
about:  Drawn by `conformance walk --seed {seed} --steps {moves}`.
target: {role}
from:   {state}

steps:
"""

T = TypeVar("T")
Lines = list[str]
"""Steps as a case file has them, below its `steps:`."""


def walk(seed: int, number: int, moves: int) -> str:
    """Return the case file of the walk of this number, which is at most so many moves long."""
    random = Random(f"{seed}/{number}")
    role, state = random.choice(_STARTS)
    head = _HEAD.format(seed=seed, number=number, moves=moves, role=role, state=state)
    # The steps come as they are drawn; this one stands for them where a case must have some.
    case = _case(f"{head}  - state: {state}\n")
    return head + "\n".join(_Walker(case, random, moves).drawn()) + "\n"


def file_name(seed: int, number: int) -> str:
    """Return what the file of a walk is called."""
    return f"walk-{seed}-{number:04}.yaml"


def _case(text: str) -> Case:
    cases, errors = load_text(text.encode(), "walk.yaml", "walk")
    assert not errors, errors
    return cases[0]


def _steps(lines: Lines) -> tuple[Step, ...]:
    return _case("title: A move\nsteps:\n" + "\n".join(lines)).steps


@dataclass(frozen=True, slots=True)
class _Window:
    """The receive window as an ACK has told it: its name `w` counts from RCV.NXT of that moment."""

    rcv_nxt: int
    learnt: Lines


class _Walker(Rehearsal):
    """Draws each move when those before it have been rehearsed."""

    def __init__(self, case: Case, random: Random, moves: int) -> None:
        super().__init__(case)
        self.random, self.moves = random, moves
        self.oracle = self.session.connections[1].oracle
        self.session.script = self._script()
        self.lines: Lines = []
        self.taken: list[Step] = []
        """All steps until now: a rehearsal knows them by their identity."""
        self.told: State | None = None
        """The state that was last written down."""
        self.decided = True
        """Whether every target that keeps to the RFC is where this one is.

        Where it is not nothing is asked of its user, and no number is named that it may not have.
        """
        self.window: _Window | None = None
        self.seq, self.ack = "x", "1"
        """The right numbers, as long as there was a connection."""

    def drawn(self) -> Lines:
        self.play()
        assert self.session.result is not None
        return self.lines

    def injected(self, action: Inject) -> None:
        self.decided = self.decided and self.oracle.decided
        super().injected(action)

    # -- the course of a walk -----------------------------------------------------------
    def _script(self) -> Iterator[Step]:
        if self.oracle.state in WINDOWED and self.random.random() < _WINDOW_CHANCE:
            self.moves -= 1
            yield from self._written(self._learn_window())
        idle = 0
        for _ in range(self.moves):
            yield from self._written(self._move())
            idle += self._stands() is State.CLOSED
            if idle > _MOST_WITHOUT_CONNECTION:
                return
        if self._known() and self.oracle.tcb.unread:
            yield from self._written([f"  - call:   RECEIVE {self.oracle.tcb.unread}"])

    def _stands(self) -> State:
        tcb = self.oracle.tcb
        return State.LISTEN if tcb.listening and tcb.state in NO_CONNECTION else tcb.state

    def _written(self, move: Lines) -> tuple[Step, ...]:
        """Take down a move, and return its steps."""
        if self.told is not self._stands():
            self.told = self._stands()
            self.lines.append(f"  # {self.told}")
        self.lines += move
        learnt = self.window.learnt if self.window and move is not self.window.learnt else []
        drawn = _steps(learnt + move)[len(_steps(learnt)) if learnt else 0 :]
        self.taken += drawn
        return drawn

    def _learn_window(self) -> Lines:
        """An old segment draws an ACK, which tells the window."""
        tcb = self.oracle.tcb
        right = f"<ACK={self._at(tcb.rcv_nxt)}>"
        lines = [
            f"  - send:   <SEQ={self._at(tcb.rcv_nxt, _OLD)}><ACK={self._at(tcb.snd_nxt)}><CTL=ACK>",
            f"  - expect: <SEQ={self._at(tcb.snd_nxt)}>{right}<CTL=ACK><WND=w>",
        ]
        self.window = _Window(tcb.rcv_nxt, lines)
        return lines

    def _at(self, number: int, offset: int = 0) -> str:
        """Write a sequence number, some octets from one that is known, in the names of the case."""
        names = self.session.names
        base = re.match("[xy]\\d*", names.show(number))
        assert base is not None, number
        distance = seq.diff(number, names.bases[base[0]]) + offset
        return base[0] + (f"{distance:+d}" if distance else "")

    def _draw(self, weights: Mapping[T, int]) -> T:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def _move(self) -> Lines:
        calls = self._calls()
        if calls and self.random.random() < _CALL_CHANCE:
            return self.random.choice(calls)
        state = self._stands()
        if state in NO_CONNECTION:
            return self._without_connection(state)
        if state is State.SYN_SENT:
            return self._to_syn_sent()
        return self._to_connection()

    # -- segments -----------------------------------------------------------------------
    def _without_connection(self, state: State) -> Lines:
        opened = self.session.connections[1].incarnation
        if (
            state is State.LISTEN
            and self.decided
            and opened < _MOST_INCARNATIONS
            and self.random.random() < 0.6
        ):
            return self._segment("SYN", False, "x" if opened == 0 else f"x{opened + 1}", "")
        kinds = {kind: weight for kind, weight in _KINDS.items() if kind != ("SYN", False)}
        ctl, data = self._draw(kinds)
        return self._segment(ctl, data, self.seq, self.ack)

    def _to_syn_sent(self) -> Lines:
        ctl, data = self._draw(_SYN_SENT_KINDS)
        return self._segment(ctl, data, "x" if "SYN" in ctl else "x+1", self._acknowledged())

    def _to_connection(self) -> Lines:
        tcb = self.oracle.tcb
        self.seq, self.ack = self._at(tcb.rcv_nxt), self._at(tcb.snd_nxt)
        ctl, data = self._draw(_KINDS)
        places = dict(_PLACES)
        if "SYN" in ctl:
            places[seq.diff(tcb.irs, tcb.rcv_nxt)] = 3
        fitting = {
            self._at(tcb.rcv_nxt, offset): weight
            for offset, weight in places.items()
            if self._fits(ctl, data, seq.add(tcb.rcv_nxt, offset))
        }
        edges = self._edges(tcb, ctl)
        if not fitting and not edges:
            return self._segment("ACK", False, self.seq, self._acknowledged())
        where = self._draw(fitting | edges)
        # At the edges a target may see one octet more or less: an ACK that changes nothing.
        ack = self._at(tcb.snd_una) if where in edges else self._acknowledged()
        return self._segment(ctl, data, where, ack)

    def _fits(self, ctl: str, data: bool, start: int) -> bool:
        """Tell whether a stream can have this beside what waits out of order: nothing is behind a FIN."""
        tcb, fin = self.oracle.tcb, "FIN" in ctl
        if tcb.held_fin is None:
            return not fin or all(seq.geq(start, end) for _, end in tcb.held)
        if data:
            return not fin and seq.diff(tcb.held_fin, start) >= max(_SIZES)
        return not fin or start == tcb.held_fin

    def _edges(self, tcb: Tcb, ctl: str) -> dict[str, int]:
        """Return the last octet of the window and the one behind it, while these are where they were told."""
        if self.window is None or self.window.rcv_nxt != tcb.rcv_nxt or "FIN" in ctl:
            return {}
        if tcb.state is State.SYN_RECEIVED and "SYN" in ctl:
            return {}
        return {f"{self._at(tcb.rcv_nxt, -1)}+w": 3, f"{self._at(tcb.rcv_nxt)}+w": 3}

    def _acknowledged(self) -> str:
        tcb = self.oracle.tcb
        match self._draw(_ACKS):
            case "una":
                return self._at(tcb.snd_una)
            case "below":
                return self._at(tcb.snd_una, -1)
            case "ancient":
                return self._at(tcb.snd_una, -_ANCIENT)
            case "above":
                return self._at(tcb.snd_nxt, 1)
            case "far":
                return self._at(tcb.snd_nxt, _FAR)
        return self._at(tcb.snd_nxt)

    def _segment(self, ctl: str, data: bool, where: str, ack: str) -> Lines:
        """Return the steps that send a segment, and let the oracle say what must come."""
        text = f"<SEQ={where}>"
        if "ACK" in ctl:
            text += f"<ACK={ack}>"
        text += f"<CTL={ctl}>"
        if data:
            text += f"<DATA={self.random.choice(_SIZES)}>"
        if ctl == "ACK" and self.random.random() < _CLOSED_CHANCE:
            text += "<WND=0>"
        lines = [f"  - send:   {text}", "  - expect: oracle"]
        # What takes sequence space may be acknowledged half a second later.
        return lines if data or "FIN" in ctl else [*lines, "    within: 300ms"]

    # -- calls --------------------------------------------------------------------------
    def _calls(self) -> list[Lines]:
        """Return the calls that every target which keeps to the RFC would take now, and what they lead to."""
        tcb, found = self.oracle.tcb, []
        if not self._known():
            return []
        if tcb.state in _WRITABLE and not tcb.in_flight:
            found.append(self._send(tcb))
            if tcb.usable_window > 0:
                fin = f"<SEQ={self._at(tcb.snd_nxt)}><ACK={self._at(tcb.rcv_nxt)}><CTL=FIN,ACK>"
                found.append(["  - call:   CLOSE", f"  - expect: {fin}"])
        if tcb.unread:
            found.append([f"  - call:   RECEIVE {self.random.randint(1, tcb.unread)}"])
        elif tcb.fin_received:
            found.append(["  - call:   RECEIVE EOF"])
        if self.random.random() < _ABORT_CHANCE:
            found.append(["  - call:   ABORT", "  - expect: oracle"])
        return [lines for lines in found if lines]

    def _known(self) -> bool:
        """Whether the user has the connection, whatever the target has chosen to do until now."""
        connected = self.oracle.state in _READABLE and self.session.connections[1].incarnation == 1
        return self.decided and connected

    def _send(self, tcb: Tcb) -> Lines:
        """Return a SEND and its data, which a closed window holds back until the tester opens it."""
        size = self.random.choice(_SIZES)
        call = [f"  - call:   SEND {size}"]
        data = [f"  - expect: <SEQ={self._at(tcb.snd_nxt)}><ACK={self._at(tcb.rcv_nxt)}><DATA={size}>"]
        if tcb.usable_window >= size:
            return call + data
        if tcb.usable_window > 0 or seq.gt(tcb.snd_wl1, tcb.rcv_nxt):
            return []
        opening = f"  - send:   <SEQ={self._at(tcb.rcv_nxt)}><ACK={self._at(tcb.snd_nxt)}><CTL=ACK>"
        return [*call, "  - expect: nothing", "    within: 100ms", opening, *data]
