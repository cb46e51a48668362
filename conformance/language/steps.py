"""`steps:`, each a mapping with at most one action and what must hold after it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from conformance.language import calls
from conformance.language.schema import ACTION_KEYS, STEP_KEYS, Fields
from conformance.language.segments import FLIGHT_IS, RESERVED, Scope, check_expect, check_send
from conformance.language.source import Log, Mapping, Node, Scalar, Sequence
from conformance.language.values import (
    NAME,
    choice,
    comparison,
    duration,
    flag,
    integer,
    part,
    pattern,
    problems,
    prose,
    stripped,
    suggestion,
)
from conformance.model import expression
from conformance.model.case import (
    DEFAULT_WITHIN,
    FLIGHT,
    Action,
    Alternative,
    CallError,
    CallName,
    Expect,
    ExpectNothing,
    ExpectOracle,
    Return,
    Send,
    Step,
    Stream,
    UserCall,
    Wait,
)
from conformance.model.notation import NotationError, parse_string
from conformance.model.pattern import Pattern
from conformance.model.source import SourceText
from conformance.model.state import State

_STATES = {str(state): state for state in State}
_STATE_NICKNAMES = {
    "SYN-RCVD": "SYN-RECEIVED",
    "SYN-RECV": "SYN-RECEIVED",
    "ESTAB": "ESTABLISHED",
    "CLOSE": "CLOSED",
}
"""What the sockets world calls states that RFC 9293 spells otherwise."""
_ERRORS = {str(error): error for error in CallError}
_WORDS: dict[str, Action] = {"nothing": ExpectNothing(), "oracle": ExpectOracle()}
_MAX_CONNECTION = 256
_MOST_SEGMENTS = 1000
_MAX_SEGMENT = 65515
"""Octets: an IPv4 packet less its header."""


@dataclass(frozen=True, slots=True)
class _Acted:
    """What the action of a step comes to: it, its text, and the names it binds."""

    action: Action | None
    text: SourceText
    bound: frozenset[str] = frozenset()


def read_steps(node: Node, key: SourceText, ip: tuple[int, ...], log: Log) -> tuple[Step, ...]:
    """Return the steps of a case over these IP versions; those with errors are left out, and reported."""
    if not isinstance(node, Sequence) or not node.items:
        label = "write - send: ... and so on below"
        log.error("no-steps", "steps is a list of one or more steps", key.span(), label)
        return ()
    fields = [_fields(item, log) for item in node.items]
    # The names of every connection that is used are known from the start.
    quiet = Log(log.path, "")
    used = [number for item in fields if item is not None for number in _connections(item, quiet)]
    scope = Scope(used, ip)
    read: list[Step | None] = []
    for item in fields:
        if item is not None:
            read += _block(item, scope, log) if "steps" in item else [_step(item, scope, log)]
    steps = tuple(step for step in read if step is not None)
    if len(steps) == len(read):
        _check_returns(steps, log)
    return steps


def _check_returns(steps: Iterable[Step], log: Log) -> None:
    """Report a call whose return no step takes, and a step that has none to take."""
    outstanding: dict[int, SourceText] = {}
    for step in steps:
        if step.queued:
            if step.connection in outstanding:
                label = "take what the one before returns first"
                log.error("two-outstanding", "two calls are outstanding at once", step.text.span(), label)
            outstanding[step.connection] = step.text
        elif isinstance(step.action, Return) and not outstanding.pop(step.connection, None):
            label = "write queued: yes at a call before"
            log.error("nothing-outstanding", "no call is outstanding here", step.text.span(), label)
    for text in outstanding.values():
        label = "write return: RECEIVE in a later step"
        log.error("never-returns", "no step takes what this call returns", text.span(), label)


def _block(fields: Fields, scope: Scope, log: Log) -> list[Step | None]:
    """Return the steps of a block, for one of its connections after another."""
    for name in fields.nodes.keys() - {"steps", "connection"}:
        _misplaced(fields, name, "write it in one of the steps below", log)
    if "connection" not in fields:
        label = "write for example connection: 1..100"
        log.error("missing-key", "these steps are for several connections", fields.text.span(), label)
    node = fields.nodes["steps"]
    if not isinstance(node, Sequence) or not node.items:
        log.error("no-steps", "steps is a list of one or more steps", fields.keys["steps"].span())
        return []
    inner = [item for item in (_fields(item, log) for item in node.items) if item is not None]
    for item in inner:
        for name in ("connection", "steps"):
            if name in item:
                _misplaced(item, name, "the connections are those that are named above", log)
    steps = [_step(item, scope, log) for item in inner]
    return [
        step and replace(step, connection=number) for number in _connections(fields, log) for step in steps
    ]


def _fields(node: Node, log: Log) -> Fields | None:
    if isinstance(node, Mapping):
        return Fields(node, STEP_KEYS, "a step", log)
    word = node.text.text.partition(" ")[0] if isinstance(node, Scalar) else ""
    label = f"is a colon missing? {word}: ..." if word in STEP_KEYS else "write for example send: <CTL=SYN>"
    log.error("bad-step", "a step is a key with its value", node.text.span(), label)
    return None


def _step(fields: Fields, scope: Scope, log: Log) -> Step | None:
    before = log.count
    acted = _act(fields, scope, log)
    scope.bind(acted.bound)
    at = _moment_name(fields, acted, scope, log)
    check_text = fields.value("check")
    check = comparison(check_text, log) if check_text else None
    if check is not None and check_text is not None:
        scope.check_comparison(check, check_text, log)
    within, after = _bounds(fields, acted.action, log)
    count = _count(fields, acted.action, log)
    queued = _queued(fields, acted.action, log)
    despite = _despite(fields, log)
    state = read_states(fields.values("state"), log)
    state_values = fields.scalars("state")
    connection = _connection(fields, log)
    if log.count > before:
        return None
    return Step(
        action=acted.action,
        text=acted.text,
        state=state,
        state_text=stripped(state_values[0].text) if state_values else None,
        within=within,
        after=after,
        at=at,
        check=check,
        check_text=check_text,
        despite=despite,
        connection=connection,
        count=count,
        queued=queued,
    )


def _queued(fields: Fields, action: Action | None, log: Log) -> bool:
    text = fields.value("queued")
    if text is None:
        return False
    if action is not None and not (isinstance(action, UserCall) and action.name is CallName.RECEIVE):
        _misplaced(fields, "queued", "only a RECEIVE is waited for", log)
    return flag(text, log)


def _count(fields: Fields, action: Action | None, log: Log) -> tuple[int, int] | None:
    text = fields.value("count")
    if text is None:
        return None
    if "expect" not in fields or isinstance(action, ExpectNothing | ExpectOracle):
        _misplaced(fields, "count", "only segments that are expected are counted", log)
        return None
    for other in ("after", "at"):
        if other in fields:
            _misplaced(fields, other, "segments that are counted have a moment each", log)
    return _range(text, 0, _MOST_SEGMENTS, log)


def _range(text: SourceText, lowest: int, highest: int, log: Log) -> tuple[int, int] | None:
    """Return both ends of `2..5`, or twice the one number that there is."""
    low, dots, high = text.text.partition("..")
    ends = [part(text, 0, len(low)), part(text, len(text.text) - len(high if dots else low), len(text.text))]
    least, most = (integer(stripped(end), lowest, highest, log) for end in ends)
    if least is None or most is None:
        return None
    if least > most:
        message, label = f"no number is in the range {text.text}", f"did you mean {high}..{low}?"
        log.error("empty-range", message, text.span(), label)
        return None
    return least, most


def _despite(fields: Fields, log: Log) -> str | None:
    text = fields.value("despite")
    if text is None:
        return None
    if len(text.text.split()) < 2:
        message = "despite says why the step contradicts the RFC"
        log.error("no-reason", message, text.span(), "write a reason that a reader understands")
    return prose(text)


def read_states(texts: list[SourceText], log: Log) -> tuple[State, ...]:
    """Return the states that are named."""
    return tuple(state for state in (read_state(text, log) for text in texts) if state is not None)


def read_state(text: SourceText, log: Log) -> State | None:
    """Return one state in RFC 9293's spelling."""
    nickname = _STATE_NICKNAMES.get(text.text.upper().replace("_", "-"))
    if nickname:
        message = f"no state is named {text.text}"
        log.error("unknown-state", message, text.span(), f"did you mean {nickname}?")
        return None
    return choice(text, _STATES, "unknown-state", "no state", log)


def _connection(fields: Fields, log: Log) -> int:
    text = fields.value("connection")
    return (integer(text, 1, _MAX_CONNECTION, log) or 1) if text else 1


def _connections(fields: Fields, log: Log) -> range:
    """Return the connections that a step, or a block of steps, is for."""
    text = fields.value("connection")
    if text is None or "steps" not in fields:
        number = _connection(fields, log)
        return range(number, number + 1)
    ends = _range(text, 1, _MAX_CONNECTION, log)
    return range(ends[0], ends[1] + 1) if ends else range(0)


# -- the action -------------------------------------------------------------------------
def _act(fields: Fields, scope: Scope, log: Log) -> _Acted:
    actions = [name for name in ACTION_KEYS if name in fields]
    for extra in actions[1:]:
        first, second = sorted((actions[0], extra), key=list(fields.nodes).index)
        message = f"{second} in a step that has {first} already"
        log.error("two-actions", message, fields.keys[second].span(), "begin a new step: - " + second)
    if "error" in fields and "call" not in fields:
        _misplaced(fields, "error", "only a call can fail", log)
    if not actions:
        return _no_action(fields, log)
    match actions[0]:
        case "expect":
            return _expect(fields, scope, log)
        case "stream":
            return _stream(fields, log)
    text = fields.value(actions[0])
    if text is None:
        return _Acted(None, fields.text)
    match actions[0]:
        case "send":
            return _Acted(_send(text, scope, log), text)
        case "raw":
            return _Acted(_raw(text, log), text)
        case "call":
            return _Acted(_call(fields, text, scope, log), text)
        case "return":
            known: dict[str, Action] = {str(CallName.RECEIVE): Return()}
            return _Acted(choice(text, known, "unknown-call", "no call that can be outstanding", log), text)
    seconds = duration(text, log)
    return _Acted(None if seconds is None else Wait(seconds), text)


def _no_action(fields: Fields, log: Log) -> _Acted:
    state, check = fields.scalars("state"), fields.value("check")
    if "state" not in fields and "check" not in fields and not fields.unknown:
        label = "write one of " + ", ".join((*ACTION_KEYS, "state", "check"))
        log.error("empty-step", "this step does nothing", fields.text.span(), label)
    text = stripped(state[0].text) if state else check
    return _Acted(None, text or fields.text)


def _send(text: SourceText, scope: Scope, log: Log) -> Send | None:
    parsed = pattern(text, log)
    if parsed is None:
        return None
    check_send(parsed, text, scope, log)
    return Send(parsed, text)


def _raw(text: SourceText, log: Log) -> Send | None:
    """Octets in hex: pairs of digits, with white space and 0x wherever they help."""
    octets = b""
    for match in re.finditer(r"\S+", text.text):
        digits = match[0].removeprefix("0x")
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", digits):
            message = f"{match[0]} is not octets in hex"
            span = text.span(match.start(), match.end())
            log.error("bad-octets", message, span, "an octet is two digits: 0a 1b, or 0a1b")
            return None
        octets += bytes.fromhex(digits)
    if len(octets) > _MAX_SEGMENT:
        label = f"at most {_MAX_SEGMENT} octets"
        log.error("bad-octets", "this does not fit in a packet", text.span(), label)
        return None
    return Send(Pattern(()), text, octets)


def _call(fields: Fields, text: SourceText, scope: Scope, log: Log) -> UserCall | None:
    error_text = fields.value("error")
    error = choice(error_text, _ERRORS, "unknown-error", "no error", log) if error_text else None
    return calls.parse(text, error, scope.ip, log)


def _expect(fields: Fields, scope: Scope, log: Log) -> _Acted:
    texts = [stripped(item.text) for item in fields.scalars("expect")]
    if not texts:
        return _Acted(None, fields.text)
    if len(texts) == 1 and texts[0].text in _WORDS:
        return _Acted(_WORDS[texts[0].text], texts[0])
    alternatives: list[Alternative] = []
    bound: list[set[str]] = []
    for text in texts:
        if "<" not in text.text and NAME.fullmatch(text.text):
            message = f"{text.text} cannot be expected"
            label = suggestion(text.text, _WORDS) or "write a segment, nothing or oracle"
            if text.text in _WORDS:
                label = "it cannot be one of several alternatives"
            log.error("bad-expectation", message, text.span(), label)
            continue
        parsed = pattern(text, log)
        if parsed is not None:
            bound.append(check_expect(parsed, text, scope, log))
            alternatives.append(Alternative(parsed, text))
        else:
            # What this would have bound is not reported again wherever it is used.
            scope.bind(match[0] for match in expression.NAME.finditer(text.text))
    if not alternatives:
        return _Acted(None, texts[0])
    # A name that only some alternatives bind may have no value when it is used.
    return _Acted(Expect(tuple(alternatives)), texts[0], frozenset(set.intersection(*bound)))


def _stream(fields: Fields, log: Log) -> _Acted:
    """A text in double quotes, which are YAML's too: it is read as it is written."""
    node = fields.scalar("stream")
    if node is None:
        return _Acted(None, fields.text)
    text = stripped(node.text)
    written = stripped(node.written)
    if written.text.startswith('"') or text.text.startswith('"'):
        source = written if written.text.startswith('"') else text
        try:
            data = parse_string(source.text).octets
        except NotationError as wrong:
            problems(source, wrong.problems, log)
            return _Acted(None, source)
        return _Acted(Stream(data=data), source)
    if node.quoted:
        return _Acted(Stream(data=node.text.text.encode()), text)
    response = re.fullmatch(r"RESPONSE(\s+HEAD)?(?:\s+([1-5]\d\d))?", text.text)
    if response or text.text == "EOF":
        if not response:
            return _Acted(Stream(eof=True), text)
        status = int(response[2]) if response[2] else None
        return _Acted(Stream(response=True, head=bool(response[1]), status=status), text)
    if not text.text[0].isdigit():
        label = f'a text is in double quotes: "{text.text}"'
        log.error("bad-stream", "stream takes a text or a number of octets", text.span(), label)
        return _Acted(None, text)
    count = integer(text, 1, 1 << 24, log)
    return _Acted(None if count is None else Stream(count=count), text)


# -- time -------------------------------------------------------------------------------
def _misplaced(fields: Fields, name: str, why: str, log: Log) -> None:
    log.error("misplaced-key", f"{name} means nothing here", fields.keys[name].span(), why)


def _bounds(fields: Fields, action: Action | None, log: Log) -> tuple[float | None, float | None]:
    """Return `within` and `after` in seconds, where the step has something that takes time."""
    instant = next((name for name in ("send", "raw", "wait") if name in fields), None)
    if "within" in fields and instant:
        lasts = "a wait lasts as long as it says" if instant == "wait" else "sending takes no time"
        _misplaced(fields, "within", lasts, log)
    if "after" in fields and ("expect" not in fields or isinstance(action, ExpectNothing | ExpectOracle)):
        _misplaced(fields, "after", "only a segment that is expected can come too early", log)
        return None, None
    within_text, after_text = fields.value("within"), fields.value("after")
    within = duration(within_text, log) if within_text else None
    after = duration(after_text, log) if after_text else None
    limit = within if "within" in fields else DEFAULT_WITHIN
    if after_text and after and limit and after >= limit:
        label = f"within is {within_text.text}" if within_text else "within is 1s unless it is written"
        log.error("impossible-timing", "nothing can come in this time", after_text.span(), label)
    return within, after


def _moment_name(fields: Fields, acted: _Acted, scope: Scope, log: Log) -> str | None:
    text = fields.value("at")
    if text is None:
        return None
    if not any(name in fields for name in ACTION_KEYS) or isinstance(acted.action, ExpectNothing):
        _misplaced(fields, "at", "this step has no moment", log)
        return None
    name = text.text
    if not NAME.fullmatch(name) or name == "and":
        label = "write a letter, then letters and digits, such as t1"
        log.error("bad-name", f"{name} cannot be a name", text.span(), label)
        return None
    if name in scope.names or name == FLIGHT:
        label = "this is an initial sequence number" if name in RESERVED else "choose another"
        label = FLIGHT_IS if name == FLIGHT else label
        log.error("duplicate-name", f"{name} has a value already", text.span(), label)
        return None
    scope.bind([name])
    return name
