"""The labs of a run: each opened for the first case that needs it, and closed after the last."""

from collections import Counter
from collections.abc import Callable, Iterator

from conformance.model.flow import Fate
from conformance.run.plan import Planned
from conformance.target.base import Lab

MAX_RESTARTS = 3

OpenLab = Callable[[Planned], Lab]


class Labs:
    """The labs that are open, by their names; `open_lab` makes the one that a case needs."""

    def __init__(self, open_lab: OpenLab) -> None:
        self._open_lab = open_lab
        self._labs: dict[str, Lab] = {}
        self._waiting: Counter[str] = Counter()
        self._restarts: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Lab]:
        return iter(list(self._labs.values()))

    def adopt(self, name: str, lab: Lab) -> None:
        """Use `lab`, already open, for the cases that are planned for it."""
        self._labs[name] = lab

    def reserve(self, planned: Planned) -> None:
        """Keep the lab of a case, once it is open, until this case has left it."""
        self._waiting[planned.lab] += 1

    def of(self, planned: Planned) -> Lab:
        """Return the lab of a case.  Raises TargetError where it cannot be opened."""
        if planned.lab not in self._labs:
            self._labs[planned.lab] = self._open_lab(planned)
        return self._labs[planned.lab]

    def left(self, planned: Planned) -> None:
        """One case fewer needs this lab; a lab of its own ends with its last case."""
        name = planned.lab
        self._waiting[name] -= 1
        if name and not self._waiting[name]:
            self.renew(name)

    def renew(self, name: str) -> None:
        """Have the next case that needs this lab find a new one."""
        lab = self._labs.pop(name, None)
        if lab is not None:
            lab.close()

    def died(self, lab: Lab, fate: Fate) -> None:
        """The target of a lab is lost: the next cases get a new one, if it was not lost too often.

        Crashes are counted by nobody: what crashes a target is searched for until it is found.
        """
        for name in [name for name, known in self._labs.items() if known is lab]:
            self._restarts[name] += fate is not Fate.CRASHED
            if self._restarts[name] <= MAX_RESTARTS:
                del self._labs[name]
        lab.close()

    def close(self) -> None:
        """End every lab.  May be called twice."""
        for lab in self:
            lab.close()
        self._labs.clear()
