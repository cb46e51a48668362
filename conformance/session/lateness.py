"""How long a session was behind: what the target does meanwhile is not the target's fault."""

PROMPT = 0.005
"""Seconds within which what is done is done on time."""


class Lateness:
    """The time that the delays of a session cover, each moment once, in whatever order they are seen."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        """From, until; one after the other."""

    def note(self, due: float, now: float) -> None:
        """What was due at one moment was done at another, which is the latest so far."""
        if now - due <= PROMPT:
            return
        while self._late and self._late[-1][1] >= due:
            due = min(due, self._late.pop()[0])
        self._late.append((due, now))

    @property
    def total(self) -> float:
        """Return it in seconds."""
        return sum(until - since for since, until in self._late)
