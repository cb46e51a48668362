"""The segment that a pattern describes: what a target that does as the case says would send."""

from dataclasses import replace

from conformance.model import expression
from conformance.model.pattern import (
    COOKIE,
    ECN,
    OPTION_ARGUMENTS,
    Controls,
    Field,
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
    COOKIE_LENGTHS,
    OPTION_FAST_OPEN,
    OPTION_TS,
    USUAL,
    Control,
    Envelope,
    Option,
    Segment,
    timestamps_option,
)
from conformance.model.state import State
from conformance.oracle.oracle import Oracle
from conformance.session.actions import Connection
from conformance.session.peer import encode_option, integer
from conformance.session.session import Session

ACK, RST, SYN = Control.ACK, Control.RST, Control.SYN
_ISS = 0x5EED0001
_STEP = 0x10001
_APART = 0x9E3779B1
"""Some odd number: its multiples spread over the whole space."""
_WINDOW = 64240


def initial_sequence_number(connection: Connection) -> int:
    """Return the ISS that a rehearsed target chooses: it moves on, and never by the same step again.

    Other sockets have another one, anywhere.
    """
    number = connection.index + 8 * connection.incarnation
    return (_ISS + connection.index * _APART + number * number * _STEP) % (1 << 32)


def window(connection: Connection) -> int:
    """Return the window that a rehearsed target advertises."""
    last = connection.oracle.tcb.last_window
    return _WINDOW if last is None else last


def described(session: Session, connection: Connection, pattern: Pattern) -> Segment:
    """Build the segment that `pattern` describes, right in all that it leaves open."""
    oracle = connection.oracle
    ctl = _control(pattern, oracle)
    size = _size(session, pattern, oracle)
    correct = oracle.correct(ctl, size or 0)
    iss = oracle.tcb.iss
    right_seq = (
        correct.seq
        if correct.seq is not None
        else (initial_sequence_number(connection) if iss is None else iss)
    )
    seq = _number(session, pattern.get("SEQ"), right_seq, 32)
    ack = _number(session, pattern.get("ACK"), correct.ack or 0, 32) if ctl & ACK else 0
    data = _data(pattern.get("DATA"), oracle, None if ctl & SYN else seq, size)
    good = pattern.get("CKSUM")
    return Segment(
        seq=seq,
        ack=ack,
        ctl=ctl,
        wnd=_number(session, pattern.get("WND"), window(connection), 16),
        urp=_number(session, pattern.get("URP"), _urgent_pointer(oracle, ctl, seq), 16),
        data=data,
        options=_options(session, connection, pattern.get("OPT"), ctl),
        checksum_ok=good is None or (good.value == Word("good")) != good.negated,
        rsv=_number(session, pattern.get("RSV"), 0, 4),
        ttl=_number(session, pattern.get("TTL"), 64, 8),
        tos=_service(session, pattern),
        ident=_number(session, pattern.get("ID"), 0, 16),
        envelope=_envelope(pattern.get("IPOPT")),
    )


def _envelope(written: Field | None) -> Envelope:
    known = written is not None and isinstance(written.value, Word) and not written.negated
    return Envelope(route=str(written.value)) if written is not None and known else USUAL


def _control(pattern: Pattern, oracle: Oracle) -> Control:
    if pattern.control is not None:
        return pattern.control
    form = oracle.expected()
    return form.ctl if form is not None else ACK


def _urgent_pointer(oracle: Oracle, ctl: Control, seq: int) -> int:
    pointers = oracle.tcb.urgent_pointers(seq) if ctl & Control.URG else []
    return pointers[0] if pointers else 0


def _service(session: Session, pattern: Pattern) -> int:
    """Return the octet of TOS, or of DSCP and ECN, that the pattern describes."""
    if pattern.get("TOS") is not None:
        return _number(session, pattern.get("TOS"), 0, 8)
    ecn, codepoint = pattern.get("ECN"), 0
    if ecn is not None and isinstance(ecn.value, Word):
        named = ECN.index(ecn.value.word)
        codepoint = named if not ecn.negated else int(named == 0) * ECN.index("ECT0")
    return _number(session, pattern.get("DSCP"), 0, 6) << 2 | codepoint


def _number(session: Session, field: Field | None, right: int, bits: int) -> int:
    """Return the number a field asks for; the right one wherever the field lets it be."""
    if field is None or isinstance(field.value, Wildcard):
        return right
    value: Value = field.value
    if isinstance(value, expression.Name) and value.name not in session.names:
        return right
    if isinstance(value, Range):
        low, high = integer(value.low, session.names, bits), integer(value.high, session.names, bits)
        inside = low <= right <= high
        return right if inside != field.negated else (high if not field.negated else high + 1)
    wanted = integer(value, session.names, bits)
    if field.negated:
        return right if right != wanted else (wanted + 1) % (1 << bits)
    return wanted


def _size(session: Session, pattern: Pattern, oracle: Oracle) -> int | None:
    """Return how many octets of data the pattern describes; None where it gives the octets."""
    field = pattern.get("DATA")
    if field is None:
        return 0
    value = field.value
    if isinstance(value, Text):
        return len(value.octets)
    tcb = oracle.tcb
    # What a SYN brings nobody has offered a window for.
    window = tcb.unsent if tcb.state is State.SYN_SENT else tcb.usable_window
    most = max(0, min(tcb.snd_mss, tcb.unsent, window))
    if isinstance(value, Range):
        low, high = integer(value.low, session.names, 16), integer(value.high, session.names, 16)
        return min(high, most) if most >= low else low
    if isinstance(value, Some):
        return max(most, 1)
    if isinstance(value, (Wildcard, Controls, Options)):
        return most
    return _number(session, field, most, 16)


def _data(field: Field | None, oracle: Oracle, seq: int | None, size: int | None) -> bytes:
    """Return the data from `seq` on; None is where the stream begins."""
    if field is None:
        return b""
    if isinstance(field.value, Text) and not field.negated:
        return field.value.octets
    tcb = oracle.tcb
    octets = tcb.stream[: size or 0] if seq is None else tcb.octets(seq, size or 0)
    return octets + bytes((size or 0) - len(octets))


def _options(session: Session, connection: Connection, field: Field | None, ctl: Control) -> bytes:
    owed = usual_options(connection, ctl)
    if field is None or field.negated or not isinstance(field.value, Options):
        return owed
    right = {"MSS": (1460,), "TS": (1, connection.oracle.tcb.ts_recent)}
    out = b""
    for item in field.value.items:
        if item.name == COOKIE:
            some = bytes(COOKIE_LENGTHS[0]) if ctl & ACK or item.cookie else b""
            out += Option(OPTION_FAST_OPEN, session.names.cookies.get(item.cookie, some)).encode()
            continue
        usual = right.get(item.name, (0, 0) if item.name == "SACK" else (0,))
        if item.name and not item.arguments:
            filled = tuple(map(_literal, usual)) if OPTION_ARGUMENTS[item.name] != 0 else ()
        else:
            filled = tuple(
                _literal(usual[index % len(usual)]) if isinstance(argument, Wildcard) else argument
                for index, argument in enumerate(item.arguments)
            )
        out += encode_option(replace(item, arguments=filled), session.names)
    named = {item.name for item in field.value.items}
    return out if "TS" in named else out + owed


def _literal(number: int) -> expression.Expression:
    return expression.Number(str(number))


def usual_options(connection: Connection, ctl: Control) -> bytes:
    """Return what a right target adds to every segment: the timestamps that were negotiated."""
    tcb = connection.oracle.tcb
    if ctl & (SYN | RST) or not tcb.negotiated(OPTION_TS):
        return b""
    return timestamps_option(1, tcb.ts_recent).encode()
