"""When a target crashes with many cases at work: which of them did it, and what is left unexplained."""

from dataclasses import dataclass, field, replace

from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.run.plan import Planned


@dataclass(slots=True)
class Crashes:
    """The suspects of the last crash, and what is held back while they are run again.

    `alone` is set while one of them runs without another, `searching` while any of them runs,
    `found` when one was seen to make the target crash; `last` is how it last crashed.
    """

    suspects: list[Planned] = field(default_factory=list)
    alone: bool = False
    searching: bool = False
    found: bool = False
    last: str = ""
    _held: list[Result] = field(default_factory=list)

    def take(self) -> list[Planned]:
        """Return the suspects of the last crash, once."""
        suspects, self.suspects = self.suspects, []
        return suspects

    def held(self, result: Result) -> bool:
        """Keep a suspect's result back until the search is over; False if there is none."""
        if self.searching:
            self._held.append(result)
        return self.searching

    def settle(self) -> list[Result]:
        """End the search, and return what was held back.

        A crash that none of the suspects brings about again is no one's failure, but must not
        get lost: that the target then did all that they ask for proves nothing.
        """
        results, self._held = self._held, []
        unexplained = bool(self.last) and not self.found
        if unexplained:
            reason = f"the target crashed while this case and others ran, and not again: {self.last}"
            results = [
                replace(result, verdict=Verdict.INCONCLUSIVE, reason=reason)
                if result.verdict is Verdict.PASS
                else result
                for result in results
            ]
        self.alone = self.searching = self.found = False
        self.last = ""
        return results
