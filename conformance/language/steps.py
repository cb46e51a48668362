"""`steps:`, each a mapping with at most one action and what must hold after it."""

from collections.abc import Iterable
from dataclasses import replace

from conformance.language.actions import Acted, act
from conformance.language.schema import ACTION_KEYS, STEP_KEYS, Fields
from conformance.language.segments import FLIGHT_IS, RESERVED, Scope
from conformance.language.source import Log, Mapping, Node, Scalar, Sequence
from conformance.language.values import (
    NAME,
    choice,
    comparison,
    duration,
    flag,
    integer,
    part,
    prose,
    stripped,
)
from conformance.model.case import (
    DEFAULT_WITHIN,
    FLIGHT,
    Action,
    CallName,
    ExpectNothing,
    ExpectOracle,
    Return,
    Step,
    UserCall,
)
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
_MAX_CONNECTION = 256
_MOST_SEGMENTS = 1000


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
        fields.misplaced(name, "write it in one of the steps below")
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
                item.misplaced(name, "the connections are those that are named above")
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
    acted = act(fields, scope, log)
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
        fields.misplaced("queued", "only a RECEIVE is waited for")
    return flag(text, log)


def _count(fields: Fields, action: Action | None, log: Log) -> tuple[int, int] | None:
    text = fields.value("count")
    if text is None:
        return None
    if "expect" not in fields or isinstance(action, ExpectNothing | ExpectOracle):
        fields.misplaced("count", "only segments that are expected are counted")
        return None
    for other in ("after", "at"):
        if other in fields:
            fields.misplaced(other, "segments that are counted have a moment each")
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


# -- time -------------------------------------------------------------------------------
def _bounds(fields: Fields, action: Action | None, log: Log) -> tuple[float | None, float | None]:
    """Return `within` and `after` in seconds, where the step has something that takes time."""
    instant = next((name for name in ("send", "raw", "wait") if name in fields), None)
    if "within" in fields and instant:
        lasts = "a wait lasts as long as it says" if instant == "wait" else "sending takes no time"
        fields.misplaced("within", lasts)
    if "after" in fields and ("expect" not in fields or isinstance(action, ExpectNothing | ExpectOracle)):
        fields.misplaced("after", "only a segment that is expected can come too early")
        return None, None
    within_text, after_text = fields.value("within"), fields.value("after")
    within = duration(within_text, log) if within_text else None
    after = duration(after_text, log) if after_text else None
    limit = within if "within" in fields else DEFAULT_WITHIN
    if after_text and after and limit and after >= limit:
        label = f"within is {within_text.text}" if within_text else "within is 1s unless it is written"
        log.error("impossible-timing", "nothing can come in this time", after_text.span(), label)
    return within, after


def _moment_name(fields: Fields, acted: Acted, scope: Scope, log: Log) -> str | None:
    text = fields.value("at")
    if text is None:
        return None
    if not any(name in fields for name in ACTION_KEYS) or isinstance(acted.action, ExpectNothing):
        fields.misplaced("at", "this step has no moment")
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
