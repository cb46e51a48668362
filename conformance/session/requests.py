"""What a session asks of the agent: each request has a number, a time that is its own, and an answer."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from conformance.model.flow import Reply
from conformance.session.actions import Ask
from conformance.session.failure import Mistake

if TYPE_CHECKING:
    from conformance.session.session import Session

AGENT_PATIENCE = 10.0
"""Seconds after which an agent that has not answered is taken for dead."""


CLOCKS_DIFFER = 1e-6
"""Seconds: an agent whose clock we turn counts in whole nanoseconds."""


class Requests:
    """The requests of a session, and the replies that nobody has taken yet, by number."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked = 0
        self._expiry: dict[int, float] = {}
        self.replies: dict[int, Reply] = {}

    def ask(self, op: str, arguments: Mapping[str, object]) -> Generator[float, None, Reply]:
        """Send the agent a request and wait for its answer."""
        number = self.post(op, arguments)
        return (yield from self.answer(number))

    def post(self, op: str, arguments: Mapping[str, object]) -> int:
        """Send the agent a request; return its number."""
        self._asked += 1
        timeout = arguments.get("timeout", 0.0)
        own = math.inf if timeout is None else timeout if isinstance(timeout, float) else 0.0
        self._expiry[self._asked] = self._session.now + own
        self._session.act(Ask(self._asked, op, arguments))
        return self._asked

    def answer(self, number: int) -> Generator[float, None, Reply]:
        """Wait for the answer to a request.  Raises Mistake where none comes."""
        patience = self._expiry[number] + AGENT_PATIENCE
        while number not in self.replies:
            if self._session.now >= patience:
                raise Mistake("the agent did not answer")
            yield patience
        return self.replies.pop(number)

    def ran_out(self, reply: Reply) -> bool:
        """Whether it was the request's own time that was over: the connection has nothing to do with it."""
        return reply.error == "ETIMEDOUT" and self.waited(reply)

    def waited(self, reply: Reply) -> bool:
        """Whether the answer came when the request's own time was over: what is missing did not come."""
        return reply.time >= self._expiry[reply.id] - CLOCKS_DIFFER
