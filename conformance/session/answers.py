"""What an agent's reply holds, or why it is none: an agent that goes wrong is never the target's fault."""

import base64
import binascii

from conformance.model.flow import Reply
from conformance.model.state import State
from conformance.session.failure import Mistake


def number(reply: Reply, name: str) -> int:
    """Return a number of the reply.  Raises Mistake where there is none."""
    value = reply.ok.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(reply, f"{name} must be a number")
    return value


def flag(reply: Reply, name: str) -> bool:
    """Return a truth value of the reply.  Raises Mistake where there is none."""
    value = reply.ok.get(name)
    if not isinstance(value, bool):
        raise _wrong(reply, f"{name} must be true or false")
    return value


def octets(reply: Reply) -> bytes:
    """Return the data of the reply, empty where there is none.  Raises Mistake if it is not base64."""
    try:
        return base64.b64decode(str(reply.ok.get("data", "")), validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(reply, "data must be base64") from None


def peer_port(reply: Reply) -> int:
    """Return the other end's port of an accepted connection.  Raises Mistake where there is none."""
    peer = reply.ok.get("peer")
    if isinstance(peer, list) and len(peer) == 2 and isinstance(peer[1], int):
        return peer[1]
    raise _wrong(reply, "peer must be [address, port]")


def state(reply: Reply) -> State:
    """Return the state that the target says it is in.  Raises Mistake if it is none of the eleven."""
    try:
        return State(str(reply.ok.get("state")))
    except ValueError:
        raise _wrong(reply, "state must be one of the eleven") from None


def _wrong(reply: Reply, what: str) -> Mistake:
    return Mistake(f"the agent's reply is wrong: {what}; it says {str(dict(reply.ok))[:200]}")
