"""What a target that nobody can ask offers by itself, and what of a case it satisfies."""

from dataclasses import dataclass
from enum import Enum


class ServiceKind(Enum):
    """What answers on the target's port."""

    BARE = "bare"
    ECHO = "echo"
    DISCARD = "discard"
    CHARGEN = "chargen"
    HTTP = "http"

    def __str__(self) -> str:
        return self.value


USUAL_PORTS = {
    7: ServiceKind.ECHO,
    9: ServiceKind.DISCARD,
    19: ServiceKind.CHARGEN,
    80: ServiceKind.HTTP,
    8000: ServiceKind.HTTP,
    8080: ServiceKind.HTTP,
}
"""What is guessed where nobody says; RFC 862, 863, 864, 9110 4.2.1."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that a first exchange has shown to be there, on `port`.

    `speaks`: it sends data before it is asked.  `closes_on_eof`: it closes, and says nothing,
    when its peer closes without having asked for anything.
    """

    kind: ServiceKind
    port: int
    speaks: bool = False
    closes_on_eof: bool = False
