"""Does the target answer at all?  A SYN to whatever port tells: any answer will do."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from conformance.model.flow import Flow
from conformance.model.segment import Control, Segment
from conformance.session.actions import Inject

if TYPE_CHECKING:
    from conformance.session.session import Session

RST, SYN = Control.RST, Control.SYN
WITHIN = 1.0
TRIES = 2


class Liveness:
    """Probes from a port of the tester's that no connection has, so that no oracle sees it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._heard = False

    @property
    def port(self) -> int:
        """The tester's port that the probe comes from."""
        return self._session.endpoints.tester_ports[0]

    def probe(self) -> Generator[float, None, bool]:
        """Tell whether the target answers."""
        session = self._session
        port = session.listening_port
        for _ in range(TRIES):
            self._send(Segment(session.random.randrange(1 << 32), 0, SYN), port)
            until = session.now + WITHIN
            while not self._heard and session.now < until:
                yield until
            if self._heard:
                break
        return self._heard

    def heard(self, segment: Segment, target_port: int) -> None:
        """Take in an answer; a connection that is half open by it is taken back."""
        self._heard = True
        if segment.has(SYN):
            self._send(Segment(segment.ack, 0, RST), target_port)

    def _send(self, segment: Segment, target_port: int) -> None:
        ends = self._session.endpoints
        self._session.act(Inject(Flow((ends.tester, self.port), (ends.target, target_port)), segment))
