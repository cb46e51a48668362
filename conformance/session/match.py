"""Does a segment match what a case expects?  Field by field, never by a silent wildcard."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from conformance.model import expression, seq
from conformance.model.expression import Name
from conformance.model.pattern import (
    COOKIE,
    ECN,
    FIELDS,
    OPTION_ARGUMENTS,
    Field,
    OptionItem,
    Options,
    Pattern,
    Range,
    Some,
    Text,
    Value,
    Wildcard,
    Word,
    quote,
)
from conformance.model.segment import (
    COOKIE_LENGTHS,
    OPTION_FAST_OPEN,
    OPTION_SACK,
    OPTION_TS,
    Control,
    Segment,
    control_text,
    decode_options,
)
from conformance.model.trace import Names
from conformance.oracle.oracle import Correct
from conformance.session.peer import encode_option, integer, option_kind

ACK, PSH = Control.ACK, Control.PSH
Bindings = dict[str, int | bytes]
"""What names are given: numbers, and cookies."""
ALWAYS = ("CTL", "SEQ", "ACK", "DATA")
"""Fields that are judged whether they are written or not."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A field that differs; `field` is None where it was not written."""

    name: str
    field: Field | None
    wanted: str
    came: str


@dataclass(slots=True)
class Match:
    """The comparison of one segment with one pattern, and the names it would bind."""

    mismatches: list[Mismatch] = field(default_factory=list)
    bindings: Bindings = field(default_factory=dict)

    def __bool__(self) -> bool:
        return not self.mismatches


def match(pattern: Pattern, segment: Segment, correct: Correct, names: Names) -> Match:
    """Compare; `correct` holds the right SEQ and ACK for a segment of this kind (None: any)."""
    result = Match()
    for name in (*ALWAYS, *(item.name for item in pattern.fields if item.name not in ALWAYS)):
        written = pattern.get(name)
        wrong = _JUDGES[name](written, segment, correct, names, result.bindings)
        if wrong is not None:
            result.mismatches.append(Mismatch(name, written, *wrong))
    return result


Wrong = tuple[str, str] | None
"""(what was wanted, what came), or None where the field is right."""


class _Judge(Protocol):
    """Judges one field, as written or (None) left out."""

    def __call__(
        self,
        written: Field | None,
        segment: Segment,
        correct: Correct,
        names: Names,
        bindings: Bindings,
        /,
    ) -> Wrong: ...


def _control(written: Field | None, segment: Segment, *_: object) -> Wrong:
    pattern = Pattern((written,)) if written else Pattern(())
    wanted = ACK if pattern.control is None else pattern.control
    came = segment.ctl
    if not wanted & PSH:
        came &= ~PSH
    if written and isinstance(written.value, Wildcard):
        return None
    if written and written.negated:
        excluded = getattr(written.value, "bits", Control(0))
        return (f"anything but {written.value}", control_text(came)) if came & excluded else None
    return None if came == wanted else (control_text(wanted), control_text(came))


def _sequence(
    written: Field | None, segment: Segment, correct: Correct, names: Names, bindings: Bindings
) -> Wrong:
    if written:
        return _judge_number(written, segment.seq, names, bindings, True)
    if correct.seq is None or segment.seq == correct.seq:
        return None
    return names.show(correct.seq), names.show(segment.seq)


def _acknowledgment(
    written: Field | None, segment: Segment, correct: Correct, names: Names, bindings: Bindings
) -> Wrong:
    if written:
        if not segment.has(ACK) and not isinstance(written.value, Wildcard):
            return str(written.value), "no ACK"
        return _judge_number(written, segment.ack, names, bindings, True)
    if correct.ack is None or not segment.has(ACK) or segment.ack == correct.ack:
        return None
    return names.show(correct.ack), names.show(segment.ack)


def _data(
    written: Field | None, segment: Segment, correct: Correct, names: Names, bindings: Bindings
) -> Wrong:
    if written is None:
        return ("no data", f"{len(segment.data)} octets") if segment.data else None
    if isinstance(written.value, Some):
        return None if segment.data else ("data", "no data")
    if isinstance(written.value, Text):
        same = segment.data == written.value.octets
        if same != written.negated:
            return None
        return str(written.value), quote(segment.data[:40]) if segment.data else "no data"
    wrong = _judge_number(written, len(segment.data), names, bindings, False)
    return (f"{wrong[0]} octets", f"{wrong[1]} octets") if wrong else None


def _options(
    written: Field | None, segment: Segment, correct: Correct, names: Names, bindings: Bindings
) -> Wrong:
    assert written is not None
    if isinstance(written.value, Wildcard):
        return None
    assert isinstance(written.value, Options)
    came = show_options(segment)
    if not written.value.items:
        return None if (came == "none") != written.negated else (str(written.value), came)
    for item in written.value.items:
        if _has_option(item, segment, names) == written.negated:
            return ("no " if written.negated else "") + str(item), came
        if item.cookie and item.cookie not in names.cookies:
            bindings[item.cookie] = segment.cookie or b""
    return None


def _has_option(item: OptionItem, segment: Segment, names: Names) -> bool:
    if not item.name:
        return item.raw in segment.options
    if item.name in ("NOP", "EOL"):
        return encode_option(item, names) in segment.options
    value = segment.option(option_kind(item.name))
    if value is None:
        return False
    if option_kind(item.name) == OPTION_FAST_OPEN:
        legal = len(value) in COOKIE_LENGTHS
        if item.cookie in names.cookies:
            return value == names.cookies[item.cookie]
        return legal if item.cookie else legal or not (value or segment.has(ACK))
    for index, argument in enumerate(item.arguments):
        if isinstance(argument, Wildcard):
            continue
        width = 4 if option_kind(item.name) in (OPTION_TS, OPTION_SACK) else len(value)
        part = value[index * width : (index + 1) * width]
        if int.from_bytes(part, "big") != integer(argument, names, 8 * width):
            return False
    return True


def show_options(segment: Segment) -> str:
    """Return the options of a segment as the notation writes them."""
    shown = []
    known = {option_kind(name): name for name in OPTION_ARGUMENTS}
    for option in decode_options(segment.options)[0]:
        name = known.get(option.kind, "")
        if not name or (option.value and (name == COOKIE or OPTION_ARGUMENTS[name] == 0)):
            shown.append("0x" + option.encode().hex(" ").upper())
            continue
        width = 4 if option.kind in (OPTION_TS, OPTION_SACK) else max(len(option.value), 1)
        numbers = [
            str(int.from_bytes(option.value[at : at + width], "big"))
            for at in range(0, len(option.value), width)
        ]
        shown.append(" ".join([known[option.kind], *numbers]))
    return ",".join(shown) or "none"


def _checksum(written: Field | None, segment: Segment, *_: object) -> Wrong:
    assert written is not None
    good = written.value == Word("good")
    if (segment.checksum_ok == good) != written.negated:
        return None
    return str(written.value), "good" if segment.checksum_ok else "bad"


def _codepoint(written: Field | None, segment: Segment, *_: object) -> Wrong:
    assert written is not None
    came = ECN[segment.tos & 3]
    if isinstance(written.value, Wildcard) or (written.value == Word(came)) != written.negated:
        return None
    return ("not " if written.negated else "") + str(written.value), came


def _ip_options(written: Field | None, segment: Segment, *_: object) -> Wrong:
    assert written is not None
    came = segment.envelope.route
    if isinstance(written.value, Wildcard) or (written.value == Word(came)) != written.negated:
        return None
    return ("not " if written.negated else "") + str(written.value), came or "neither route nor record"


def _plain(attribute: Callable[[Segment], int]) -> _Judge:
    def judge(
        written: Field | None, segment: Segment, correct: Correct, names: Names, bindings: Bindings
    ) -> Wrong:
        assert written is not None
        return _judge_number(written, attribute(segment), names, bindings, False)

    return judge


def _data_offset(segment: Segment) -> int:
    return segment.doff if segment.doff is not None else 5 + (len(segment.options) + 3) // 4


def _judge_number(written: Field, came: int, names: Names, bindings: Bindings, sequence: bool) -> Wrong:
    """Judge one number; a bare name without a value is bound to what came."""
    value: Value = written.value
    if isinstance(value, Wildcard):
        return None
    if isinstance(value, Name) and value.name not in names:
        bindings[value.name] = came
        return None
    bits = 32 if sequence else max(FIELDS[written.name].bits, 16)
    shown = names.show(came) if sequence else str(came)
    try:
        if isinstance(value, Range):
            low, high = integer(value.low, names, bits), integer(value.high, names, bits)
            inside = seq.in_window(came, low, seq.diff(high, low) + 1) if sequence else low <= came <= high
        else:
            inside = came == integer(value, names, bits)
    except expression.UnboundName as error:
        return f"{value} ({error} has no value)", shown
    if inside != written.negated:
        return None
    return ("not " if written.negated else "") + str(value), shown


_JUDGES: dict[str, _Judge] = {
    "CTL": _control,
    "SEQ": _sequence,
    "ACK": _acknowledgment,
    "DATA": _data,
    "OPT": _options,
    "CKSUM": _checksum,
    "WND": _plain(lambda segment: segment.wnd),
    "URP": _plain(lambda segment: segment.urp),
    "DOFF": _plain(_data_offset),
    "RSV": _plain(lambda segment: segment.rsv),
    "TTL": _plain(lambda segment: segment.ttl),
    "ID": _plain(lambda segment: segment.ident),
    "TOS": _plain(lambda segment: segment.tos),
    "DSCP": _plain(lambda segment: segment.tos >> 2),
    "ECN": _codepoint,
    "IPOPT": _ip_options,
}
