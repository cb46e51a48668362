"""The tester's end of one connection: what a correct peer of the target would send now."""

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.model import expression, notation, payload, seq
from conformance.model.case import TesterOptions
from conformance.model.pattern import (
    ECN,
    FIELDS,
    Controls,
    Octets,
    OptionItem,
    Options,
    Pattern,
    Range,
    Some,
    Text,
    Value,
    Wildcard,
    Word,
)
from conformance.model.segment import (
    NO_CONTROL,
    OPTION_EOL,
    OPTION_FAST_OPEN,
    OPTION_MSS,
    OPTION_NOP,
    OPTION_SACK,
    OPTION_TS,
    OPTION_WS,
    SACK_PERMITTED,
    Control,
    Envelope,
    Option,
    Segment,
    mss_option,
    timestamps_option,
    window_scale_option,
)
from conformance.model.state import WINDOWED, State
from conformance.model.trace import Names
from conformance.oracle.oracle import Oracle

ACK, RST, SYN, URG = Control.ACK, Control.RST, Control.SYN, Control.URG
_ISN_TAKEN = WINDOWED - {State.TIME_WAIT}
"""The states in which no SYN of ours begins a stream."""
_PLAIN_ACK = notation.parse("<CTL=ACK>")
_OPTION_WIDTHS = {OPTION_MSS: (2,), OPTION_WS: (1,), OPTION_TS: (4, 4), OPTION_SACK: ()}
_OPTION_KINDS = {
    "MSS": OPTION_MSS,
    "WS": OPTION_WS,
    "TS": OPTION_TS,
    "SACK": OPTION_SACK,
    "SACK-PERMITTED": SACK_PERMITTED.kind,
    "FAST-OPEN": OPTION_FAST_OPEN,
    "NOP": OPTION_NOP,
    "EOL": OPTION_EOL,
}


def integer(value: Value, names: Mapping[str, float], bits: int) -> int:
    """Evaluate a number of a pattern, modulo 2**bits.  Raises expression.UnboundName."""
    assert not isinstance(value, (Controls, Octets, Options, Range, Some, Text, Wildcard, Word))
    return int(expression.evaluate(value, names, whole=True)) % (1 << bits)


def type_of_service(pattern: Pattern, names: Mapping[str, float]) -> int:
    """Return the octet that TOS, or DSCP and ECN, write; 0 where none is written."""
    numbers = {"TOS": 0, "DSCP": 0}
    for name in numbers:
        item = pattern.get(name)
        if item is not None and not isinstance(item.value, (Range, Wildcard)):
            numbers[name] = integer(item.value, names, FIELDS[name].bits)
    ecn = pattern.get("ECN")
    codepoint = ECN.index(ecn.value.word) if ecn is not None and isinstance(ecn.value, Word) else 0
    return numbers["TOS"] | numbers["DSCP"] << 2 | codepoint


def encode_option(item: OptionItem, names: Names) -> bytes:
    """Return the octets of one option as a pattern writes it.  Raises expression.UnboundName."""
    if not item.name:
        return item.raw
    kind = _OPTION_KINDS[item.name]
    if item.cookie:
        return Option(kind, cookie(item, names)).encode()
    widths = _OPTION_WIDTHS.get(kind, ())
    value = b""
    for index, argument in enumerate(item.arguments):
        width = widths[index] if index < len(widths) else 4
        value += integer(argument, names, 8 * width).to_bytes(width, "big")
    return Option(kind, value).encode()


def cookie(item: OptionItem, names: Names) -> bytes:
    """Return the cookie that a Fast Open option names.  Raises expression.UnboundName."""
    if item.cookie not in names.cookies:
        raise expression.UnboundName(item.cookie)
    return names.cookies[item.cookie]


def option_kind(name: str) -> int:
    """Return the kind of the option of that name."""
    return _OPTION_KINDS[name]


@dataclass(slots=True)
class Peer:
    """Builds the tester's segments on one connection.

    `base` is the name of its initial sequence number, x or x2, ...; `key` seeds the pattern.
    """

    oracle: Oracle
    names: Names
    options: TesterOptions
    base: str
    key: int
    isn: int = 0
    next: int = 0
    """SEQ after the last segment sent: what a correct next one has when no connection says."""
    acknowledge: int = 0
    heard_timestamp: int = 0
    past: int = 1
    """How far past the last octet of urgent data its urgent pointer points."""
    letters: bool = False
    """Whether who reads the data minds control characters."""

    def heard(self, segment: Segment) -> None:
        """A segment came from the target."""
        if segment.has(SYN) or self.oracle.tcb.iss is not None:
            tcb = self.oracle.tcb
            self.acknowledge = tcb.snd_nxt if tcb.iss is not None else segment.end
        if segment.timestamps:
            self.heard_timestamp = segment.timestamps[0]

    def segment(self, pattern: Pattern, now: float) -> Segment:
        """Return the segment that `pattern` writes, with correct values for what it omits.

        Raises expression.UnboundName for a name that has no value yet.
        """
        if pattern.get("ICMP") is not None:
            return self._returned(pattern)
        control = pattern.control
        ctl = ACK if control is None else control
        given = {item.name: item.value for item in pattern.fields}
        sequence = self._number(given, "SEQ", 32, self._correct_seq(ctl))
        if ctl & SYN and self.oracle.tcb.state not in _ISN_TAKEN:
            self.isn = sequence
        checksum = given.get("CKSUM")
        explicit = None
        if checksum is not None and not isinstance(checksum, Word):
            explicit = integer(checksum, self.names, 16)
        data = self._data(given.get("DATA"), sequence, ctl)
        segment = Segment(
            seq=sequence,
            ack=self._number(given, "ACK", 32, self._correct_ack() if ctl & ACK else 0),
            ctl=ctl,
            wnd=self._number(given, "WND", 16, self.options.window),
            urp=self._number(given, "URP", 16, self._urgent_pointer(ctl, data)),
            data=data,
            options=self._options(given.get("OPT"), ctl, now),
            checksum_ok=checksum is None or checksum == Word("good"),
            checksum=explicit,
            doff=self._number(given, "DOFF", 4, 0) if "DOFF" in given else None,
            rsv=self._number(given, "RSV", 4, 0),
            ttl=self._number(given, "TTL", 8, 64),
            tos=type_of_service(pattern, self.names),
            envelope=self._envelope(given),
        )
        if segment.envelope.stray:
            return segment
        self.next = segment.end
        return segment

    def _returned(self, pattern: Pattern) -> Segment:
        """Return the segment of the target, from SEQ on, that an ICMP error brings back to it."""
        given = {item.name: item.value for item in pattern.fields}
        tcb = self.oracle.tcb
        sequence = self._number(given, "SEQ", 32, tcb.snd_una)
        syn = tcb.iss is not None and sequence == tcb.iss
        size = min(seq.diff(tcb.snd_nxt, sequence), tcb.snd_mss)
        passive = tcb.state is not State.SYN_SENT
        return Segment(
            seq=sequence,
            ack=tcb.rcv_nxt if passive else 0,
            ctl=(SYN if syn else NO_CONTROL) | (ACK if passive else NO_CONTROL),
            data=b"" if syn else tcb.octets(sequence, max(size, 0)),
            checksum_ok=given.get("CKSUM", Word("good")) == Word("good"),
            ttl=self._number(given, "TTL", 8, 64),
            envelope=self._envelope(given),
        )

    def _envelope(self, given: Mapping[str, Value]) -> Envelope:
        options = given.get("IPOPT")
        return Envelope(
            error=str(given.get("ICMP", "")),
            mtu=self._number(given, "MTU", 16, 0),
            source=str(given.get("SRC", "")),
            destination=str(given.get("DST", "")),
            options=options.raw if isinstance(options, Octets) else b"",
            route=str(options) if isinstance(options, Word) else "",
            fragment=self._number(given, "FRAG", 16, 0) or None,
        )

    def acknowledgment(self, now: float) -> Segment:
        """Return a plain, correct ACK of all that came."""
        return self.segment(_PLAIN_ACK, now)

    def _number(self, given: Mapping[str, Value], name: str, bits: int, default: int) -> int:
        return integer(given[name], self.names, bits) if name in given else default

    def _correct_seq(self, ctl: Control) -> int:
        tcb = self.oracle.tcb
        if ctl & SYN and tcb.state not in WINDOWED:
            return int(self.names[self.base])
        if tcb.state in WINDOWED:
            return tcb.rcv_nxt
        return self.next or int(self.names[self.base])

    def _correct_ack(self) -> int:
        tcb = self.oracle.tcb
        return tcb.snd_nxt if tcb.iss is not None else self.acknowledge

    def _urgent_pointer(self, ctl: Control, data: bytes) -> int:
        """Return the way to the end of the data, where that is urgent (RFC 9293 3.8.5)."""
        return bool(ctl & SYN) + len(data) - 1 + self.past if ctl & URG and data else 0

    def _data(self, value: Value | None, sequence: int, ctl: Control) -> bytes:
        if value is None:
            return b""
        if isinstance(value, Text):
            return value.octets
        first = seq.add(sequence, 1) if ctl & SYN else sequence
        offset = seq.diff(first, seq.add(self.isn, 1))
        make = payload.letters if self.letters else payload.pattern
        return make(offset, integer(value, self.names, 16), self.key)

    def _options(self, value: Value | None, ctl: Control, now: float) -> bytes:
        if isinstance(value, Options):
            return b"".join(encode_option(item, self.names) for item in value.items)
        options: list[Option] = []
        if ctl & SYN:
            if self.options.mss is not None:
                options.append(mss_option(self.options.mss))
            if self.options.sack:
                options.append(SACK_PERMITTED)
            if self.options.window_scale is not None:
                options.append(window_scale_option(self.options.window_scale))
        if self.options.timestamps and not (ctl & RST):
            value_now = int(now * 1000) % seq.MODULUS
            options.append(timestamps_option(value_now, self.heard_timestamp if ctl & ACK else 0))
        return b"".join(option.encode() for option in options)
