"""How a case can end without passing, each an exception that the session turns into a verdict."""

from conformance.model.trace import Diagnosis


class Departure(Exception):
    """The target departed from what the case or the RFC requires.

    `silence` asks for a liveness probe before the target is blamed.
    """

    def __init__(self, diagnosis: Diagnosis, *, silence: bool = False) -> None:
        super().__init__(diagnosis.message)
        self.diagnosis = diagnosis
        self.silence = silence


class Inconclusive(Exception):
    """The case could not be brought to the point where it judges."""


class Mistake(Exception):
    """Ours: a bad case, an agent that fails.  Never the target's."""
