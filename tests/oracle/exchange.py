"""Writes an exchange with the oracle in the RFC's notation, numbers as in its figures."""

from conformance.model import notation
from conformance.model.case import CallName, UserCall
from conformance.model.pattern import Text
from conformance.model.segment import NO_CONTROL, Segment
from conformance.model.state import Role, State
from conformance.model.trace import Names
from conformance.oracle.fast_open import Cookies
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.oracle.oracle import Oracle
from conformance.oracle.prediction import Explanation, Violation
from conformance.session.peer import encode_option, integer


def segment(text: str, **more: object) -> Segment:
    """Return the segment that a pattern of plain numbers writes."""
    pattern = notation.parse(text)
    given = {item.name: item.value for item in pattern.fields}
    data = given.get("DATA")
    options = given.get("OPT")
    numbers = {
        name.lower(): integer(given[name], {}, 32)
        for name in ("SEQ", "ACK", "WND", "URP", "DOFF", "RSV")
        if name in given
    }
    fields: dict[str, object] = {"seq": 0, "ack": 0, **numbers, **more}
    return Segment(
        ctl=pattern.control or NO_CONTROL,
        data=data.octets if isinstance(data, Text) else b"",
        options=b"".join(encode_option(item, Names()) for item in getattr(options, "items", ())),
        **fields,  # type: ignore[arg-type]
    )


class Exchange:
    """One connection under the oracle's eyes; time moves only when told to."""

    def __init__(
        self,
        role: Role = Role.SERVER,
        *,
        listening: bool = True,
        family: int = 4,
        profile: Profile = DEFAULT_PROFILE,
        cookies: Cookies | None = None,
    ) -> None:
        self.oracle = Oracle(role, family, listening=listening, profile=profile, cookies=cookies)
        self.now = 0.0

    def send(self, text: str, **more: object) -> "Exchange":
        self.oracle.inject(segment(text, **more), self.now)
        return self

    def call(self, name: CallName, data: bytes = b"", *, half_duplex: bool = False) -> "Exchange":
        self.oracle.call(UserCall(name, data=data or None, half_duplex=half_duplex), self.now, data)
        return self

    def option(self, name: str, value: str) -> "Exchange":
        self.oracle.call(UserCall(CallName.OPTION, option=(name, value)), self.now)
        return self

    def judge(self, text: str, **more: object) -> Explanation | Violation:
        return self.oracle.observe(segment(text, **more), self.now)

    def comes(self, text: str, **more: object) -> "Exchange":
        judged = self.judge(text, **more)
        assert isinstance(judged, Explanation), judged
        return self

    def wrong(self, text: str, field: str = "", **more: object) -> Violation:
        judged = self.judge(text, **more)
        assert isinstance(judged, Violation), judged
        if field:
            assert judged.field == field, judged
        return judged

    def later(self, seconds: float) -> "Exchange":
        self.now += seconds
        return self

    def state(self, *states: State) -> "Exchange":
        assert self.oracle.states() == frozenset(states), self.oracle.states()
        return self


def established(**more: object) -> Exchange:
    """A passive connection, the tester at 101, the target at 301."""
    exchange = Exchange(**more)  # type: ignore[arg-type]
    exchange.send("<SEQ=100><CTL=SYN>").comes("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    return exchange.send("<SEQ=101><ACK=301><CTL=ACK>").state(State.ESTABLISHED)
