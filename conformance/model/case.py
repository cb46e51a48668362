"""A case as values: what a YAML file under cases/ says, parsed and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from conformance.model.expression import Expression
from conformance.model.pattern import Pattern, quote
from conformance.model.source import SourceText, Span
from conformance.model.state import Role, State
from conformance.model.verdict import Level

DEFAULT_WITHIN = 1.0
"""Seconds an expectation waits where the case does not say."""


PASSIVE = "passive"
"""The word of an OPEN that listens (RFC 9293 3.9.1.1)."""
LOCAL = "local"
"""What comes before the local address of an OPEN (RFC 9293 3.9.1.1)."""
OTHER, ANY = "other", "any"
"""Words for a local address: the target's second one; the one that the target chooses, or all."""
ROUTE = "source_route"
"""The option that sets a source route, by a word for it (model.flow)."""
RECORD = "ip_option"
"""The option that has IP record something on the way, by a word for it (model.flow)."""
URGENT = "urgent"
"""The word of a SEND with the URGENT flag (RFC 9293 3.9.1.2), and of urgent mode (3.8.5)."""
NORMAL = "normal"
"""The word of normal mode, in which no urgent data remains to be received (RFC 9293 3.8.5)."""


class CallName(Enum):
    """The user calls of RFC 9293 3.9.1, and OPTION, which sets a socket option."""

    OPEN = "OPEN"
    SEND = "SEND"
    RECEIVE = "RECEIVE"
    CLOSE = "CLOSE"
    ABORT = "ABORT"
    STATUS = "STATUS"
    OPTION = "OPTION"

    def __str__(self) -> str:
        return self.value


class CallError(Enum):
    """How a user call may fail, in the RFC's words (RFC 9293 3.10.1-3.10.8, 3.9.1.1, 3.9.2.2)."""

    RESET = "connection reset"
    REFUSED = "connection refused"
    CLOSING = "connection closing"
    ABSENT = "connection does not exist"
    EXISTS = "connection already exists"
    TIMEOUT = "connection aborted due to user timeout"
    UNREACHABLE = "destination unreachable"
    INVALID = "remote address invalid"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Send:
    """Inject a segment, or the octets of `raw` as a whole TCP segment (header and data)."""

    pattern: Pattern
    text: SourceText
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    pattern: Pattern
    text: SourceText


@dataclass(frozen=True, slots=True)
class Expect:
    """One of the alternatives must come."""

    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class ExpectNothing:
    """No segment at all may come for `within` (of the step)."""


@dataclass(frozen=True, slots=True)
class ExpectOracle:
    """Whatever the RFC requires here must come: silence, where it requires silence."""


@dataclass(frozen=True, slots=True)
class UserCall:
    """A user call at the target.

    SEND: `data`, or `count` octets of the pattern, which are `urgent`.  RECEIVE: `data` or one of the
    `others` (must be received exactly), `count` octets of the pattern, or `eof`; the octet that is
    `urgent` is received out of band.  CLOSE: `half_duplex` is BSD close.
    STATUS: the user is in `urgent` mode, or else in normal mode.  OPTION: `option` name and
    `value`.  OPEN: `passive`, to the port that the connection has, or to `remote`, a word for an
    address of many (model.flow) in place of the tester's; `local` is OTHER or ANY where it is not
    at the target's first address.  `error` is the failure that the call must meet.
    """

    name: CallName
    data: bytes | None = None
    others: tuple[bytes, ...] = ()
    count: int | None = None
    eof: bool = False
    half_duplex: bool = False
    option: tuple[str, str] | None = None
    error: CallError | None = None
    urgent: bool = False
    passive: bool = False
    remote: str = ""
    local: str = ""

    def __str__(self) -> str:
        words = [str(self.name)]
        if self.urgent:
            words.append(URGENT)
        elif self.name is CallName.STATUS:
            words.append(NORMAL)
        if self.passive:
            words.append(PASSIVE)
        if self.remote:
            words.append(self.remote)
        if self.local:
            words += [LOCAL, self.local]
        if self.data is not None:
            words.append(" or ".join(map(quote, (self.data, *self.others))))
        if self.count is not None:
            words.append(str(self.count))
        if self.eof:
            words.append("EOF")
        if self.half_duplex:
            words.append("half-duplex")
        words.extend(self.option or ())
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Return:
    """The call that is outstanding on the connection returns, as its own step says."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass: `seconds`, beside the target's 2MSL where `twice_msl` is set."""

    seconds: float
    twice_msl: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """Behave as a well-mannered receiver until these octets, or this many, have come.

    Or until one whole HTTP `response` has (to HEAD, if `head`), of that `status`, or where none is
    given of any that tells that the request was understood; or the `eof`.
    """

    data: bytes | None = None
    count: int | None = None
    response: bool = False
    head: bool = False
    status: int | None = None
    eof: bool = False


Action = Send | Expect | ExpectNothing | ExpectOracle | UserCall | Return | Wait | Stream


FLIGHT = "flight"
"""In a check: FlightSize (RFC 5681 2), the octets that the target has sent and that are not acknowledged."""


@dataclass(frozen=True, slots=True)
class Step:
    """One item of `steps`.

    `state` holds the states allowed after the step (more than one where the RFC leaves a
    choice), empty where none is named.  `within`, `after` are seconds from the moment of
    the step before.  `at` names the moment of this step's segment.  `despite` says why the
    step contradicts the RFC on purpose.  `connection` 2, 3, ... is a further connection,
    from a port of its own to the same port of the target.  `count` are the least and the most
    segments that may match an expectation in the whole of `within`.  A call that is `queued` is
    outstanding until a Return.
    """

    action: Action | None
    text: SourceText
    state: tuple[State, ...] = ()
    state_text: SourceText | None = None
    within: float | None = None
    after: float | None = None
    at: str | None = None
    check: Expression | None = None
    check_text: SourceText | None = None
    despite: str | None = None
    connection: int = 1
    count: tuple[int, int] | None = None
    queued: bool = False

    @property
    def patience(self) -> float:
        """How many seconds the step waits at most, whether it says so or not."""
        return DEFAULT_WITHIN if self.within is None else self.within


@dataclass(frozen=True, slots=True)
class TesterOptions:
    """`with:`: what the tester itself offers in its SYN or SYN,ACK, and its window.

    `window` is what the window field of every later segment says unless a step says
    otherwise (after scaling); `isn` is x, None for one drawn from the seed.  `same_port`: both ends
    have the same port; `target_port` is that of a target that listens on none, None for any.
    """

    mss: int | None = None
    window_scale: int | None = None
    timestamps: bool = False
    sack: bool = False
    isn: int | None = None
    window: int = 65535
    same_port: bool = False
    target_port: int | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """`needs:`: what cannot be inferred from the steps."""

    sysctl: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    exclusive: bool = False
    slow: bool = False
    http: bool = False
    disruptive: bool = False

    def words(self) -> list[str]:
        """Return the needs as `needs:` writes them."""
        flags = [word for word in ("exclusive", "slow", "http", "disruptive") if getattr(self, word)]
        return flags + [f"sysctl {name}={value}" for name, value in self.sysctl.items()]


@dataclass(frozen=True, slots=True)
class Case:
    """One variant of one case file.

    `id` is the path under the cases' root without suffix, with the variant's name in
    brackets: `close/rst-in-window[FIN-WAIT-1]`.
    """

    id: str
    title: str
    steps: tuple[Step, ...]
    span: Span
    source: str
    """The whole text of the file."""
    rfc: str = ""
    covers: tuple[str, ...] = ()
    level: Level = Level.MUST
    about: str = ""
    role: Role = Role.SERVER
    start: State = State.LISTEN
    """`from:`, the state in which the steps find the target."""
    ip: tuple[int, ...] = (4, 6)
    options: TesterOptions = TesterOptions()
    needs: Needs = field(default_factory=Needs)
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def theme(self) -> str:
        """The folder the case is in."""
        return self.file_id.rpartition("/")[0] or self.file_id

    @property
    def file_id(self) -> str:
        """The id without the variant."""
        return self.id.partition("[")[0]

    @property
    def calls(self) -> tuple[UserCall, ...]:
        return tuple(step.action for step in self.steps if isinstance(step.action, UserCall))
