"""The connections that the steps of a case name, and the numbers that the tester begins them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model import seq
from conformance.model.state import Role, State
from conformance.oracle.fast_open import Cookies
from conformance.oracle.latitude import Profile
from conformance.oracle.oracle import Oracle
from conformance.session.actions import Connection
from conformance.session.peer import Peer

if TYPE_CHECKING:
    from conformance.session.session import Session

_INCARNATIONS = 4
"""How many initial sequence numbers a case may name, whether it has as many connections or not."""


def connections(session: Session, crossing: float, profile: Profile) -> dict[int, Connection]:
    """Draw x, x2, ... and return the connections by their number."""
    case, names = session.case, session.names
    used = {1} | {step.connection for step in case.steps}
    first = case.options.isn
    if first is not None:
        # What the user gets before the steps comes before the ISN that the case wants.
        first = seq.add(first, -session.user.octets_ahead(case))
    names.bind_base("x", session.random.randrange(seq.MODULUS) if first is None else first)
    for number in range(2, max(used | {_INCARNATIONS}) + 1):
        # Each later incarnation starts beyond the one before, as a clock-driven ISN would.
        step = session.random.randrange(1 << 24, 1 << 26)
        names.bind_base(_isn(number), seq.add(int(names[_isn(number - 1)]), step))
    cookies = Cookies()
    return {index: _connection(session, index, crossing, profile, cookies) for index in sorted(used)}


def _isn(number: int) -> str:
    return "x" if number == 1 else f"x{number}"


def _connection(
    session: Session, index: int, crossing: float, profile: Profile, cookies: Cookies
) -> Connection:
    case, ends = session.case, session.endpoints
    server = case.role is Role.SERVER
    oracle = Oracle(
        case.role,
        ends.family,
        listening=server and case.start is not State.CLOSED,
        crossing=crossing,
        profile=profile,
        user_known=session.user.known,
        cookies=cookies,
    )
    past = max(profile.pointing.past)  # where either will do, the octet that follows
    peer = Peer(oracle, session.names, case.options, _isn(index), session.key, past=past)
    closed = ends.closed_port if case.options.target_port is None else case.options.target_port
    port = closed if server else None
    return Connection(index, peer, oracle, ends.tester_ports[index], ends.target, port)
