"""How a check is written down: its name, the sentence it holds the agent to, and what it needs."""

from collections.abc import Callable
from dataclasses import dataclass

from conformance.target.agent_check.bench import Bench

Function = Callable[[Bench], None]


@dataclass(frozen=True, slots=True)
class Check:
    """One demand of docs/agent.md.

    `sentence` is its text there; `ops` what the agent must offer for it, besides what all must;
    `loopback` and `silence` whether it needs an agent that reaches itself, or an address that
    does not answer.
    """

    name: str
    sentence: str
    function: Function
    ops: frozenset[str]
    loopback: bool
    silence: bool


class Catalogue:
    """The checks of a module, in the order in which they stand there."""

    def __init__(self, *, loopback: bool = False) -> None:
        self._loopback = loopback
        self.checks: list[Check] = []

    def check(
        self, sentence: str, *, ops: tuple[str, ...] = (), silence: bool = False
    ) -> Callable[[Function], Function]:
        """Note a function as a check; its name is the check's."""

        def note(function: Function) -> Function:
            name = function.__name__.replace("_", "-")
            self.checks.append(Check(name, sentence, function, frozenset(ops), self._loopback, silence))
            return function

        return note
