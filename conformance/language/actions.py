"""The action of a step: what is sent, expected, called, waited for."""

import re
from dataclasses import dataclass

from conformance.language import calls
from conformance.language.schema import ACTION_KEYS, Fields
from conformance.language.segments import Scope, check_expect, check_send
from conformance.language.source import Log
from conformance.language.values import (
    NAME,
    choice,
    duration,
    integer,
    part,
    pattern,
    problems,
    stripped,
    suggestion,
)
from conformance.model import expression
from conformance.model.case import (
    Action,
    Alternative,
    CallError,
    CallName,
    Expect,
    ExpectNothing,
    ExpectOracle,
    Return,
    Send,
    Stream,
    Wait,
)
from conformance.model.notation import NotationError, parse_string
from conformance.model.pattern import Pattern
from conformance.model.source import SourceText

_ERRORS = {str(error): error for error in CallError}
_WORDS: dict[str, Action] = {"nothing": ExpectNothing(), "oracle": ExpectOracle()}
_TWICE_MSL = re.compile(r"2MSL(\s*\+\s*|$)")
_MAX_SEGMENT = 65515
"""Octets: an IPv4 packet less its header."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What the action of a step comes to: it, its text, and the names it binds."""

    action: Action | None
    text: SourceText
    bound: frozenset[str] = frozenset()


def act(fields: Fields, scope: Scope, log: Log) -> Acted:
    """Return the action of a step, and report a second one."""
    actions = [name for name in ACTION_KEYS if name in fields]
    for extra in actions[1:]:
        first, second = sorted((actions[0], extra), key=list(fields.nodes).index)
        message = f"{second} in a step that has {first} already"
        log.error("two-actions", message, fields.keys[second].span(), "begin a new step: - " + second)
    if "error" in fields and "call" not in fields:
        fields.misplaced("error", "only a call can fail")
    if not actions:
        return _no_action(fields, log)
    match actions[0]:
        case "expect":
            return _expect(fields, scope, log)
        case "stream":
            return _stream(fields, log)
        case "call":
            return _call(fields, scope, log)
    text = fields.value(actions[0])
    if text is None:
        return Acted(None, fields.text)
    match actions[0]:
        case "send":
            return Acted(_send(text, scope, log), text)
        case "raw":
            return Acted(_raw(text, log), text)
        case "return":
            known: dict[str, Action] = {str(CallName.RECEIVE): Return()}
            return Acted(choice(text, known, "unknown-call", "no call that can be outstanding", log), text)
    return Acted(_wait(text, log), text)


def _wait(text: SourceText, log: Log) -> Wait | None:
    """A duration, `2MSL`, or `2MSL + 5s`."""
    named = _TWICE_MSL.match(text.text)
    if named and named.end() == len(text.text):
        return Wait(0.0, twice_msl=True)
    seconds = duration(part(text, named.end(), len(text.text)) if named else text, log)
    return None if seconds is None else Wait(seconds, twice_msl=named is not None)


def _no_action(fields: Fields, log: Log) -> Acted:
    state, check = fields.scalars("state"), fields.value("check")
    if "state" not in fields and "check" not in fields and not fields.unknown:
        label = "write one of " + ", ".join((*ACTION_KEYS, "state", "check"))
        log.error("empty-step", "this step does nothing", fields.text.span(), label)
    text = stripped(state[0].text) if state else check
    return Acted(None, text or fields.text)


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


def _call(fields: Fields, scope: Scope, log: Log) -> Acted:
    texts = fields.values("call")
    if not texts:
        return Acted(None, fields.text)
    error_text = fields.value("error")
    error = choice(error_text, _ERRORS, "unknown-error", "no error", log) if error_text else None
    parsed = [calls.parse(text, error, scope.ip, log) for text in texts]
    found = [call for call in parsed if call is not None]
    if len(found) < len(parsed):
        return Acted(None, texts[0])
    return Acted(calls.either(found, texts[1], log) if found[1:] else found[0], texts[0])


def _expect(fields: Fields, scope: Scope, log: Log) -> Acted:
    texts = [stripped(item.text) for item in fields.scalars("expect")]
    if not texts:
        return Acted(None, fields.text)
    if len(texts) == 1 and texts[0].text in _WORDS:
        return Acted(_WORDS[texts[0].text], texts[0])
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
        return Acted(None, texts[0])
    # A name that only some alternatives bind may have no value when it is used.
    return Acted(Expect(tuple(alternatives)), texts[0], frozenset(set.intersection(*bound)))


def _stream(fields: Fields, log: Log) -> Acted:
    """A text in double quotes, which are YAML's too: it is read as it is written."""
    node = fields.scalar("stream")
    if node is None:
        return Acted(None, fields.text)
    text = stripped(node.text)
    written = stripped(node.written)
    if written.text.startswith('"') or text.text.startswith('"'):
        source = written if written.text.startswith('"') else text
        try:
            data = parse_string(source.text).octets
        except NotationError as wrong:
            problems(source, wrong.problems, log)
            return Acted(None, source)
        return Acted(Stream(data=data), source)
    if node.quoted:
        return Acted(Stream(data=node.text.text.encode()), text)
    response = re.fullmatch(r"RESPONSE(\s+HEAD)?(?:\s+([1-5]\d\d))?", text.text)
    if response or text.text == "EOF":
        if not response:
            return Acted(Stream(eof=True), text)
        status = int(response[2]) if response[2] else None
        return Acted(Stream(response=True, head=bool(response[1]), status=status), text)
    if not text.text[0].isdigit():
        label = f'a text is in double quotes: "{text.text}"'
        log.error("bad-stream", "stream takes a text or a number of octets", text.span(), label)
        return Acted(None, text)
    count = integer(text, 1, 1 << 24, log)
    return Acted(None if count is None else Stream(count=count), text)
