"""The exchanges that bring the target to the state a case starts `from:`, in either role.

Each is written in the case language and run like any other steps, but a preamble that does
not come about makes the case INCONCLUSIVE: another case tests it.
"""

from functools import cache

from conformance.model import notation
from conformance.model.case import Alternative, CallName, Expect, Send, Step, UserCall
from conformance.model.source import Place, SourceText
from conformance.model.state import Role, State

_SYN = "send <SEQ=x><CTL=SYN>"
_SYN_ACK_COMES = "expect <SEQ=y><ACK=x+1><CTL=SYN,ACK>"
_SERVER_OPEN = (_SYN, _SYN_ACK_COMES, "send <SEQ=x+1><ACK=y+1><CTL=ACK>")
_SYN_COMES = ("call OPEN", "expect <SEQ=y><CTL=SYN>")
_CLIENT_OPEN = (
    *_SYN_COMES,
    "send <SEQ=x><ACK=y+1><CTL=SYN,ACK>",
    "expect <SEQ=y+1><ACK=x+1><CTL=ACK>",
)
_FIN_COMES = ("call CLOSE", "expect <SEQ=y+1><ACK=x+1><CTL=FIN,ACK>")
_FIN_ACKED = "send <SEQ=x+1><ACK=y+2><CTL=ACK>"

# From ESTABLISHED on, both roles take the same way.
_ONWARD: dict[State, tuple[str, ...]] = {
    State.ESTABLISHED: (),
    State.FIN_WAIT_1: _FIN_COMES,
    State.FIN_WAIT_2: (*_FIN_COMES, _FIN_ACKED),
    State.CLOSE_WAIT: ("send <SEQ=x+1><ACK=y+1><CTL=FIN,ACK>", "expect <SEQ=y+1><ACK=x+2><CTL=ACK>"),
    State.CLOSING: (
        *_FIN_COMES,
        "send <SEQ=x+1><ACK=y+1><CTL=FIN,ACK>",
        # By itself, or with the FIN when that is sent again first.
        "expect <SEQ=y+2><ACK=x+2><CTL=ACK> or <SEQ=y+1><ACK=x+2><CTL=FIN,ACK>",
    ),
    State.LAST_ACK: (
        "send <SEQ=x+1><ACK=y+1><CTL=FIN,ACK>",
        "expect <SEQ=y+1><ACK=x+2><CTL=ACK>",
        "call CLOSE",
        "expect <SEQ=y+1><ACK=x+2><CTL=FIN,ACK>",
    ),
    State.TIME_WAIT: (
        *_FIN_COMES,
        _FIN_ACKED,
        "send <SEQ=x+1><ACK=y+2><CTL=FIN,ACK>",
        "expect <SEQ=y+2><ACK=x+2><CTL=ACK>",
    ),
}

_LINES: dict[tuple[Role, State], tuple[str, ...]] = {
    (Role.SERVER, State.CLOSED): (),
    (Role.SERVER, State.LISTEN): (),
    (Role.SERVER, State.SYN_RECEIVED): (_SYN, _SYN_ACK_COMES),
    (Role.CLIENT, State.CLOSED): (),
    (Role.CLIENT, State.SYN_SENT): _SYN_COMES,
    # Simultaneous open: RFC 9293 3.5, Figure 7.
    (Role.CLIENT, State.SYN_RECEIVED): (*_SYN_COMES, _SYN, _SYN_ACK_COMES),
    **{(Role.SERVER, state): (*_SERVER_OPEN, *lines) for state, lines in _ONWARD.items()},
    **{(Role.CLIENT, state): (*_CLIENT_OPEN, *lines) for state, lines in _ONWARD.items()},
}

# A service closes as soon as its peer has: its FIN may come with the acknowledgment of ours.
_SERVED = {
    State.LAST_ACK: (
        *_SERVER_OPEN,
        "send <SEQ=x+1><ACK=y+1><CTL=FIN,ACK>",
        "expect <SEQ=y+1><ACK=x+2><CTL=FIN,ACK>",
    ),
}

PREAMBLE_WITHIN = 3.0
"""Seconds a preamble waits for each segment: long enough for one retransmission."""


def _step(line: str, state: tuple[State, ...]) -> Step:
    verb, _, rest = line.partition(" ")
    place = Place(0, 1, 1)
    text = SourceText(rest, "preamble", tuple(place for _ in rest), place)
    if verb == "call":
        return Step(UserCall(CallName(rest)), text, state=state)
    if verb == "send":
        return Step(Send(notation.parse(rest), text), text, state=state)
    alternatives = tuple(Alternative(notation.parse(pattern), text) for pattern in rest.split(" or "))
    return Step(Expect(alternatives), text, state=state, within=PREAMBLE_WITHIN)


@cache
def preamble(role: Role, state: State, served: bool = False) -> tuple[Step, ...]:
    """Return the steps that lead to `state`; the last one verifies it.

    `served`: a service makes the user's calls.
    Raises KeyError where the role has no way there (SYN-SENT of a server, LISTEN of a client).
    """
    lines = _LINES[role, state]
    if served:
        lines = _SERVED.get(state, lines)
    last = len(lines) - 1
    return tuple(_step(line, (state,) if index == last else ()) for index, line in enumerate(lines))


def reachable(role: Role) -> tuple[State, ...]:
    """Return the states that a preamble leads to in this role."""
    return tuple(state for owner, state in _LINES if owner is role)
